"""``concurrency`` of a loop, ``validFor`` and ``order`` of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps
from twilio_component.flows.parsing.send_rules import report_to
from twilio_component.flows.send_order import SendOrder
from twilio_component.flows.send_rules import unknown_keys
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.send_rules import Report
    from twilio_component.host.manifest.documents import PathParts

MAX_CONCURRENCY = 1_000
_LONGEST = 30 * 24 * 3600
_LONGEST_ORDER = 3600
_CONVERSATION = "conversation"
_FORMS = "conversation, or {by: conversation, after: delivery, atMost: 60}"
_AFTER = ("request", "delivery")


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


def order_from(value: Any, report: Report) -> SendOrder | None:
    """The order that ``conversation``, or an object with ``by``, ``after`` and ``atMost``, says.

    None when something is wrong, all of which is reported.
    """
    if value == _CONVERSATION:
        return SendOrder()
    if not isinstance(value, Mapping):
        report((), f"must be {_FORMS}")
        return None
    is_right = not unknown_keys(value, ("by", "after", "atMost"), report)
    if value.get("by") != _CONVERSATION:
        report(("by",) if "by" in value else (), f"must be {_CONVERSATION if 'by' in value else _FORMS}")
        is_right = False
    if value.get("after", _AFTER[0]) not in _AFTER:
        report(("after",), f"must be {join_names(_AFTER, word='or')}")
        is_right = False
    seconds = value.get("atMost", SendOrder().seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= _LONGEST_ORDER:
        report(("atMost",), f"must be a number of seconds, at most {_LONGEST_ORDER:,}")
        is_right = False
    if not is_right:
        return None
    return SendOrder(after_delivery=value.get("after") == _AFTER[1], seconds=float(seconds))


def read_order(findings: Findings, raw: Mapping[str, Any], at: PathParts) -> SendOrder | None:
    """The order in a conversation that a step keeps; None for a step that keeps none."""
    value, place = raw.get("order"), (*at, "order")
    if value is None:
        return None
    order = order_from(value, report_to(findings, "invalid-limit", place))
    if order is None:
        return None
    if raw.get("isTrigger") is True and isinstance(value, Mapping):
        message = "the order of a trigger is conversation; after and atMost are for steps that send"
        findings.add("invalid-limit", place, message)
        return None
    return order
