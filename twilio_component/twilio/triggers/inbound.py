"""The trigger ``inboundMessage``: a verified webhook, with the message that it reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.results import Result
from twilio_component.twilio.inputs.media import find_media
from twilio_component.twilio.signatures.verification import WebhookRefusedError
from twilio_component.twilio.triggers.webhook import receive
from twilio_component.twilio.triggers.webhook_parameters import WebhookParameters, channel_of
from twilio_component.twilio.twiml import messaging_response, response_of

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_MAX_MEDIA = 10
_IMPLAUSIBLE_COUNT = 100
_PLACES = ("City", "State", "Zip", "Country")


async def receive_inbound(context: Context, payload: Mapping[str, Any], inputs: Mapping[str, Any]) -> Result:
    """Verify the request, add ``message`` to the payload, and respond with TwiML: the reply in the inputs, if any.

    ``message`` is described by `schemas/inbound-message.schema.json`; a value that Twilio did not send is null. Raises
    ``WebhookRefusedError`` for a request that is not provably Twilio's, and for another request of Twilio's.
    """
    received = await receive(context, payload, inputs)
    parameters = WebhookParameters(received)
    if "MessageSid" not in parameters or "From" not in parameters or "MessageStatus" in parameters:
        raise WebhookRefusedError(
            "Refused: this request of Twilio's is not an incoming message. Give this URL to a phone number or a "
            "messaging service as the one for incoming messages."
        )
    reply = messaging_response(inputs.get("replyMessage"), inputs.get("replyMediaUrl", ()))
    return Result(value={**received, "message": message_of(parameters)}, response=response_of(reply))


def reply_from_list(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message of Twilio's list in the form of ``message_of``; the list knows no buttons, places or names."""
    names = {
        "MessageSid": "sid",
        "AccountSid": "accountSid",
        "MessagingServiceSid": "messagingServiceSid",
        "From": "from",
        "To": "to",
        "Body": "body",
        "NumSegments": "numSegments",
    }
    return message_of(WebhookParameters({"body": {"data": {name: message[key] for name, key in names.items()}}}))


def message_of(parameters: WebhookParameters) -> dict[str, Any]:
    """Return the message that a webhook reports, as `schemas/inbound-message.schema.json` describes it."""
    text = parameters.text
    places = {f"{side.lower()}{place}": text(f"{side}{place}") for side in ("From", "To") for place in _PLACES}
    return {
        "messageSid": text("MessageSid"),
        "accountSid": text("AccountSid"),
        "messagingServiceSid": text("MessagingServiceSid"),
        "from": text("From") or "",
        "to": text("To"),
        "channel": channel_of(text("From"), text("To")),
        "messageType": text("MessageType"),
        "body": text("Body") or "",
        "numSegments": parameters.integer("NumSegments"),
        "media": _media(parameters),
        "optOutType": text("OptOutType"),
        **places,
        "profileName": text("ProfileName"),
        "waId": text("WaId"),
        "externalUserId": text("ExternalUserId"),
        "buttonText": text("ButtonText"),
        "buttonPayload": text("ButtonPayload"),
        "listId": text("ListId"),
        "listTitle": text("ListTitle"),
        "interactiveData": parameters.json("InteractiveData"),
        "location": _location(parameters),
        "repliedTo": parameters.group(
            {"messageSid": text("OriginalRepliedMessageSid"), "sender": text("OriginalRepliedMessageSender")}
        ),
        "referral": _referral(parameters),
        "forwarded": parameters.boolean("Forwarded") or False,
        "frequentlyForwarded": parameters.boolean("FrequentlyForwarded") or False,
        "channelMetadata": parameters.json("ChannelMetadata"),
    }


def _media(parameters: WebhookParameters) -> list[dict[str, Any]]:
    """The message's files, each with what ``downloadMedia`` needs."""
    files = []
    count = parameters.integer("NumMedia") or 0
    for index in range(min(count, _MAX_MEDIA) if count < _IMPLAUSIBLE_COUNT else 0):
        url = parameters.text(f"MediaUrl{index}")
        path = find_media(url or "")
        files.append(
            {
                "sid": path.media_sid if path else None,
                "messageSid": path.message_sid if path else parameters.text("MessageSid"),
                "url": url,
                "contentType": parameters.text(f"MediaContentType{index}"),
                "fileName": parameters.text(f"MediaFileName{index}") or parameters.text(f"MediaFilename{index}"),
            }
        )
    return files


def _location(parameters: WebhookParameters) -> dict[str, Any] | None:
    return parameters.group(
        {
            "latitude": parameters.decimal("Latitude"),
            "longitude": parameters.decimal("Longitude"),
            "address": parameters.text("Address"),
            "label": parameters.text("Label"),
        }
    )


def _referral(parameters: WebhookParameters) -> dict[str, Any] | None:
    """The advertisement that led the sender to write."""
    text = parameters.text
    return parameters.group(
        {
            "body": text("ReferralBody"),
            "headline": text("ReferralHeadline"),
            "sourceId": text("ReferralSourceId"),
            "sourceType": text("ReferralSourceType"),
            "sourceUrl": text("ReferralSourceUrl"),
            "mediaId": text("ReferralMediaId"),
            "mediaUrl": text("ReferralMediaUrl"),
            "mediaContentType": text("ReferralMediaContentType"),
            "numMedia": parameters.integer("ReferralNumMedia"),
            "ctwaClid": text("ReferralCtwaClid"),
        }
    )
