"""startVerification, checkVerification and selectVerifyService, against what Twilio's API says of them."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx
import pytest

from twilio_component.durable.execution.redacted_inputs import redact_inputs
from twilio_component.host import Host, load_component
from twilio_component.host.errors import InputError
from twilio_component.testing import create_connection
from twilio_component.twilio.errors import NotFoundError, OutcomeUnknownError, TwilioAPIError
from twilio_component.twilio.plugin import manifest_file

if TYPE_CHECKING:
    from twilio_component.testing import BlockingHarness

SERVICE, VERIFICATION, ACCOUNT = "VA" + "a" * 32, "VE" + "b" * 32, "AC" + "c" * 32
TO = "+15558675310"
PENDING = {
    "sid": VERIFICATION,
    "service_sid": SERVICE,
    "account_sid": ACCOUNT,
    "to": TO,
    "channel": "sms",
    "status": "pending",
    "valid": False,
    "date_created": "2026-11-25T19:40:00Z",
    "date_updated": "2026-11-25T19:40:00Z",
    "lookup": {"carrier": None},
    "send_code_attempts": [{"attempt_sid": "VL1", "channel": "SMS", "time": "2026-11-25T19:40:00.000Z"}],
}


class Verify:
    """Answers with one response, and remembers the requests."""

    def __init__(self, status: int = 201, body: Any = PENDING) -> None:
        self.status, self.body = status, body
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status, json=self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.requests[-1].content.decode()).items()}

    async def act(self, key: str, *, debug: bool = False, **inputs: Any) -> dict[str, Any]:
        connection = create_connection("basic", {"username": ACCOUNT, "password": "token"})
        async with Host.discover(transport=httpx.MockTransport(self), debug=debug) as host:
            inputs = {"twilioConnection": connection, "serviceSid": SERVICE, **inputs}
            data: dict[str, Any] = (await host.invoke_action("twilio", key, inputs))["data"]
            return data


async def test_a_code_is_sent() -> None:
    verify = Verify()
    data = await verify.act("startVerification", to="+1 555 867 5310", locale="de")
    request = verify.requests[0]
    assert (request.method, str(request.url)) == (
        "POST",
        f"https://verify.twilio.com/v2/Services/{SERVICE}/Verifications",
    )
    assert verify.form == {"To": TO, "Channel": "sms", "Locale": "de"}
    assert (data["sid"], data["status"], data["serviceSid"]) == (VERIFICATION, "pending", SERVICE)
    assert data["dateCreated"] == "2026-11-25T19:40:00.000Z"
    assert data["sendCodeAttempts"][0]["attemptSid"] == "VL1"


@pytest.mark.parametrize(
    ("to", "channel", "form"),
    [
        ("+1 (555) 867-5310", "call", TO),
        ("whatsapp:+15558675310", "whatsapp", TO),
        (" ada@example.com ", "email", "ada@example.com"),
    ],
)
async def test_each_channel_has_its_recipient(to: str, channel: str, form: str) -> None:
    verify = Verify()
    await verify.act("startVerification", to=to, channel=channel)
    assert verify.form == {"To": form, "Channel": channel}


async def test_objects_are_json_text() -> None:
    verify = Verify()
    await verify.act("startVerification", to=TO, rateLimits={"session": "a1"}, templateCustomSubstitutions={"n": 1})
    assert json.loads(verify.form["RateLimits"]) == {"session": "a1"}
    assert json.loads(verify.form["TemplateCustomSubstitutions"]) == {"n": "1"}


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"to": "ada@example.com"}, r"\$\.inputs\.to: The recipient must be a valid phone number"),
        ({"to": TO, "channel": "email"}, "must be an email address"),
        ({"to": TO, "channel": "fax"}, "must be sms, call, whatsapp or email"),
        ({"to": TO, "serviceSid": "MG" + "a" * 32}, "a Verify service SID belongs here"),
    ],
)
async def test_what_cannot_be_verified_is_refused_before_anything_is_sent(inputs: dict[str, Any], why: str) -> None:
    verify = Verify()
    with pytest.raises(InputError, match=why):
        await verify.act("startVerification", **inputs)
    assert verify.requests == []


async def test_a_start_without_an_answer_may_have_sent_a_code() -> None:
    verify = Verify(502, {})
    with pytest.raises(OutcomeUnknownError):
        await verify.act("startVerification", to=TO)
    assert len(verify.requests) == 1


@pytest.mark.parametrize("code", [60203, 60410])
async def test_a_refusal_is_explained(code: int) -> None:
    verify = Verify(429 if code == 60203 else 403, {"code": code, "message": "refused", "status": 403})
    with pytest.raises(TwilioAPIError) as caught:
        await verify.act("startVerification", to=TO)
    assert caught.value.twilio_code == code
    assert caught.value.explanation is not None


@pytest.mark.parametrize("given", ["123456", "123 456", " 123-456\n", 123456])
async def test_a_code_is_checked(given: Any) -> None:
    verify = Verify(200, {**PENDING, "status": "approved", "valid": True})
    data = await verify.act("checkVerification", to=TO, code=given)
    assert verify.requests[0].url.path == f"/v2/Services/{SERVICE}/VerificationCheck"
    assert verify.form == {"To": TO, "Code": "123456"}
    assert (data["valid"], data["status"]) == (True, "approved")


async def test_a_wrong_code_is_a_result_and_nothing_to_check_is_an_error() -> None:
    data = await Verify(200).act("checkVerification", verificationSid=VERIFICATION, code="000000")
    assert (data["valid"], data["status"]) == (False, "pending")
    with pytest.raises(NotFoundError):
        await Verify(404, {"code": 20404, "message": "not found"}).act("checkVerification", to=TO, code="000000")


@pytest.mark.parametrize("inputs", [{}, {"to": TO, "verificationSid": VERIFICATION}])
async def test_a_check_needs_one_of_recipient_and_verification(inputs: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="needs either to or verificationSid"):
        await Verify().act("checkVerification", code="123456", **inputs)


async def test_a_code_is_neither_logged_nor_in_an_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = {"code": 60200, "message": "Invalid parameter: 123456", "details": {"Code": "123456"}}
    with pytest.raises(TwilioAPIError) as caught:
        await Verify(400, echo).act("checkVerification", to=TO, code="123456", debug=True)
    await Verify(200).act("checkVerification", to=TO, code="123456", debug=True)
    shown = [caplog.text, str(caught.value), repr(vars(caught.value)), caught.value.twilio_message]
    assert "VerificationCheck" in caplog.text
    assert not any("123456" in text for text in shown)
    with pytest.raises(InputError) as refused:
        await Verify().act("checkVerification", to=TO, code="my code is 123456!")
    assert "123456" not in str(refused.value)


async def test_services_are_chosen_by_name() -> None:
    verify = Verify(200, {"services": [{"sid": SERVICE, "friendly_name": "Owl Bank"}], "meta": {}})
    connection = create_connection("basic", {"username": ACCOUNT, "password": "token"})
    async with Host.discover(transport=httpx.MockTransport(verify)) as host:
        found = await host.invoke_data_source("twilio", "selectVerifyService", {"twilioConnection": connection})
    assert found == {"result": [{"label": "Owl Bank", "key": SERVICE}]}
    assert verify.requests[0].url.host == "verify.twilio.com"


def test_a_code_that_the_emulator_sent_is_the_right_one(twilio_harness_blocking: BlockingHarness) -> None:
    harness = twilio_harness_blocking
    service = harness.emulator.add_verify_service("Owl Bank").sid
    started = harness.action("startVerification", {"serviceSid": service, "to": TO})["data"]
    code = harness.emulator.verifications[-1].code
    given = {"serviceSid": service, "verificationSid": started["sid"]}
    other = ("0" if code[0] == "9" else "9") * len(code)
    wrong = harness.action("checkVerification", {**given, "code": other})
    right = harness.action("checkVerification", {**given, "code": code})
    assert (wrong["data"]["valid"], right["data"]["valid"], right["data"]["status"]) == (False, True, "approved")
    with pytest.raises(NotFoundError):
        harness.action("checkVerification", {**given, "code": code})
    assert code not in repr(right["data"])


def test_five_codes_are_enough_and_that_slows_nobody_else_down(twilio_harness_blocking: BlockingHarness) -> None:
    harness = twilio_harness_blocking
    service = harness.emulator.add_verify_service("Owl Bank").sid
    for _ in range(5):
        harness.action("startVerification", {"serviceSid": service, "to": TO})
    with pytest.raises(TwilioAPIError) as caught:
        harness.action("startVerification", {"serviceSid": service, "to": TO})
    assert (caught.value.twilio_code, caught.value.throttled, caught.value.retryable) == (60203, None, True)
    harness.action("startVerification", {"serviceSid": service, "to": "+15558675311"})


def test_a_code_is_a_secret_where_a_served_run_keeps_its_inputs() -> None:
    operation = load_component(manifest_file()).actions["checkVerification"]
    kept = redact_inputs({"to": TO, "code": "123456", "serviceSid": SERVICE}, operation)
    assert kept["code"] == "<secret>"
    assert TO not in kept["to"]
