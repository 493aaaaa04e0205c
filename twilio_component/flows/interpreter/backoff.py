"""How long an execution waits before it tries again, and when a call comes too late to be made at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.model import LONGEST_DELAY

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Call


def delay_before(attempt: int, delay: float, *, growing: bool) -> float:
    """How many seconds to wait before the given attempt, of which the second is the first to wait.

    A growing delay doubles each time; none is longer than a week.
    """
    return min(delay * 2.0 ** (min(attempt, 64) - 2), LONGEST_DELAY) if growing else min(delay, LONGEST_DELAY)


def deadline_failure(call: Call, age: float) -> Failure | None:
    """The failure for a call past its ``validFor``, or None; ``age`` is that of its execution, in seconds.

    A call that is only repeated (``since``) started in time.
    """
    if call.valid_for is None or call.since is not None or age <= call.valid_for:
        return None
    message = f"it did not start within {call.valid_for:g} s of its execution's start (validFor), so it does not run"
    return Failure(code="deadline-exceeded", message=message, permanent=True)
