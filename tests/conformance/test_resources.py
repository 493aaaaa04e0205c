"""What the official SDK sees of accounts, numbers, messaging services and content templates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

if TYPE_CHECKING:
    from twilio.rest import Client

    from twilio_component.emulator import Emulator
    from twilio_component.emulator.server.server import ServerInThread

ACCOUNT_SID = "AC" + "a" * 32
TO = "+15558675310"


def refused(action: Any) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as caught:
        action()
    return caught.value


def test_the_account_is_fetched_renamed_suspended_and_reopened(sdk: Client, emulator: Emulator) -> None:
    account = sdk.api.accounts(ACCOUNT_SID).fetch()
    assert (account.sid, account.status, account.type, account.owner_account_sid) == (
        ACCOUNT_SID,
        "active",
        "Full",
        ACCOUNT_SID,
    )
    assert account.subresource_uris["messages"].endswith("/Messages.json")
    assert sdk.api.accounts(ACCOUNT_SID).update(friendly_name="Renamed").friendly_name == "Renamed"
    assert refused(lambda: sdk.api.accounts(ACCOUNT_SID).update(status="asleep")).code == 20001
    assert sdk.api.accounts(ACCOUNT_SID).update(status="suspended").status == "suspended"
    assert refused(lambda: sdk.api.accounts(ACCOUNT_SID).fetch()).code == 20005
    emulator.accounts.get(ACCOUNT_SID).status = "active"
    assert abs(account.date_created - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_sub_account_is_created_and_listed_beside_its_parent(sdk: Client, sdk_for: Any) -> None:
    child = sdk.api.accounts.create(friendly_name="Child")
    assert child.owner_account_sid == ACCOUNT_SID
    assert [one.sid for one in sdk.api.accounts.list()] == [ACCOUNT_SID, child.sid]
    assert sdk.api.accounts.list(status="closed") == []
    assert sdk_for(child.sid, child.auth_token).api.accounts(child.sid).fetch().friendly_name == "Child"


def test_a_number_is_bought_found_changed_and_given_back(sdk: Client) -> None:
    number = sdk.incoming_phone_numbers.create(phone_number="+15550001111", friendly_name="Front desk")
    other = sdk.incoming_phone_numbers.create(phone_number="+15550002222")
    assert number.sid.startswith("PN")
    assert (number.sms_url, number.sms_method, number.capabilities["sms"]) == ("", "POST", True)
    changed = sdk.incoming_phone_numbers(number.sid).update(sms_url="http://127.0.0.1/sms", sms_method="GET")
    assert (changed.sms_url, changed.sms_method, changed.friendly_name) == ("http://127.0.0.1/sms", "GET", "Front desk")
    assert sdk.incoming_phone_numbers(number.sid).fetch().sms_url == "http://127.0.0.1/sms"

    def found(**filters: Any) -> list[str]:
        return [one.sid for one in sdk.incoming_phone_numbers.list(**filters)]

    assert found() == [other.sid, number.sid]
    assert found(page_size=1) == [other.sid, number.sid]
    assert found(phone_number="5550001111") == [number.sid]
    assert found(phone_number="+1555***2222") == [other.sid]
    assert found(friendly_name="Front desk") == [number.sid]
    assert sdk.incoming_phone_numbers(number.sid).delete() is True
    assert refused(sdk.incoming_phone_numbers(number.sid).fetch).code == 20404


@pytest.mark.parametrize(("number", "code"), [("+15005550000", 21422), ("+15005550001", 21421), ("12345", 21421)])
def test_a_number_that_cannot_be_had_is_refused(sdk: Client, number: str, code: int) -> None:
    assert refused(lambda: sdk.incoming_phone_numbers.create(phone_number=number)).code == code


def test_test_credentials_buy_a_number_that_they_do_not_keep(sdk_for: Any, emulator: Emulator) -> None:
    account = emulator.accounts.declare(ACCOUNT_SID, "token", test=True)
    bought = sdk_for(ACCOUNT_SID, "token").incoming_phone_numbers.create(phone_number="+15005550006")
    assert bought.phone_number == "+15005550006"
    assert not account.numbers


def test_the_first_page_is_found_again_from_the_second(sdk: Client) -> None:
    for n in range(3):
        sdk.incoming_phone_numbers.create(phone_number=f"+1555000111{n}")
    first = sdk.incoming_phone_numbers.page(page_size=2)
    second = first.next_page()
    assert [one.phone_number for one in second] == ["+15550001110"]
    assert second.next_page_url is None
    assert [one.phone_number for one in second.previous_page()] == ["+15550001112", "+15550001111"]


def test_a_messaging_service_lives_with_its_pool(sdk: Client, emulator: Emulator, server: ServerInThread) -> None:
    number = sdk.incoming_phone_numbers.create(phone_number="+15550001111")
    service = sdk.messaging.v1.services.create(
        friendly_name="Alerts", status_callback="http://127.0.0.1/status", sticky_sender=False, validity_period=60
    )
    assert service.sid.startswith("MG")
    assert (service.sticky_sender, service.validity_period) == (False, 60)
    pool = sdk.messaging.v1.services(service.sid).phone_numbers
    assert refused(lambda: pool.create(phone_number_sid="PN" + "0" * 32)).code == 21404
    assert pool.create(phone_number_sid=number.sid).phone_number == "+15550001111"
    assert refused(lambda: pool.create(phone_number_sid=number.sid)).code == 21710
    assert [one.sid for one in pool.list()] == [number.sid]
    assert sdk.messaging.v1.services(service.sid).phone_numbers(number.sid).fetch().country_code == "US"

    sent = sdk.messages.create(to=TO, messaging_service_sid=service.sid, body="x")
    server.call(emulator.clock.advance, 5)
    assert sdk.messages(sent.sid).fetch().from_ == "+15550001111"

    assert sdk.messaging.v1.services(service.sid).phone_numbers(number.sid).delete() is True
    assert refused(sdk.messaging.v1.services(service.sid).phone_numbers(number.sid).fetch).code == 20404
    updated = sdk.messaging.v1.services(service.sid).update(friendly_name="Renamed", inbound_request_url="")
    assert (updated.friendly_name, updated.inbound_request_url) == ("Renamed", None)
    assert sdk.messaging.v1.services(service.sid).delete() is True
    assert refused(sdk.messaging.v1.services(service.sid).fetch).code == 20404


def test_services_are_listed_over_several_pages_by_absolute_urls(sdk: Client) -> None:
    made = [sdk.messaging.v1.services.create(friendly_name=str(n)).sid for n in range(5)]
    assert [one.sid for one in sdk.messaging.v1.services.list(page_size=2)] == made[::-1]
    second = sdk.messaging.v1.services.page(page_size=2).next_page()
    assert [one.sid for one in second.previous_page()] == [made[4], made[3]]
    assert refused(lambda: sdk.messaging.v1.services.create(friendly_name="")).code == 20001


def test_a_template_is_made_picked_sent_and_deleted(sdk: Client, server: ServerInThread) -> None:
    wanted: dict[str, Any] = {
        "friendly_name": "greeting",
        "language": "en",
        "variables": {"1": "you"},
        "types": {"twilio/media": {"body": "Hi {{1}}", "media": ["https://example.com/a.png"]}},
    }
    made = requests.post(f"{server.url}/v1/Content", json=wanted, auth=(ACCOUNT_SID, "an auth token"), timeout=5)
    sid = made.json()["sid"]
    assert [(one.sid, one.friendly_name) for one in sdk.content.v1.contents.list()] == [(sid, "greeting")]
    assert sdk.content.v1.contents(sid).fetch().variables == {"1": "you"}
    message = sdk.messages.create(to=TO, from_="+15017122661", content_sid=sid)
    assert (message.body, message.num_media) == ("Hi you", "1")
    assert sdk.content.v1.contents(sid).delete() is True
    assert refused(sdk.content.v1.contents(sid).fetch).code == 20404


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"types": {}}', b'{"types": {"twilio/text": "Hi"}}'])
def test_a_template_without_content_is_refused(server: ServerInThread, body: bytes) -> None:
    answer = requests.post(f"{server.url}/v1/Content", data=body, auth=(ACCOUNT_SID, "token"), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)


def test_an_api_key_finds_services_of_the_account_it_was_last_used_for(sdk_for: Any, emulator: Emulator) -> None:
    key = "SK" + "b" * 32
    client = sdk_for(key, "secret", ACCOUNT_SID)
    client.messages.create(to=TO, from_="+15017122661", body="x")
    service = client.messaging.v1.services.create(friendly_name="S")
    assert service.account_sid == ACCOUNT_SID
    emulator.accounts.declare(ACCOUNT_SID, "token", api_keys={key: "secret"})
    assert client.messaging.v1.services.create(friendly_name="S").account_sid == ACCOUNT_SID
