"""How executions end: the one word for it, and the error that goes with the word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.interpreter.state import failure_record

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Done

SUCCEEDED, PARTLY_FAILED, FAILED, UNKNOWN = "succeeded", "partly-failed", "failed", "unknown"
ITEMS_FAILED = "items-failed"
"""The code of the error of an execution whose steps all succeeded, but not all iterations of its loops."""


def end_of(done: Done) -> tuple[str, Mapping[str, Any] | None]:
    """The state in which an execution has ended, and its error.

    An unknown outcome counts first, also where the flow has handled it, since an operator must learn of it.
    Iterations that failed make it ``partly-failed``, or ``failed`` when no iteration succeeded; the error then has the
    counts of the iterations by ``byCode``.
    """
    unknown = next((error for error in (done.error, *done.handled) if error and error["outcomeUnknown"]), None)
    if unknown is not None:
        return UNKNOWN, done.error or unknown
    if done.error is not None:
        return FAILED, done.error
    counts = done.iterations
    if counts is None or not counts["failed"]:
        return SUCCEEDED, None
    loop = next((error for error in done.handled if error["code"] == ITEMS_FAILED), {"step": "", "id": ""})
    failure = Failure(code=ITEMS_FAILED, message=failed_items(counts))
    error = {**failure_record(loop["step"], loop["id"], failure), "byCode": dict(counts["byCode"])}
    return PARTLY_FAILED if counts["succeeded"] else FAILED, error


def failed_items(counts: Mapping[str, Any]) -> str:
    """``3 of 40 iterations failed (21610: 2, 21211: 1)``, of counts as a loop returns them."""
    codes = ", ".join(f"{code}: {count:,}" for code, count in counts["byCode"].items())
    total = counts["succeeded"] + counts["failed"] + counts["unknown"]
    return f"{counts['failed']:,} of {total:,} iterations failed ({codes})"
