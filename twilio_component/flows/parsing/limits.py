"""``concurrency`` of a loop and ``validFor`` of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.host.manifest.documents import PathParts

MOST_CONCURRENT = 1_000
_LONGEST = 30 * 24 * 3600


def read_concurrency(findings: Findings, raw: Mapping[str, Any], operation: str, at: PathParts) -> int | None:
    """How many rounds of a loop may run side by side; None when they run one after the other."""
    value, place = raw.get("concurrency"), (*at, "concurrency")
    if value is None:
        return None
    if operation not in control_steps.LOOPS:
        findings.add("invalid-limit", place, f"{operation} is no loop, so it has no concurrency", key=True)
    elif isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_CONCURRENT:
        findings.add("invalid-limit", place, f"concurrency must be a whole number from 1 to {MOST_CONCURRENT:,}")
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
