"""Verify: codes that go out, are typed in again, come too late, or too often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator

TO = "+15558675310"


class Verify:
    """One service of the API, through requests."""

    def __init__(self, api: Any, sid: str) -> None:
        self.api, self.path = api, f"https://verify.twilio.com/v2/Services/{sid}"

    def start(self, to: str = TO, channel: str = "sms", **form: str) -> Any:
        return self.api.request(
            "POST", f"{self.path}/Verifications", data={"To": to, "Channel": channel, **form}
        ).json()

    def check(self, code: str, to: str = TO, **form: str) -> Any:
        return self.api.request("POST", f"{self.path}/VerificationCheck", data={"To": to, "Code": code, **form}).json()

    def fetch(self, name: str) -> Any:
        return self.api.request("GET", f"{self.path}/Verifications/{name}").json()

    def code(self, to: str = TO) -> str:
        found = self.api.request("GET", "/_emulator/verifications", params={"to": to}).json()["verifications"]
        return str(found[-1]["code"])


@pytest.fixture
def verify(api: Any, emulator: Emulator) -> Verify:
    return Verify(api, emulator.add_verify_service("Shop").sid)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


@pytest.mark.parametrize(
    ("channel", "seen"), [("sms", TO), ("call", TO), ("whatsapp", f"whatsapp:{TO}"), ("email", "a@b.example.com")]
)
def test_a_code_is_seen_on_the_phone_and_approves_once(
    api: Any, emulator: Emulator, verify: Verify, channel: str, seen: str
) -> None:
    to = seen.removeprefix("whatsapp:")
    started = verify.start(to, channel)
    assert (started["status"], started["valid"], started["to"], started["channel"]) == ("pending", False, to, channel)
    assert [one["channel"] for one in started["send_code_attempts"]] == [channel]
    (line,) = api.request("GET", "/_emulator/conversations").json()["conversations"]
    code = verify.code(to)
    assert (line["phone"], line["number"]) == (seen, "Shop")
    assert code in line["last"]["body"].replace(". ", "")
    assert verify.fetch(to)["sid"] == verify.fetch(started["sid"])["sid"] == started["sid"]
    assert verify.check(wrong(code), to)["status"] == "pending"
    approved = verify.check(code, to)
    assert (approved["sid"], approved["status"], approved["valid"]) == (started["sid"], "approved", True)
    assert verify.check(code, to)["code"] == 20404
    assert verify.fetch(started["sid"])["code"] == 20404
    emulator.assert_verification(to=to, status="approved", times=1)
    assert emulator.messages == []


def test_a_code_that_comes_again_is_the_same_and_one_after_ten_minutes_another(api: Any, verify: Verify) -> None:
    first, code = verify.start()["sid"], verify.code()
    assert verify.start(channel="call")["sid"] == first
    assert verify.code() == code
    api.advance(600)
    assert verify.check(code)["code"] == 20404
    assert verify.start()["sid"] != first


def test_a_code_is_sent_five_times_and_no_more_until_it_expires(api: Any, verify: Verify) -> None:
    for _ in range(5):
        assert verify.start()["status"] == "pending"
    refused = verify.start()
    assert (refused["code"], refused["status"]) == (60203, 429)
    assert verify.start("+15558675311")["status"] == "pending"
    api.advance(600)
    assert verify.start()["status"] == "pending"


def test_five_wrong_codes_end_a_verification_until_it_expires(api: Any, verify: Verify) -> None:
    sid = verify.start()["sid"]
    code = verify.code()
    assert [verify.check(wrong(code))["status"] for _ in range(5)] == ["pending"] * 5
    for refused in (verify.check(code), verify.start(), verify.check(code, VerificationSid=sid)):
        assert (refused["code"], refused["status"]) == (60202, 429)
    api.advance(600)
    assert verify.start()["status"] == "pending"


def test_a_verification_is_canceled_or_approved_without_its_code(api: Any, verify: Verify) -> None:
    for status in ("canceled", "approved"):
        sid = verify.start()["sid"]
        changed = api.request("POST", f"{verify.path}/Verifications/{sid}", data={"Status": status}).json()
        assert (changed["status"], changed["valid"]) == (status, status == "approved")
        assert verify.check("123456")["code"] == 20404
    verify.start()
    refused = api.request("POST", f"{verify.path}/Verifications/{TO}", data={"Status": "asleep"}).json()
    assert refused["code"] == 60200


def test_a_rate_limit_counts_by_its_key(api: Any, verify: Verify) -> None:
    limit = api.request("POST", f"{verify.path}/RateLimits", data={"UniqueName": "end_user_ip"}).json()
    api.request("POST", f"{verify.path}/RateLimits/{limit['sid']}/Buckets", data={"Max": "2", "Interval": "60"})

    def start(ip: str, to: str) -> Any:
        return verify.start(to, RateLimits=f'{{"end_user_ip": "{ip}"}}')

    assert [start("127.0.0.1", f"+1555867531{n}")["status"] for n in range(3)] == ["pending", "pending", 429]
    assert start("127.0.0.1", "+15558675313")["code"] == 60207
    assert start("127.0.0.2", "+15558675313")["status"] == "pending"
    api.advance(61)
    assert start("127.0.0.1", "+15558675314")["status"] == "pending"
    assert verify.start(RateLimits='{"other": "1"}')["code"] == 60200
    assert api.request("DELETE", f"{verify.path}/RateLimits/{limit['sid']}").status_code == 204
    assert api.request("GET", f"{verify.path}/RateLimits").json()["rate_limits"] == []


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"to": "15558675310"}, 60200),
        ({"to": "ada@example.com"}, 60200),
        ({"to": "ada", "channel": "email"}, 60200),
        ({"channel": "pigeon"}, 60200),
        ({"channel": ""}, 60200),
        ({"CustomCode": "123456"}, 60204),
        ({"RateLimits": "[]"}, 60200),
    ],
)
def test_what_cannot_be_verified_is_refused(verify: Verify, form: dict[str, str], code: int) -> None:
    assert verify.start(**form)["code"] == code


@pytest.mark.parametrize("code", ["", "123", "12345678901", "abcdef"])
def test_what_cannot_be_a_code_is_refused_and_not_counted(verify: Verify, code: str) -> None:
    verify.start()
    for _ in range(6):
        assert verify.check(code)["code"] == 60200
    assert verify.check(verify.code())["status"] == "approved"


def test_the_settings_of_a_service_shape_its_codes(api: Any, emulator: Emulator) -> None:
    service = emulator.add_verify_service("Bank", code_length=4, custom_code_enabled=True, psd2_enabled=True)
    verify = Verify(api, service.sid)
    assert verify.start()["code"] == 60206
    payment = {"Amount": "€39.99", "Payee": "Acme"}
    started = verify.start(**payment)
    assert (started["amount"], started["payee"], len(verify.code())) == ("€39.99", "Acme", 4)
    assert verify.check(verify.code())["code"] == 60206
    assert verify.check(verify.code(), **payment)["status"] == "approved"
    verify.start(CustomCode="987654", **payment)
    assert verify.check("987654", **payment)["status"] == "approved"
    api.request("POST", verify.path, data={"Psd2Enabled": "false", "CodeLength": "8"})
    verify.start()
    assert len(verify.code()) == 8
    assert api.request("POST", verify.path, data={"CodeLength": "3"}).json()["code"] == 60200


def test_services_are_created_listed_and_deleted_and_without_any_each_sid_works(api: Any) -> None:
    implicit = Verify(api, "VA" + "1" * 32)
    assert implicit.start()["status"] == "pending"
    assert Verify(api, "VA" + "2" * 32).start("+15558675311")["status"] == "pending"
    assert implicit.check(implicit.code())["status"] == "approved"
    base = "https://verify.twilio.com/v2/Services"
    created = api.request("POST", base, data={"FriendlyName": "Shop"}).json()
    assert (created["friendly_name"], created["code_length"]) == ("Shop", 6)
    assert api.request("POST", base).json()["code"] == 60200
    assert api.request("GET", base).json()["services"][0]["sid"] == created["sid"]
    assert Verify(api, "VA" + "3" * 32).start()["code"] == 20404
    assert api.request("DELETE", f"{base}/{created['sid']}").status_code == 204


def test_a_code_that_cannot_be_delivered_and_one_that_is_blocked(api: Any, emulator: Emulator, verify: Verify) -> None:
    emulator.lifecycle.undeliver(30003, to=TO)
    verify.start()
    api.advance(5)
    (line,) = api.request("GET", "/_emulator/conversations").json()["conversations"]
    assert (line["last"]["status"], line["last"]["error"]["code"]) == ("undelivered", 30003)
    emulator.faults.api_error(60410, status=403, operation="verifications.create")
    assert verify.start("+15558675311")["code"] == 60410
    emulator.lookups.add_facts("+15558675312", line_type_intelligence={"type": "landline"})
    assert verify.start("+15558675312")["code"] == 60205
    assert verify.start("+15558675312", channel="call")["status"] == "pending"


def test_the_requests_behind_a_code_are_shown_with_it(api: Any, verify: Verify) -> None:
    attempt = verify.start()["send_code_attempts"][0]["attempt_sid"]
    verify.start("+15558675311")
    shown = api.request("GET", f"/_emulator/messages/{attempt}").json()
    assert [one["operation"] for one in shown["exchanges"]] == ["verifications.create"]
    assert verify.code() in shown["item"]["body"]
