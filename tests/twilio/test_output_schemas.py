"""The manifest declares what each action and trigger returns, and what they return is that."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from support.pollers import Poller

from twilio_component.host import load_component
from twilio_component.host.serialization import json_ready
from twilio_component.testing import BlockingHarness, signed_payload
from twilio_component.twilio.plugin import manifest_file

if TYPE_CHECKING:
    from twilio_component.host.model import Operation

NUMBER, PERSON = "+15017122661", "+15558675310"
COMPONENT = load_component(manifest_file())
OPERATIONS = {operation.key: operation for operation in COMPONENT.operations()}
ENVELOPES = {"action": "data", "trigger": "payload", "data source": "result"}


def mistakes(key: str, output: Any) -> list[str]:
    """What is wrong with an output by the schema that the manifest declares for it."""
    ready = json.loads(json.dumps(json_ready(output)))
    errors = Draft202012Validator(OPERATIONS[key].output_schema).iter_errors(ready)
    return [f"{error.json_path}: {error.message}" for error in errors]


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.key)
def test_each_operation_declares_its_output_and_its_example_is_one(operation: Operation) -> None:
    assert (
        "outputSchema"
        in COMPONENT.manifest[
            {"action": "actions", "trigger": "triggers", "data source": "dataSources"}[operation.kind]
        ][operation.key]
    )
    assert mistakes(operation.key, operation.example[ENVELOPES[operation.kind]]) == []


def outputs_of_actions(harness: BlockingHarness) -> Iterator[tuple[str, Any]]:
    """Every action on messages, with what it returns."""

    def act(key: str, **inputs: Any) -> Any:
        return harness.action(key, inputs)["data"]

    number = harness.emulator.add_number(NUMBER)
    sent = act("sendSMS", **{"to": PERSON, "from": NUMBER, "message": "hi", "provideFeedback": True})
    yield "sendSMS", sent
    yield "explainDelivery", act("explainDelivery", sid=sent["sid"])
    yield "getSMS", act("getSMS", sid=sent["sid"])
    yield "waitForDelivery", act("waitForDelivery", sid=sent["sid"])
    yield "sendFeedback", act("sendFeedback", sid=sent["sid"])
    yield "redactMessage", act("redactMessage", sid=sent["sid"])
    picture = act("sendSMS", **{"to": PERSON, "from": NUMBER, "mediaUrl": ["https://example.com/a.png"]})
    yield "sendSMS", picture
    yield "sendAndWait", act("sendAndWait", **{"to": PERSON, "from": NUMBER, "message": "Come?", "deadline": "1"})
    files = act("listMedia", sid=picture["sid"])
    yield "listMedia", files
    service = harness.emulator.add_service("Reminders", [number])
    soon = dt.datetime.fromtimestamp(harness.emulator.clock.now() + 86_400, dt.UTC).isoformat()
    later = act("sendSMS", to=PERSON, messagingServiceSid=service.sid, message="x", sendAt=soon)
    yield "sendSMS", later
    yield "cancelMessage", act("cancelMessage", sid=later["sid"])
    yield "listMessages", act("listMessages")
    yield "deleteMessage", act("deleteMessage", sid=sent["sid"])
    yield "estimateMessage", act("estimateMessage", message="Grüße 🎉")
    asyncio.run(harness.emulator.receive(to=NUMBER, sender=PERSON, media=[("application/pdf", b"%PDF")]))
    received = harness.emulator.messages[-1]
    file = {"messageSid": received.sid, "mediaSid": received.media[0].sid}
    yield "downloadMedia", act("downloadMedia", **file)
    verify = harness.emulator.add_verify_service("Owl Bank").sid
    yield "startVerification", act("startVerification", serviceSid=verify, to=PERSON)
    yield "checkVerification", act("checkVerification", serviceSid=verify, to=PERSON, code="000000")
    yield "lookupPhoneNumber", act("lookupPhoneNumber", phoneNumber=PERSON, packages=["line_type_intelligence"])
    yield "lookupPhoneNumber", act("lookupPhoneNumber", phoneNumber="+1555")
    for key, source in COMPONENT.data_sources.items():
        yield key, harness.data_source(source.key, {})["result"]


def test_what_the_actions_return_is_what_the_manifest_declares(twilio_harness_blocking: BlockingHarness) -> None:
    seen = set()
    for key, output in outputs_of_actions(twilio_harness_blocking):
        assert mistakes(key, output) == [], key
        seen.add(key)
    assert seen >= {*COMPONENT.actions, *COMPONENT.data_sources} - {"rawRequest"}


def test_what_the_triggers_return_is_what_the_manifest_declares(twilio_harness_blocking: BlockingHarness) -> None:
    harness = twilio_harness_blocking
    emulator = harness.emulator
    emulator.add_number(NUMBER, sms_url="http://127.0.0.1:1/inbound")
    inputs = {"to": PERSON, "from": NUMBER, "message": "x", "statusCallback": "http://127.0.0.1:1/status"}
    harness.action("sendSMS", inputs)
    asyncio.run(emulator.clock.advance(60))
    asyncio.run(emulator.receive(to=NUMBER, sender=PERSON, body="STOP", media=[("image/png", b"x")]))
    asyncio.run(emulator.receive(to=NUMBER, sender=PERSON, body="START"))
    seen = set()
    for webhook in emulator.request_log.webhooks:
        parameters: Mapping[str, str] = dict(webhook.parameters)
        payload = signed_payload(dict(parameters), url=webhook.url)
        own = "statusCallback" if "MessageStatus" in parameters else "inboundMessage"
        for key in (own, "webhook"):
            assert mistakes(key, harness.trigger(key, payload)["payload"]) == [], key
            seen.add(key)
    assert seen == {"statusCallback", "inboundMessage", "webhook"}


def test_what_a_poll_returns_is_what_the_manifest_declares() -> None:
    poller = Poller()
    try:
        for text in ("one", "two"):
            poller.send(message=text)
            poller.poll()
            assert mistakes("pollChangesTrigger", poller.result["payload"]) == []
        assert len(poller.result["payload"]["body"]["data"]["created"]) == 1
    finally:
        poller.close()
