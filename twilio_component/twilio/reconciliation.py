"""Was it sent? What Twilio's list of messages says about a send whose answer was lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.results import Candidate
from twilio_component.twilio.client import client_for
from twilio_component.twilio.payloads import message

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_PAGE = 50


async def sent_messages(context: Context, inputs: Mapping[str, Any], since: dt.datetime) -> list[Candidate]:
    """The messages to the recipient that were sent through the API since then, the newest first.

    The list is asked by ``To`` alone: a queued message has no date of sending, and a service's message may have no
    sender yet. A body may be changed by Twilio, so a candidate whose text differs is reported too, as not equal.
    """
    client = client_for(context, inputs["twilioConnection"])
    asked = [("To", inputs["to"]), ("PageSize", str(_PAGE))]
    found: list[Candidate] = []
    async for page in client.pages(f"{client.account_path}/Messages.json", "messages", asked):
        for resource in page:
            sent = message(resource)
            # Twilio gives whole seconds: a message of this second may look older than it is.
            if dt.datetime.fromisoformat(sent["dateCreated"]) < since - dt.timedelta(seconds=1):
                return found
            if str(sent["direction"]).startswith("outbound-api"):
                found.append(Candidate(id=sent["sid"], data=sent, equal=_is_equal(sent, inputs)))
    return found


def _is_equal(sent: Mapping[str, Any], inputs: Mapping[str, Any]) -> bool:
    """Whether nothing tells the message from the one that would have been sent."""
    if "contentSid" in inputs or sent["body"] != inputs.get("message", ""):
        return False  # a template's text is known to Twilio alone
    if sent["numMedia"] not in (None, str(len(inputs.get("mediaUrl", [])))):
        return False
    service = inputs.get("messagingServiceSid")
    if service != sent["messagingServiceSid"]:
        return False
    return service is not None or sent["from"] == inputs["from"]
