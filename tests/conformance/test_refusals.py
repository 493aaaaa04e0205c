"""How the official SDK sees the emulator refuse."""

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

TO, FROM = "+15558675310", "+15017122661"
ACCOUNT_SID = "AC" + "a" * 32
SERVICE_SID = "MG" + "1" * 32
LATER = datetime.now(UTC) + timedelta(days=1)


SOME_SID = "SM" + "0" * 32


def refused(action: Any) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as caught:
        action()
    return caught.value


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("+15005550001", 21211),
        ("+15005550002", 21612),
        ("+15005550003", 21408),
        ("+15005550004", 21610),
        ("+15005550009", 21614),
        ("12345", 21265),
        ("+0123456789", 21211),
    ],
)
def test_a_recipient_that_fails_is_refused_with_its_code(sdk: Client, emulator: Emulator, to: str, code: int) -> None:
    error = refused(lambda: sdk.messages.create(to=to, from_=FROM, body="x"))
    assert (error.status, error.code) == (400, code)
    assert emulator.messages == []


@pytest.mark.parametrize(
    ("sender", "code"),
    [("+15005550001", 21212), ("+15005550007", 21606), ("+15005550008", 21611), ("a name that is long", 21212)],
)
def test_a_sender_that_fails_is_refused_with_its_code(sdk: Client, sender: str, code: int) -> None:
    error = refused(lambda: sdk.messages.create(to=TO, from_=sender, body="x"))
    assert (error.status, error.code) == (400, code)


@pytest.mark.parametrize("sender", ["+15005550006", "12345", "ACME Corp", "+44 20 7946 0958"])
def test_any_other_well_formed_sender_is_accepted(sdk: Client, sender: str) -> None:
    assert sdk.messages.create(to=TO, from_=sender, body="x").status == "queued"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"to": TO, "body": "x"}, 21603),
        ({"to": TO, "from_": FROM}, 21619),
        ({"to": TO, "from_": FROM, "body": ""}, 21602),
        ({"to": TO, "from_": FROM, "body": "x" * 1601}, 21617),
        ({"to": TO, "from_": TO, "body": "x"}, 21266),
        ({"to": TO, "from_": "whatsapp:+15017122661", "body": "x"}, 21910),
        ({"to": TO, "from_": FROM, "media_url": ["ftp://example.com/a"]}, 21620),
        ({"to": TO, "from_": FROM, "media_url": ["https://example.com/a"] * 11}, 21623),
        ({"to": TO, "from_": FROM, "body": "x", "status_callback": "nowhere"}, 21609),
        ({"to": TO, "from_": FROM, "body": "x", "validity_period": 36001}, 20001),
        ({"to": TO, "from_": FROM, "body": "x", "content_variables": '{"1": "a"}'}, 21654),
        ({"to": TO, "from_": FROM, "content_sid": "HX1"}, 21655),
        ({"to": TO, "from_": FROM, "content_sid": "HX" + "1" * 32, "content_variables": "{"}, 21656),
        ({"to": TO, "from_": FROM, "content_sid": "HX" + "1" * 32, "content_variables": "[]"}, 21656),
        ({"to": TO, "messaging_service_sid": "MG1", "body": "x"}, 21705),
        ({"to": TO, "from_": FROM, "body": "x", "send_at": LATER, "schedule_type": "fixed"}, 35118),
        ({"to": TO, "messaging_service_sid": SERVICE_SID, "body": "x", "send_at": LATER}, 35115),
        ({"to": TO, "messaging_service_sid": SERVICE_SID, "body": "x", "schedule_type": "fixed"}, 35111),
        (
            {
                "to": TO,
                "messaging_service_sid": SERVICE_SID,
                "body": "x",
                "schedule_type": "fixed",
                "send_at": LATER + timedelta(days=40),
            },
            35114,
        ),
    ],
)
def test_an_illegal_combination_is_refused_with_the_documented_code(
    sdk: Client, emulator: Emulator, parameters: dict[str, Any], code: int
) -> None:
    error = refused(lambda: sdk.messages.create(**parameters))
    assert (error.status, error.code) == (400, code)
    assert emulator.messages == []


def test_an_error_body_has_code_message_link_and_status(server: ServerInThread) -> None:
    answer = requests.post(
        f"{server.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", auth=(ACCOUNT_SID, "token"), timeout=5
    )
    assert answer.status_code == 400
    assert answer.json() == {
        "code": 21604,
        "message": "A 'To' phone number is required.",
        "more_info": "https://www.twilio.com/docs/errors/21604",
        "status": 400,
    }
    assert answer.headers["Twilio-Request-Id"].startswith("RQ")


def test_a_json_body_says_nothing_to_twilio(server: ServerInThread) -> None:
    answer = requests.post(
        f"{server.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json",
        json={"To": TO, "From": FROM, "Body": "x"},
        auth=(ACCOUNT_SID, "token"),
        timeout=5,
    )
    assert answer.json()["code"] == 21604


