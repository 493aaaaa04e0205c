"""conversationEvent: verified like every webhook, with Twilio's parameters by type."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from twilio_component.host.manifest.files import shipped_file
from twilio_component.twilio.signatures import WebhookRefusedError

if TYPE_CHECKING:
    from twilio_component.testing import BlockingHarness


def receive(harness: BlockingHarness, parameters: dict[str, str], **options: Any) -> dict[str, Any]:
    return harness.webhook(parameters, key="conversationEvent", **options)


def test_the_documented_example_is_what_comes_out(twilio_harness_blocking: BlockingHarness) -> None:
    example = json.loads(shipped_file("fixtures/payloads/conversationEvent.json").read_text())["payload"]
    result = receive(twilio_harness_blocking, example["body"]["data"])
    assert result["payload"]["event"] == example["event"]
    # Twilio publishes an announced action unchanged after an empty object.
    assert result["response"] == {"statusCode": 200, "contentType": "application/json", "body": "{}"}


def test_a_participant_has_the_address_that_binds_them(twilio_harness_blocking: BlockingHarness) -> None:
    parameters = {
        "EventType": "onParticipantAdded",
        "ConversationSid": "CH1",
        "ParticipantSid": "MB1",
        "MessagingBinding.Type": "whatsapp",
        "MessagingBinding.Address": "whatsapp:+447911123456",
        "LastReadMessageIndex": "4",
    }
    event = receive(twilio_harness_blocking, parameters)["payload"]["event"]
    assert event["messagingBinding"] == {
        "type": "whatsapp",
        "address": "whatsapp:+447911123456",
        "proxyAddress": None,
    }
    assert (event["lastReadMessageIndex"], event["body"], event["media"]) == (4, None, [])


def test_a_delivery_that_failed_is_explained(twilio_harness_blocking: BlockingHarness) -> None:
    parameters = {"EventType": "onDeliveryUpdated", "Status": "failed", "ErrorCode": "30003"}
    event = receive(twilio_harness_blocking, parameters)["payload"]["event"]
    assert (event["status"], event["errorCode"]) == ("failed", 30003)
    assert event["errorMeaning"]


@pytest.mark.parametrize("media", ["", "[", "{}", '[1, "x"]', "null"])
def test_a_list_of_files_that_cannot_be_read_is_empty(twilio_harness_blocking: BlockingHarness, media: str) -> None:
    event = receive(twilio_harness_blocking, {"EventType": "onMessageAdded", "Media": media})["payload"]["event"]
    assert event["media"] == []


@pytest.mark.parametrize("parameters", [{"MessageSid": "SM1", "MessageStatus": "sent"}, {"EventType": "READ"}])
def test_a_webhook_of_another_product_is_refused(
    twilio_harness_blocking: BlockingHarness, parameters: dict[str, str]
) -> None:
    with pytest.raises(WebhookRefusedError, match="not an event of Conversations"):
        receive(twilio_harness_blocking, parameters)


def test_a_stranger_is_refused(twilio_harness_blocking: BlockingHarness) -> None:
    with pytest.raises(WebhookRefusedError):
        receive(twilio_harness_blocking, {"EventType": "onMessageAdded"}, auth_token="another")
