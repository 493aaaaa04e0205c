"""Messages: send, get, list, change, delete, estimate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.pagination import collect_pages
from twilio_component.twilio import pages
from twilio_component.twilio.client import client_for
from twilio_component.twilio.pages import LARGEST_PAGE
from twilio_component.twilio.payloads import listed_message, message, message_while_read, resource
from twilio_component.twilio.segments import segment

if TYPE_CHECKING:
    from twilio_component.host.context import Context
    from twilio_component.host.results import Page

# Inputs by Twilio's parameter names, in the order of its documentation.
_PARAMETERS = {
    "to": "To",
    "from": "From",
    "messagingServiceSid": "MessagingServiceSid",
    "message": "Body",
    "mediaUrl": "MediaUrl",
    "contentSid": "ContentSid",
    "contentVariables": "ContentVariables",
    "statusCallback": "StatusCallback",
    "applicationSid": "ApplicationSid",
    "provideFeedback": "ProvideFeedback",
    "attempt": "Attempt",
    "validityPeriod": "ValidityPeriod",
    "forceDelivery": "ForceDelivery",
    "contentRetention": "ContentRetention",
    "addressRetention": "AddressRetention",
    "smartEncoded": "SmartEncoded",
    "persistentAction": "PersistentAction",
    "trafficType": "TrafficType",
    "shortenUrls": "ShortenUrls",
    "sendAt": "SendAt",
    "sendAsMms": "SendAsMms",
    "riskCheck": "RiskCheck",
    "messageIntent": "MessageIntent",
    "fallbackFrom": "FallbackFrom",
}
_FILTERS = {
    "to": "To",
    "from": "From",
    "dateSent": "DateSent",
    # The comparison is part of the parameter's name: on the wire `DateSent>=2026-01-01`.
    "dateSentAfter": "DateSent>",
    "dateSentBefore": "DateSent<",
}


async def send(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Send a message and return it as Twilio accepted it.

    Raises ``TwilioAPIError`` when Twilio refuses it, ``NotSentError`` when nothing was sent, and
    ``OutcomeUnknownError`` when it may have been sent.
    """
    client = client_for(context, inputs["twilioConnection"])
    form = parameters(inputs, _PARAMETERS)
    if "sendAt" in inputs:
        form.append(("ScheduleType", "fixed"))
    return message(await client.call("POST", f"{client.account_path}/Messages.json", form=form))


async def get(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Fetch one message by its SID; raises ``NotFoundError`` when the account has none."""
    client = client_for(context, inputs["twilioConnection"])
    return message(await client.call("GET", f"{client.account_path}/Messages/{inputs['sid']}.json"))


async def delete(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Delete a message from Twilio's records: ``{"sid", "deleted": True}``.

    Deleting twice does no harm, so it is repeated after a lost answer; the second time Twilio knows it no longer, which
    is ``NotFoundError`` also when the first attempt had succeeded. A message still on its way cannot be deleted.
    """
    client = client_for(context, inputs["twilioConnection"])
    await client.call("DELETE", f"{client.account_path}/Messages/{inputs['sid']}.json", idempotent=True)
    return {"sid": inputs["sid"], "deleted": True}


async def redact(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Remove a message's text from Twilio's records and return what is left; doing it twice does no harm."""
    return await _update(context, inputs, ("Body", ""))


async def cancel(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Cancel a scheduled message and return it; raises ``TwilioAPIError`` when it is not scheduled any more.

    It is repeated after a lost answer. When the first attempt had succeeded the second one is refused, since what is
    canceled is not scheduled: `getSMS` then shows the status ``canceled``.
    """
    return await _update(context, inputs, ("Status", "canceled"))


async def _update(context: Context, inputs: Mapping[str, Any], change: tuple[str, str]) -> dict[str, Any]:
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/Messages/{inputs['sid']}.json"
    return message(await client.call("POST", path, form=[change], idempotent=True))


async def send_feedback(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Tell Twilio the outcome of a message: ``{"messageSid", "outcome", …}``."""
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/Messages/{inputs['sid']}/Feedback.json"
    return resource(await client.call("POST", path, form=[("Outcome", inputs["outcome"])], idempotent=True))


async def estimate(_context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a text is billed as: ``{"encoding", "segments", "units", "unitsPerSegment", "unicodeCharacters"}``.

    ``unicodeCharacters`` are those that make it UCS-2, where a segment holds fewer; replacing them makes it cheaper.
    """
    found = segment(inputs["message"])
    return {
        "encoding": found.encoding,
        "segments": found.segments,
        "units": found.units,
        "unitsPerSegment": found.capacity,
        "unicodeCharacters": [*found.unicode_characters],
    }


async def list_page(context: Context, inputs: Mapping[str, Any], after: str | None) -> Page:
    """A page of the messages that pass the filters, newest first; all pages together have ``limit`` at most."""
    client = client_for(context, inputs["twilioConnection"])
    return await pages.list_page(
        client,
        f"{client.account_path}/Messages.json",
        "messages",
        listed_message,
        each=message_while_read,
        after=after,
        params=parameters(inputs, _FILTERS),
        size=inputs.get("pageSize") or LARGEST_PAGE,
        limit=inputs.get("limit"),
    )


list_all = collect_pages(list_page)


def parameters(inputs: Mapping[str, Any], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Inputs as Twilio's form parameters: lists repeated, booleans in lower case, objects as JSON text of texts."""
    form: list[tuple[str, str]] = []
    for name, parameter in names.items():
        if name in inputs:
            value = inputs[name]
            form.extend((parameter, _text(item)) for item in (value if isinstance(value, list) else [value]))
    return form


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        # A content variable that is a number is none to Twilio (21656).
        return json.dumps({name: _text(item) for name, item in value.items()}, ensure_ascii=False)
    return str(value)
