"""What the control API lets the outside world do: somebody writes, or another product of Twilio's sends a webhook."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, cast

from twilio_component.emulator.control.arguments import (
    REQUIRED_TEXT,
    account_of,
    bytes_of,
    named_account,
    read_arguments,
)
from twilio_component.emulator.control.views import message_view
from twilio_component.emulator.messaging.conversation_events import conversation_parameters
from twilio_component.emulator.messaging.inbound import failure_of_webhook, has_webhook, receive
from twilio_component.emulator.webhooks.sender import Webhook

if TYPE_CHECKING:
    from twilio_component.emulator.messaging.channel_details import ChannelDetails
    from twilio_component.emulator.state import EmulatorState
    from twilio_component.emulator.webhooks.parameters import Parameters

_LOGGER = logging.getLogger(__name__)
_NO_WEBHOOK = (
    "no webhook is configured for the number, so no application was notified; POST /_emulator/numbers sets one"
)
_DETAILS = {
    "profileName": "profile_name",
    "button": "button",
    "listItem": "list_item",
    "location": "location",
    "repliedTo": "replied_to",
    "referral": "referral",
    "forwarded": "forwarded",
    "frequentlyForwarded": "frequently_forwarded",
}


async def receive_message(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Let somebody write; returns the message when the application has responded, with a warning if it did not.

    With ``wait`` false the message is returned at once.
    """
    media = [_file(one) for one in wanted.get("media", [])]
    account = named_account(state, wanted, "accountSid")
    message = await receive(
        state,
        to=wanted["to"],
        sender=wanted["from"],
        body=wanted.get("body", ""),
        media=media,
        account=account,
        parameters=wanted.get("parameters"),
        waits=wanted.get("wait", True),
        **_details(wanted),
    )
    if has_webhook(state, wanted["to"], account):
        failed = failure_of_webhook(state, message)
        return message_view(message) | ({"warning": f"the application did not take it: {failed}"} if failed else {})
    _LOGGER.warning("an inbound message reached no application: no webhook is configured for its number")
    return {**message_view(message), "warning": _NO_WEBHOOK}


def _file(given: Any) -> tuple[str, bytes]:
    """Return a file as (content type, bytes)."""
    if not isinstance(given, dict):
        raise TypeError('media has objects, such as {"contentType": "image/png", "content": "iVBO…"} in base64')
    read = read_arguments("a file", {"contentType": REQUIRED_TEXT, "content": REQUIRED_TEXT}, given)
    return read["contentType"], bytes_of(read["content"])


def _details(wanted: dict[str, Any]) -> ChannelDetails:
    """Return what an inbound message has beside its text; keys are camelCase in JSON."""
    details: dict[str, Any] = {python: wanted[key] for key, python in _DETAILS.items() if key in wanted}
    if isinstance(details.get("referral"), dict):
        details["referral"] = {_snake_case(key): value for key, value in details["referral"].items()}
    return cast("ChannelDetails", details)


def _snake_case(name: str) -> str:
    return re.sub(r"([A-Z])", lambda letter: f"_{letter[1].lower()}", name)


async def send_webhook(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Send an event, of Conversations where an ``eventType`` is given."""
    account = account_of(state, wanted)
    parameters = {str(name): str(value) for name, value in wanted.get("parameters", {}).items()}
    event_type = wanted.get("eventType")
    if event_type is None:
        event: Parameters = tuple(parameters.items())
    else:
        event = conversation_parameters(account, str(event_type), state.clock.now(), parameters)
    url, method = wanted["url"], wanted.get("method", "POST").upper()
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"url has to begin with http:// or https://, not {url!r}")
    if method not in ("GET", "POST"):
        raise ValueError(f"method has to be GET or POST, not {method!r}")
    webhook = Webhook.of_event(account.sid, url, method, event)
    return (await state.webhooks.send(webhook)).representation()
