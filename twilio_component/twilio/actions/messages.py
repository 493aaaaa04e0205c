"""Messages: send, get, list, redact, cancel, delete, segmentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.pagination import collect_pages
from twilio_component.twilio import pages
from twilio_component.twilio.client import client_for
from twilio_component.twilio.pages import MAX_PAGE_SIZE
from twilio_component.twilio.parameters import parameters
from twilio_component.twilio.payloads import listed_message, message, message_hook, resource
from twilio_component.twilio.segments import segment, smart_encode

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
    """Delete a message from Twilio's records and return ``{"sid", "deleted": True}``.

    Deleting twice does no harm, so it is repeated after a lost response. Raises ``NotFoundError`` when the message does
    not exist, also when an earlier attempt deleted it. A message that is still being sent cannot be deleted.
    """
    client = client_for(context, inputs["twilioConnection"])
    await client.call("DELETE", f"{client.account_path}/Messages/{inputs['sid']}.json", idempotent=True)
    return {"sid": inputs["sid"], "deleted": True}


async def redact(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Remove a message's text from Twilio's records and return the message; doing it twice does no harm."""
    return await _update(context, inputs, ("Body", ""))


async def cancel(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Cancel a scheduled message and return it; raises ``TwilioAPIError`` when it is no longer scheduled.

    It is repeated after a lost response. When the first attempt succeeded, Twilio refuses the second, because the
    message is no longer scheduled: `getSMS` then shows the status ``canceled``.
    """
    return await _update(context, inputs, ("Status", "canceled"))


async def _update(context: Context, inputs: Mapping[str, Any], change: tuple[str, str]) -> dict[str, Any]:
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/Messages/{inputs['sid']}.json"
    return message(await client.call("POST", path, form=[change], idempotent=True))


async def send_feedback(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Report the outcome of a message to Twilio and return ``{"messageSid", "outcome", …}``."""
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/Messages/{inputs['sid']}/Feedback.json"
    return resource(await client.call("POST", path, form=[("Outcome", inputs["outcome"])], idempotent=True))


async def estimate(_context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a text is billed: ``{"encoding", "segments", "units", "unitsPerSegment", …}``.

    ``unicodeCharacters`` are those that force UCS-2, whose segments hold fewer; replacing them makes it cheaper.
    ``replacedCharacters`` are those that Smart Encoding replaces, with ``smartEncoded``.
    """
    given = inputs["message"]
    text = smart_encode(given) if inputs["smartEncoded"] else given
    segmentation = segment(text)
    return {
        "encoding": segmentation.encoding,
        "segments": segmentation.segments,
        "units": segmentation.units,
        "unitsPerSegment": segmentation.capacity,
        "unicodeCharacters": [*segmentation.unicode_characters],
        "replacedCharacters": [one for one in dict.fromkeys(given) if one not in text],
    }


async def list_page(context: Context, inputs: Mapping[str, Any], after: str | None) -> Page:
    """Return a page of the messages that pass the filters; all pages together have ``limit`` messages at most."""
    client = client_for(context, inputs["twilioConnection"])
    return await pages.list_page(
        client,
        f"{client.account_path}/Messages.json",
        "messages",
        listed_message,
        object_hook=message_hook,
        after=after,
        params=parameters(inputs, _FILTERS),
        size=inputs.get("pageSize") or MAX_PAGE_SIZE,
        limit=inputs.get("limit"),
    )


list_all = collect_pages(list_page)
