"""The triggers ``inboundMessage`` and ``statusCallback``: verified webhooks, with the message's data beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.results import Result
from twilio_component.twilio.error_codes import explain
from twilio_component.twilio.inputs.addresses import CHANNELS
from twilio_component.twilio.message_status import FINAL, PROGRESS
from twilio_component.twilio.signatures.verification import WebhookRefusedError
from twilio_component.twilio.triggers.webhook import receive
from twilio_component.twilio.twiml import CONTENT_TYPE, messaging_response

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_STATE = "statusCallback"
_MAX_REMEMBERED = 1_000
_MAX_MEDIA = 10
_MAX_CODE_DIGITS = 6
_PLACES = ("City", "State", "Zip", "Country")


async def receive_inbound(context: Context, payload: Mapping[str, Any], inputs: Mapping[str, Any]) -> Result:
    """Verify the request, add ``message`` to the payload, and respond with TwiML: the reply in the inputs, if any.

    ``message`` has messageSid, accountSid, messagingServiceSid, from, to, channel (``sms``, ``whatsapp`` …), body,
    media (``[{"url", "contentType"}]``), optOutType, fromCity … toCountry, profileName, waId and buttonText; null for
    what Twilio did not send. Raises ``WebhookRefusedError`` also for another request of Twilio's.
    """
    received = await receive(context, payload, inputs)
    data = _parameters(received)
    if "MessageSid" not in data or "From" not in data or "MessageStatus" in data:
        raise WebhookRefusedError(
            "Refused: this request of Twilio's is not an incoming message. Give this URL to a phone number or a "
            "messaging service as the one for incoming messages."
        )
    reply = messaging_response(inputs.get("replyMessage"), inputs.get("replyMediaUrl", ()))
    return Result(value={**received, "message": _inbound(data)}, response=_response(reply))


async def receive_status(context: Context, payload: Mapping[str, Any], inputs: Mapping[str, Any]) -> Result:
    """Verify the request, add ``status`` to the payload, and respond with empty TwiML.

    ``status`` has messageSid, accountSid, from, to, status, errorCode (a number or null), errorMeaning and
    errorRemedy (from the catalogue), final (no other follows, except ``read`` after ``delivered``) and stale (a later
    status of the message was received before). Raises ``WebhookRefusedError`` also for another request of Twilio's.
    """
    received = await receive(context, payload, inputs)
    data = _parameters(received)
    status = _one(data, "MessageStatus") or _one(data, "SmsStatus")
    sid = _one(data, "MessageSid") or _one(data, "SmsSid")
    if sid is None or status is None or status in ("received", "receiving"):
        raise WebhookRefusedError(
            "Refused: this request of Twilio's is not a status callback. Give this URL as statusCallback when a "
            "message is sent, or to the messaging service."
        )
    seen: dict[str, int] = dict(context.instance_state.get(_STATE) or {})
    # A status that precedes an earlier one is late. An unknown status (Twilio may add one) never is.
    progress = PROGRESS.get(status, seen.get(sid, 0))
    stale = progress < seen.get(sid, -1)
    # The latest message goes to the end, so that the one without news for longest is forgotten first.
    seen[sid] = max(progress, seen.pop(sid, progress))
    while len(seen) > _MAX_REMEMBERED:
        del seen[next(iter(seen))]
    details = {"status": status, **_status(data, sid), "final": status in FINAL, "stale": stale}
    state = {_STATE: seen}
    return Result(value={**received, "status": details}, instance_state=state, response=_response(messaging_response()))


def _inbound(data: Mapping[str, Any]) -> dict[str, Any]:
    sender = _one(data, "From") or ""
    channel = sender.partition(":")[0]
    count = _one(data, "NumMedia") or "0"
    media = range(min(int(count), _MAX_MEDIA) if count.isascii() and count.isdigit() and len(count) <= 2 else 0)  # noqa: PLR2004 - digits
    places = {f"{side.lower()}{place}": _one(data, f"{side}{place}") for side in ("From", "To") for place in _PLACES}
    return {
        "messageSid": _one(data, "MessageSid"),
        "accountSid": _one(data, "AccountSid"),
        "messagingServiceSid": _one(data, "MessagingServiceSid"),
        "from": sender,
        "to": _one(data, "To"),
        "channel": channel if channel in CHANNELS else "sms",
        "body": _one(data, "Body") or "",
        "media": [
            {"url": _one(data, f"MediaUrl{index}"), "contentType": _one(data, f"MediaContentType{index}")}
            for index in media
        ],
        "optOutType": _one(data, "OptOutType"),
        **places,
        "profileName": _one(data, "ProfileName"),
        "waId": _one(data, "WaId"),
        "buttonText": _one(data, "ButtonText"),
    }


def _status(data: Mapping[str, Any], sid: str) -> dict[str, Any]:
    code = _one(data, "ErrorCode")
    explanation = explain(code)
    return {
        "messageSid": sid,
        "accountSid": _one(data, "AccountSid"),
        "from": _one(data, "From"),
        "to": _one(data, "To"),
        "errorCode": int(code)
        if code and code.isascii() and code.isdigit() and len(code) <= _MAX_CODE_DIGITS
        else code,
        "errorMeaning": explanation.meaning if explanation else None,
        "errorRemedy": explanation.remedy if explanation else None,
    }


def _number_or_text(code: str | None) -> int | str | None:
    is_number = code is not None and code.isascii() and code.isdigit() and len(code) <= _MAX_CODE_DIGITS
    return int(code) if code is not None and is_number else code


def _parameters(received: Mapping[str, Any]) -> Mapping[str, Any]:
    """Twilio's parameters: those of the form, or of the query of a GET."""
    data = received["body"].get("data")
    found = data if isinstance(data, Mapping) else received.get("queryParameters")
    return found or {}


def _one(data: Mapping[str, Any], name: str) -> str | None:
    """A parameter's value, or the first of several; None when it is absent or blank."""
    value = data.get(name)
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, str) and first else None


def _response(twiml: str) -> dict[str, Any]:
    return {"statusCode": 200, "contentType": CONTENT_TYPE, "body": twiml}
