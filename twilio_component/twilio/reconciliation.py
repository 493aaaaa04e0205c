"""What Twilio's list of messages says about a send whose response was lost."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.results import Candidate
from twilio_component.twilio.client import client_for
from twilio_component.twilio.payloads import message

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_PAGE = 50
_LOGGER = logging.getLogger("twilio_component.twilio")


async def sent_messages(context: Context, inputs: Mapping[str, Any], since: dt.datetime) -> list[Candidate]:
    """Return the messages to the recipient that were sent through the API since then, the newest first.

    ``since`` is by the clock of this machine; how far Twilio's is behind it, the list's response tells.

    The list is filtered by ``To`` alone: a queued message has no date of sending, and a service's message may have no
    sender yet. Twilio may change a body, so a candidate whose text differs is returned too, as not equal.
    """
    client = client_for(context, inputs["twilioConnection"])
    params = [("To", inputs["to"]), ("PageSize", str(_PAGE))]
    found: list[Candidate] = []
    client.clock_difference.expire()
    async for page in client.pages(f"{client.account_path}/Messages.json", "messages", params):
        if client.clock_difference.warning:
            _LOGGER.warning("%s: what was sent is looked for by its date", client.clock_difference.warning)
        # Where Twilio's clock is behind, its dates are earlier. Where it is ahead nothing is shifted: a proxy may have
        # written the date, and then the message would be missed. Twilio gives whole seconds.
        earliest = since - dt.timedelta(seconds=1 - min(0.0, client.clock_difference.least))
        for resource in page:
            sent = message(resource)
            # The list is ordered by the date of sending: an older message that was scheduled for now stands first.
            if dt.datetime.fromisoformat(sent["dateSent"] or sent["dateCreated"]) < earliest:
                return _newest_first(found)
            if dt.datetime.fromisoformat(sent["dateCreated"]) < earliest:
                continue
            if str(sent["direction"]).startswith("outbound-api"):
                found.append(Candidate(id=sent["sid"], data=sent, equal=_is_equal(sent, inputs)))
    return _newest_first(found)


def _newest_first(found: list[Candidate]) -> list[Candidate]:
    """Sort by the date of creation; messages of one second stay in the list's order."""
    return sorted(found, key=lambda one: dt.datetime.fromisoformat(one.data["dateCreated"]), reverse=True)


def distinguishing_features(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the list shows of the message that the accepted inputs send: two calls with equal ones look alike."""
    service = inputs.get("messagingServiceSid")
    return {
        "to": inputs.get("to"),
        "sender": inputs.get("from") if service is None else service,
        "text": inputs.get("message", ""),
        "media": len(inputs.get("mediaUrl", [])),
        "content": inputs.get("contentSid"),
    }


def _is_equal(sent: Mapping[str, Any], inputs: Mapping[str, Any]) -> bool:
    """Whether the message looks exactly like the one that the inputs would send."""
    if "contentSid" in inputs or sent["body"] != inputs.get("message", ""):
        return False  # only Twilio knows a template's text
    if sent["numMedia"] not in (None, str(len(inputs.get("mediaUrl", [])))):
        return False
    service = inputs.get("messagingServiceSid")
    if service != sent["messagingServiceSid"]:
        return False
    return service is not None or sent["from"] == inputs["from"]
