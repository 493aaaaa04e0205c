"""``concurrency`` of a loop and ``validFor`` of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.host.manifest.documents import PathParts

MAX_CONCURRENCY = 1_000
_LONGEST = 30 * 24 * 3600


def read_concurrency(findings: Findings, raw: Mapping[str, Any], operation: str, at: PathParts) -> int | None:
    """How many iterations of a loop may run concurrently; None when they run one after the other."""
    value, place = raw.get("concurrency"), (*at, "concurrency")
    if value is None:
        return None
    if operation not in control_steps.LOOPS:
        findings.add(
            "invalid-limit", place, f"concurrency is only allowed on loops; {operation} is not a loop", key=True
        )
    elif isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_CONCURRENCY:
        findings.add("invalid-limit", place, f"concurrency must be a whole number from 1 to {MAX_CONCURRENCY:,}")
    else:
        return value
    return None


def read_valid_for(findings: Findings, raw: Mapping[str, Any], at: PathParts) -> float | None:
    """The number of seconds after which a step of an execution must not start; None without such a limit."""
    value, place = raw.get("validFor"), (*at, "validFor")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _LONGEST:
        findings.add("invalid-limit", place, f"validFor must be a number of seconds, at most {_LONGEST:,}")
        return None
    return float(value)
