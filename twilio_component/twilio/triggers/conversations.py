"""The trigger ``conversationEvent``: a verified webhook of Twilio Conversations, with the event that it reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.results import Result
from twilio_component.twilio.signatures.verification import WebhookRefusedError
from twilio_component.twilio.triggers.webhook import receive
from twilio_component.twilio.triggers.webhook_parameters import WebhookParameters

if TYPE_CHECKING:
    from twilio_component.host.context import Context

# Twilio publishes the action unchanged after a response without values; an event after the action ignores it.
_RESPONSE = {"statusCode": 200, "contentType": "application/json", "body": "{}"}
_MAX_MEDIA = 10


async def receive_event(context: Context, payload: Mapping[str, Any], inputs: Mapping[str, Any]) -> Result:
    """Verify the request, add ``event`` to the payload, and respond with an empty JSON object.

    ``event`` is described by `schemas/conversation-event.schema.json`; a value that Twilio did not send is null. The
    response lets Twilio publish the action that a webhook before it announces, unchanged. Raises
    ``WebhookRefusedError`` for a request that is not provably Twilio's, and for one of another product.
    """
    received = await receive(context, payload, inputs)
    parameters = WebhookParameters(received)
    event_type = parameters.text("EventType")
    if event_type is None or not event_type.startswith("on"):
        raise WebhookRefusedError(
            "Refused: this request of Twilio's is not an event of Conversations. Give this URL to Conversations, as a "
            "webhook of the account, of a conversation service or of one conversation."
        )
    return Result(value={**received, "event": _event(event_type, parameters)}, response=_RESPONSE)


def _event(event_type: str, parameters: WebhookParameters) -> dict[str, Any]:
    text = parameters.text
    binding = {
        "type": text("MessagingBinding.Type"),
        "address": text("MessagingBinding.Address"),
        "proxyAddress": text("MessagingBinding.ProxyAddress"),
    }
    return {
        "eventType": event_type,
        "accountSid": text("AccountSid"),
        "chatServiceSid": text("ChatServiceSid"),
        "conversationSid": text("ConversationSid"),
        "messageSid": text("MessageSid"),
        "participantSid": text("ParticipantSid"),
        "userSid": text("UserSid"),
        "messagingServiceSid": text("MessagingServiceSid"),
        "source": text("Source"),
        "clientIdentity": text("ClientIdentity"),
        "retryCount": parameters.integer("RetryCount"),
        "author": text("Author"),
        "body": text("Body"),
        "index": parameters.integer("Index"),
        "media": _media(parameters.json("Media")),
        "attributes": parameters.json("Attributes"),
        "identity": text("Identity"),
        "roleSid": text("RoleSid"),
        "messagingBinding": parameters.group(binding),
        "lastReadMessageIndex": parameters.integer("LastReadMessageIndex"),
        "friendlyName": text("FriendlyName"),
        "uniqueName": text("UniqueName"),
        "state": text("State"),
        "stateFrom": text("StateFrom"),
        "stateTo": text("StateTo"),
        "reason": text("Reason"),
        "deliveryReceiptSid": text("DeliveryReceiptSid"),
        "channelMessageSid": text("ChannelMessageSid"),
        "status": text("Status"),
        **parameters.error(),
        "dateCreated": text("DateCreated"),
        "dateUpdated": text("DateUpdated"),
        "dateRemoved": text("DateRemoved"),
    }


def _media(files: Any) -> list[dict[str, Any]]:
    """The files of a message, which Twilio lists as JSON."""
    listed = [one for one in files if isinstance(one, Mapping)] if isinstance(files, list) else []
    return [
        {
            "sid": _text(one.get("Sid")),
            "contentType": _text(one.get("ContentType")),
            "fileName": _text(one.get("Filename")),
            "size": one["Size"] if isinstance(one.get("Size"), int) else None,
        }
        for one in listed[:_MAX_MEDIA]
    ]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
