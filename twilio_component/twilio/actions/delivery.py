"""Waiting for what becomes of a message."""

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
    """The message as soon as its status is final (or ``sent``, where that is enough); until then, to be asked again.

    Whether it was delivered is for the caller to see. Raises ``DeliveryPendingError`` when the time is over, which
    includes that of requests, and ``NotFoundError`` for a message that does not exist.
    """
    client, begun = client_for(context, inputs["twilioConnection"]), context.resources.clock()
    found = message(await client.call("GET", f"{client.account_path}/Messages/{inputs['sid']}.json"))
    enough = inputs["acceptSent"] and PROGRESS.get(found["status"], 0) >= PROGRESS["sent"]
    if enough or found["status"] in FINAL:
        return found
    waited = context.waited + context.resources.clock() - begun
    left = inputs["timeoutSeconds"] - waited
    if left <= 0:
        raise DeliveryPendingError(
            f"after {inputs['timeoutSeconds']} s the message is still {found['status']}; wait longer, or listen to its "
            "status callback"
        )
    return PollAgain(min(_pause(waited), left))


def _pause(waited: float) -> float:
    """Twice as long each time at first; what takes longer than minutes is seen a twentieth of that time late."""
    longest = max(_USUAL_PAUSE, min(waited / 20, _LONGEST_PAUSE))
    return max(_FIRST_PAUSE, min(waited, longest))
