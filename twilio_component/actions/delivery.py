"""Waiting for what becomes of a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.client import client_for
from twilio_component.errors import StillUnderWayError
from twilio_component.message_status import FINAL, PROGRESS
from twilio_component.payloads import message

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 15.0


async def wait(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The message as soon as its status is final (or ``sent``, where that is enough).

    Whether it was delivered is for the caller to see. Raises ``StillUnderWayError`` when the time is over, and
    ``NotFoundError`` for a message that does not exist.
    """
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/Messages/{inputs['sid']}.json"
    left, pause = float(inputs["timeoutSeconds"]), _FIRST_PAUSE
    while True:
        found = message(await client.call("GET", path))
        enough = inputs["acceptSent"] and PROGRESS.get(found["status"], 0) >= PROGRESS["sent"]
        if enough or found["status"] in FINAL:
            return found
        if left <= 0:
            raise StillUnderWayError(
                f"after {inputs['timeoutSeconds']} s the message is still {found['status']}; wait longer, or listen to "
                "its status callback"
            )
        await context.resources.sleep(min(pause, left))
        left -= pause
        pause = min(2 * pause, _LONGEST_PAUSE)
