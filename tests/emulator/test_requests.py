"""The corners of reading requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator


@pytest.mark.parametrize("authorization", ["", "Bearer x", "Basic ???", "Basic QUM=", "Basic QUM6", "Basic gICAOg=="])
def test_credentials_that_are_none_are_refused(api: Any, authorization: str) -> None:
    answer = api.request("GET", api.path, headers={"authorization": authorization}, auth=None)
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


@pytest.mark.parametrize(
    ("sender", "to", "status"),
    [
        ("messenger:123", "messenger:456", "queued"),
        ("rcs:acme_agent", "+15558675310", "queued"),
        ("+15017122661", "rcs:+15558675310", "queued"),
        ("+15017122661", "(555) 867-5310", "queued"),
        ("whatsapp:+15017122661", "whatsapp:12", 400),
        ("whatsapp:12", "whatsapp:+15558675310", 400),
        ("messenger:123", "+15558675310", 400),
    ],
)
def test_addresses_of_every_channel_are_read(api: Any, sender: str, to: str, status: Any) -> None:
    assert api.send(From=sender, To=to)["status"] == status


@pytest.mark.parametrize("url", ["http://[::1", "http://", "javascript:1", "http://host:99999/", "http://host:0/"])
def test_a_callback_to_nowhere_is_refused(api: Any, url: str) -> None:
    assert api.send(StatusCallback=url)["code"] == 21609


@pytest.mark.parametrize(("form", "code"), [({"Status": "sent"}, 20001), ({"Body": "other"}, 20001)])
def test_a_message_cannot_be_changed_in_other_ways(api: Any, form: dict[str, str], code: int) -> None:
    message = api.send()
    api.advance(5)
    assert api.request("POST", message["uri"], data=form).json()["code"] == code


def test_an_update_that_says_nothing_changes_nothing(api: Any) -> None:
    message = api.send()
    assert api.request("POST", message["uri"], data={}).json() == message


def test_a_message_that_was_deleted_leaves_the_others_in_their_place(api: Any) -> None:
    sent = [api.send(Body=str(n)) for n in range(5)]
    api.advance(5)
    first = api.request("GET", f"{api.path}?PageSize=2").json()
    api.request("DELETE", sent[2]["uri"])
    api.request("DELETE", sent[3]["uri"])
    second = api.request("GET", first["next_page_uri"]).json()
    assert [one["body"] for one in second["messages"]] == ["1", "0"]
    back = api.request("GET", second["previous_page_uri"]).json()
    assert [one["body"] for one in back["messages"]] == ["4"]


def test_settings_that_do_not_exist_are_refused_with_those_that_do(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="a number has no smsurl; it has sms_url"):
        emulator.add_number("+15550001111", smsurl="x")
    with pytest.raises(ValueError, match="a service has no inbound; it has inbound_request_url"):
        emulator.add_service("S", [], inbound="x")


def test_a_form_that_is_not_utf_8_is_read_with_replacements(api: Any) -> None:
    content = b"To=%2B15558675310&From=%2B15017122661&Body=\xff"
    headers = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    assert api.request("POST", api.path, content=content, headers=headers).json()["body"] == "\ufffd"


@pytest.mark.parametrize(
    ("asked", "given"), [("", 50), ("PageSize=7", 7), ("PageSize=1000", 1000), ("PageSize=5000", 1000)]
)
def test_a_page_has_fifty_records_by_default_and_a_thousand_at_most(api: Any, asked: str, given: int) -> None:
    page = api.request("GET", f"{api.path}?{asked}").json()
    assert (page["page_size"], page["messages"], page["end"]) == (given, [], 0)


def test_an_account_that_is_declared_again_gets_another_token_and_keeps_its_messages(
    emulator: Emulator, api: Any
) -> None:
    sid = api.path.split("/")[3]
    emulator.accounts.declare(sid)
    sent = api.send()
    emulator.accounts.declare(sid, "another")
    assert api.request("GET", sent["uri"]).status_code == 401
    assert api.request("GET", sent["uri"], auth=(sid, "another")).json()["body"] == "Hello"
