"""Which event a webhook of Twilio's reports: what retries, the fallback URL and replays have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from twilio_component.host.events import EventIdentity
from twilio_component.host.serialization import from_buffer
from twilio_component.twilio.signatures.verification import SIGNATURE_HEADER, normalize_headers

_DELIVERY_HEADER = "i-twilio-idempotency-token"
# The fallback URL gets the parameters of the failed request and these two.
_OF_FALLBACK = ("ErrorCode", "ErrorUrl")
_OF_MESSAGES = ("MessageSid", "MessageStatus", "SmsStatus", "ErrorCode")
_OF_CONVERSATIONS = ("EventType", "ConversationSid", "MessageSid", "ParticipantSid", "UserSid", "DeliveryReceiptSid")
# With one of these, what happens many times to the same resource is told apart.
_OF_CHANGES = ("Status", "StateTo", "DateUpdated")


def identify_event(payload: Mapping[str, Any]) -> EventIdentity:
    """Return the identity of the event in a verified payload.

    An event has a key where Twilio's parameters name it: a message with its status, or what was added to or removed
    from a conversation. Any other is known by its parameters and Twilio's idempotency token.
    """
    parameters = _parameters(payload)
    headers = dict(normalize_headers(payload.get("headers") or {}))
    url, method = str(payload.get("invokeUrl") or ""), str(payload.get("method") or "POST")
    body = from_buffer((payload.get("rawBody") or {}).get("data") or b"")
    unsigned = hashlib.sha256(f"{method}\0{url}\0".encode("utf-8", "surrogatepass") + body).hexdigest()
    if "ErrorUrl" in parameters:
        parameters = {name: value for name, value in parameters.items() if name not in _OF_FALLBACK}
    content = sorted(parameters.items()) if parameters else unsigned
    return EventIdentity(
        key=_key(parameters),
        content=[url.partition("?")[0] if method == "GET" else url, content],
        signature=headers.get(SIGNATURE_HEADER.lower()) or unsigned,
        delivery=headers.get(_DELIVERY_HEADER, ""),
    )


def _parameters(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    data = (payload.get("body") or {}).get("data")
    return data if isinstance(data, Mapping) else payload.get("queryParameters") or {}


def _key(parameters: Mapping[str, Any]) -> Sequence[Any] | None:
    event_type = parameters.get("EventType")
    if event_type:
        ids = [parameters.get(name) for name in _OF_CONVERSATIONS]
        changes = [parameters.get(name) for name in _OF_CHANGES]
        is_once = str(event_type).endswith(("Added", "Removed"))
        return [*ids, *changes] if any(ids[1:]) and (is_once or any(changes)) else None
    return [parameters.get(name) for name in _OF_MESSAGES] if parameters.get("MessageSid") else None
