"""The integrations in fixtures/flows/integrations, each run against the emulator."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from support.flow_runs import FIXTURES

from twilio_component.emulator import Emulator
from twilio_component.emulator.http import Response
from twilio_component.flows import check_file
from twilio_component.host import Host
from twilio_component.testing import BlockingHarness, Harness, signed_payload

if TYPE_CHECKING:
    from twilio_component.emulator.webhooks.transports import WebhookRequest

FOLDER = FIXTURES / "integrations"
NUMBER = "+15017122661"
Scenario = Callable[[Emulator, Harness], Awaitable[None]]


def body(data: Any) -> dict[str, Any]:
    return {"body": {"data": data}}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_nothing_is_wrong_with_our_own_integrations(path: Any) -> None:
    assert check_file(path, Host.discover().components) == []


def test_each_appointment_with_a_number_is_reminded_and_the_request_answered() -> None:
    appointments = [
        {"name": "Ada", "phone": "+15558675310", "time": "9:00"},
        {"name": "Bob", "phone": "", "time": "10:00"},
        {"name": "Cleo", "phone": "+15558675311", "time": "11:00", "optedOut": True},
        {"name": "Dan", "phone": "(605) 555-1212", "time": "12:00"},
    ]
    with BlockingHarness() as harness:
        outcome = harness.flow(FOLDER / "appointment-reminders.yaml", payload=body(appointments))
        assert outcome.succeeded, outcome.error
        assert outcome.response is not None
        assert json.loads(outcome.response["body"]) == {"reminded": 2}
        harness.emulator.assert_sent(
            to="+15558675310", body="Hi Ada, see you tomorrow at 9:00. Dr. Who's practice", times=1
        )
        harness.emulator.assert_sent(to="+16055551212", times=1)
        assert len(harness.emulator.messages) == 2


def test_the_exported_form_does_the_same_as_the_short_one() -> None:
    with BlockingHarness() as harness:
        payload = body({"name": "Ada", "phone": "+15558675310"})
        outcome = harness.flow(FOLDER / "exported-reminder.yaml", payload=payload, config={"Clinic": "North"})
        assert outcome.succeeded, outcome.error
        harness.emulator.assert_sent(to="+15558675310", sender=NUMBER, body="Hi Ada, see you at North", times=1)


async def served(name: str, scenario: Scenario, **numbers: str) -> Emulator:
    """Run ``scenario`` with an emulator whose webhooks start the flow and are answered by it."""

    async def deliver(webhook: WebhookRequest) -> Response:
        payload = {
            "headers": webhook.all_headers,
            "rawBody": {"data": webhook.body},
            "invokeUrl": webhook.url,
            "method": webhook.method,
        }
        outcome = await harness.flow(FOLDER / name, payload=payload)
        assert outcome.succeeded, outcome.error
        answer = outcome.response or {"statusCode": 204, "contentType": "text/xml", "body": ""}
        return Response(answer["statusCode"], answer["body"].encode(), {"Content-Type": answer["contentType"]})

    emulator = Emulator(webhooks=deliver)
    for number, url in numbers.items():
        emulator.add_number(f"+{number.lstrip('n')}", sms_url=url)
    async with Harness(emulator=emulator) as harness:
        await scenario(emulator, harness)
    return emulator


@pytest.mark.parametrize(
    ("text", "to", "answer"),
    [
        (" confirm ", "+15558675310", "Thank you, see you tomorrow."),
        ("Hours", "+15558675310", "We are open from 8 to 18."),
        ("Is Dr. Who in?", "+15558675309", "+15558675310 wrote: Is Dr. Who in?"),
    ],
)
async def test_a_reply_is_answered_by_keyword_with_twiml_that_twilio_carries_out(
    text: str, to: str, answer: str
) -> None:
    async def scenario(emulator: Emulator, _harness: Harness) -> None:
        await emulator.receive(to=NUMBER, sender="+15558675310", body=text)

    emulator = await served("two-way-reply.yaml", scenario, n15017122661="https://hooks.example.com/reply")
    emulator.assert_sent(to=to, body=answer, times=1)
    assert len(emulator.messages) == 2


def test_a_request_that_twilio_did_not_sign_starts_nothing() -> None:
    forged = signed_payload({"Body": "CONFIRM", "From": "+15558675310"}, auth_token="somebody else's")
    with BlockingHarness() as harness:
        outcome = harness.flow(FOLDER / "two-way-reply.yaml", payload=forged)
        assert outcome.error is not None
        assert outcome.error["id"] == "message"
        assert harness.emulator.messages == []


def test_an_alert_goes_to_everybody_and_the_lead_hears_whom_it_did_not_reach() -> None:
    alert = {"severity": "P1", "title": "Database down", "onCall": ["+15558675310", "+15005550004", "+15558675312"]}
    with BlockingHarness() as harness:
        outcome = harness.flow(FOLDER / "on-call-fan-out.yaml", payload=body(alert))
        assert outcome.succeeded, outcome.error
        harness.emulator.assert_sent(body="[P1] Database down", times=2)
        harness.emulator.assert_sent(to="+15558675301", body="Not reached, by their place in the list: [1]", times=1)
        assert [(error["id"], error["resolution"]) for error in outcome.handled] == [("everybody[1].page", "ignored")]
        assert outcome.response is not None
        assert outcome.response["statusCode"] == 202


async def test_what_could_not_be_delivered_is_sent_once_more_from_another_number() -> None:
    async def scenario(emulator: Emulator, harness: Harness) -> None:
        emulator.faults.double_callbacks(times=None)
        emulator.lifecycle.undeliver(30003, sender=NUMBER, times=1)
        emulator.lifecycle.undeliver(30006, to="+15558675399")
        for to in ("+15558675310", "+15558675399"):
            inputs = {"to": to, "from": NUMBER, "message": "Hello", "statusCallback": "https://hooks.example.com/s"}
            await harness.action("sendSMS", inputs)
        await emulator.clock.advance(10)

    emulator = await served("delivery-follow-up.yaml", scenario)
    emulator.assert_sent(to="+15558675310", sender="+15017122662", body="Hello", times=1)
    assert len(emulator.messages) == 3


async def test_a_digest_has_a_line_for_each_message_and_is_not_sent_when_there_is_none() -> None:
    emulator = Emulator(webhooks=lambda _webhook: Response(204))
    emulator.add_number(NUMBER, sms_url="https://hooks.example.com/reply")
    async with Harness(emulator=emulator) as harness:
        quiet = await harness.flow(FOLDER / "daily-digest.yaml")
        assert quiet.succeeded, quiet.error
        assert emulator.messages == []
        for sender, text in (("+15558675310", "Hello"), ("+15558675311", "Is it you?")):
            await emulator.receive(to=NUMBER, sender=sender, body=text)
            await emulator.clock.advance(1)
        outcome = await harness.flow(FOLDER / "daily-digest.yaml")
        assert outcome.succeeded, outcome.error
    emulator.assert_sent(to="+15558675302", body="+15558675311: Is it you?\n+15558675310: Hello", times=1)


def test_a_busy_twilio_is_asked_again_and_a_number_that_cannot_be_reached_takes_another_way() -> None:
    with BlockingHarness() as harness:
        harness.emulator.faults.rate_limit(times=6)
        outcome = harness.flow(
            FOLDER / "retries-and-error-branches.yaml", payload=body({"phone": "+15558675310", "code": 1234})
        )
        assert outcome.succeeded, outcome.error
        assert outcome.handled
        harness.emulator.assert_sent(body="Your code is 1234.", times=1)
    with BlockingHarness() as harness:
        letter = harness.flow(
            FOLDER / "retries-and-error-branches.yaml", payload=body({"phone": "+15005550001", "code": 1234})
        )
        assert letter.response is not None
        assert letter.response["statusCode"] == 202
        assert json.loads(letter.response["body"]) == {"by": "letter"}
        assert "WARNING" in [record.levelname for record in harness.logger.records]
        assert "The code goes by letter instead." in harness.logger.messages


def test_a_long_list_is_sent_in_batches_by_executions_of_their_own() -> None:
    numbers = [f"+1555867531{digit}" for digit in range(5)]
    with BlockingHarness() as harness:
        outcome = harness.flow(
            FOLDER / "batches.yaml", flow="Split", payload=body({"numbers": numbers, "text": "Hello"})
        )
        assert outcome.succeeded, outcome.error
        assert [started.flow for started in outcome.started] == ["Send batch"] * 3
        assert [message.to for message in harness.emulator.messages] == numbers


def test_a_code_lets_in_whoever_enters_the_right_one_and_nobody_else() -> None:
    def posted(harness: BlockingHarness, flow: str, data: dict[str, str]) -> tuple[int, Any]:
        outcome = harness.flow(FOLDER / "two-factor.yaml", flow=flow, payload=body(data), config=config)
        assert outcome.succeeded, outcome.error
        assert outcome.response is not None
        return outcome.response["statusCode"], json.loads(outcome.response["body"])

    with BlockingHarness() as harness:
        config = {"Verify service": harness.emulator.add_verify_service("Owl Bank").sid}
        phone = {"phone": "(605) 555-1212"}
        assert posted(harness, "Send a code", phone) == (202, {"status": "pending"})
        (verification,) = harness.emulator.verifications
        wrong = "000000" if verification.code != "000000" else "111111"
        assert posted(harness, "Check a code", {**phone, "code": wrong}) == (403, {"verified": False})
        assert posted(harness, "Check a code", {**phone, "code": "not one"}) == (403, {"verified": False})
        assert posted(harness, "Check a code", {**phone, "code": verification.code}) == (200, {"verified": True})
        # A code is good for once.
        assert posted(harness, "Check a code", {**phone, "code": verification.code}) == (403, {"verified": False})
        assert posted(harness, "Send a code", {"phone": "12"}) == (422, {"status": "invalid-number"})
        assert len(harness.emulator.verifications) == 1
