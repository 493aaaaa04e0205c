"""Waits for the final status of a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.results import PollAgain
from twilio_component.twilio.client import client_for
from twilio_component.twilio.errors import DeliveryPendingError
from twilio_component.twilio.message_status import FINAL, PROGRESS
from twilio_component.twilio.payloads import message

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_FIRST_PAUSE, _USUAL_PAUSE, _LONGEST_PAUSE = 1.0, 15.0, 300.0


async def wait(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any] | PollAgain:
    """Return the message when its status is final (or ``sent``, where that is enough), else when to poll again.

    The caller has to look whether it was delivered. Raises ``DeliveryPendingError`` when ``timeoutSeconds``, requests
    included, are over, and ``NotFoundError`` for a message that does not exist.
    """
    client, started = client_for(context, inputs["twilioConnection"]), context.resources.clock()
    found = message(await client.call("GET", f"{client.account_path}/Messages/{inputs['sid']}.json"))
    enough = inputs["acceptSent"] and PROGRESS.get(found["status"], 0) >= PROGRESS["sent"]
    if enough or found["status"] in FINAL:
        return found
    waited = context.waited + context.resources.clock() - started
    left = inputs["timeoutSeconds"] - waited
    if left <= 0:
        raise DeliveryPendingError(
            f"after {inputs['timeoutSeconds']} s the message is still {found['status']}; wait longer, or listen to its "
            "status callback"
        )
    return PollAgain(min(_pause(waited), left))


def _pause(waited: float) -> float:
    """Seconds until the next poll: doubling at first; after minutes, a change is seen a twentieth of the time late."""
    longest = max(_USUAL_PAUSE, min(waited / 20, _LONGEST_PAUSE))
    return max(_FIRST_PAUSE, min(waited, longest))