def test_without_credentials_the_answer_is_401_20003(server: ServerInThread) -> None:
    answer = requests.get(f"{server.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Twilio API"'


@pytest.mark.parametrize("user", ["someone", "AC1", "SM" + "1" * 32])
def test_a_malformed_user_is_refused_even_without_declared_accounts(sdk_for: Any, user: str) -> None:
    error = refused(sdk_for(user, "secret", ACCOUNT_SID).messages(SOME_SID).fetch)
    assert (error.status, error.code) == (401, 20003)


def test_an_api_key_works_for_the_account_in_the_path(sdk_for: Any) -> None:
    client = sdk_for("SK" + "b" * 32, "secret", ACCOUNT_SID)
    assert client.messages.create(to=TO, from_=FROM, body="x").account_sid == ACCOUNT_SID


def test_declared_accounts_make_authentication_strict(sdk_for: Any, emulator: Emulator) -> None:
    key = "SK" + "b" * 32
    emulator.accounts.declare(ACCOUNT_SID, "the token", api_keys={key: "the secret"})
    assert sdk_for(ACCOUNT_SID, "the token").messages.list() == []
    assert sdk_for(key, "the secret", ACCOUNT_SID).messages.list() == []
    for user, secret, path in (
        (ACCOUNT_SID, "another token", ACCOUNT_SID),
        (key, "another secret", ACCOUNT_SID),
        ("AC" + "c" * 32, "the token", "AC" + "c" * 32),
        (ACCOUNT_SID, "the token", "AC" + "c" * 32),
    ):
        error = refused(sdk_for(user, secret, path).messages(SOME_SID).fetch)
        assert (error.status, error.code) == (401, 20003)


def test_a_parent_acts_for_its_sub_account_but_not_the_other_way_round(sdk_for: Any, emulator: Emulator) -> None:
    parent = emulator.accounts.declare(ACCOUNT_SID, "parent token")
    child = emulator.accounts.declare(auth_token="child token", parent=parent)
    message = sdk_for(parent.sid, "parent token", child.sid).messages.create(to=TO, from_=FROM, body="x")
    assert message.account_sid == child.sid
    assert refused(sdk_for(child.sid, "child token", parent.sid).messages(SOME_SID).fetch).code == 20003


def test_a_suspended_account_is_refused(sdk_for: Any, emulator: Emulator) -> None:
    emulator.accounts.declare(ACCOUNT_SID, "token").status = "suspended"
    error = refused(sdk_for(ACCOUNT_SID, "token").messages(SOME_SID).fetch)
    assert (error.status, error.code) == (403, 20005)


def test_test_credentials_send_from_the_magic_number_and_do_nothing_else(sdk_for: Any, emulator: Emulator) -> None:
    emulator.accounts.declare(ACCOUNT_SID, "test token", test=True)
    client = sdk_for(ACCOUNT_SID, "test token")
    assert client.messages.create(to=TO, from_="+15005550006", body="x").status == "queued"
    assert refused(lambda: client.messages.create(to=TO, from_=FROM, body="x")).code == 21606
    assert refused(lambda: client.messages.create(to="+15005550009", from_="+15005550006", body="x")).code == 21614
    error = refused(client.messages(SOME_SID).fetch)
    assert (error.status, error.code) == (403, 20008)
    assert emulator.messages == []


def test_what_twilio_has_and_the_emulator_has_not_is_501_with_a_reason(sdk: Client) -> None:
    error = refused(sdk.calls("CA" + "1" * 32).fetch)
    assert error.status == 501
    assert "does not emulate this: Calls" in error.msg


@pytest.mark.parametrize("path", ["/index.html", "/2010-04-01/Nothing.json"])
def test_an_unknown_path_is_404_20404(server: ServerInThread, path: str) -> None:
    answer = requests.get(server.url + path, auth=(ACCOUNT_SID, "token"), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)
    assert path in answer.json()["message"]


def test_a_method_that_a_path_does_not_have_is_405(server: ServerInThread) -> None:
    answer = requests.put(
        f"{server.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", auth=(ACCOUNT_SID, "token"), timeout=5
    )
    assert (answer.status_code, answer.json()["code"]) == (405, 20004)
    assert answer.headers["Allow"] == "POST, GET"


@pytest.mark.parametrize(
    "query", ["PageSize=none", "PageSize=0", "Page=-1", "PageToken=x", "PageToken=PAxyz", "DateSent=yesterday"]
)
def test_a_list_argument_that_makes_no_sense_is_refused(server: ServerInThread, query: str) -> None:
    url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json?{query}"
    answer = requests.get(url, auth=(ACCOUNT_SID, "token"), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)
    assert query.partition("=")[0] in answer.json()["message"]
