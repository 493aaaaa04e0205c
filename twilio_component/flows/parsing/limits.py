"""``concurrency`` of a loop and ``validFor`` of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps
from twilio_component.flows.interpreter.effects import Failure

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.host.manifest.documents import PathParts

MOST_SIDE_BY_SIDE = 1_000
_LONGEST = 30 * 24 * 3600


def read_concurrency(findings: Findings, raw: Mapping[str, Any], operation: str, at: PathParts) -> int | None:
    """How many rounds of a loop may run side by side; None when they run one after the other."""
    value, place = raw.get("concurrency"), (*at, "concurrency")
    if value is None:
        return None
    if operation not in control_steps.LOOPS:
        findings.add("invalid-limit", place, f"{operation} is no loop, so it has no concurrency", key=True)
    elif isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_SIDE_BY_SIDE:
        findings.add("invalid-limit", place, f"concurrency must be a whole number from 1 to {MOST_SIDE_BY_SIDE:,}")
    else:
        return value
    return None


def read_valid_for(findings: Findings, raw: Mapping[str, Any], at: PathParts) -> float | None:
    """After how many seconds of its execution a step is not begun any more; None when that does not matter."""
    value, place = raw.get("validFor"), (*at, "validFor")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _LONGEST:
        findings.add("invalid-limit", place, f"validFor must be a number of seconds, at most {_LONGEST:,}")
        return None
    return float(value)


def too_late(call: Call, age: float) -> Failure | None:
    """Why a call of an execution that is so many seconds old is not to be begun any more, if that is so.

    One that is only asked again has begun before.
    """
    if call.valid_for is None or call.since is not None or age <= call.valid_for:
        return None
    message = f"it was not begun within {call.valid_for:g} s of its execution (validFor), so it is not done any more"
    return Failure(code="too-late", message=message, permanent=True)
