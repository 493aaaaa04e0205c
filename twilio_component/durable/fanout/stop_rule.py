"""When a list stops by itself: once it is plain that the rest would be refused for the same reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twilio_component.flows.interpreter.iterations import failure_code


class StopRule:
    """Watches how iterations end, in the order in which they do.

    A refusal that concerns the connection stops the list at once: its credentials are wrong, or its account is
    suspended. One that concerns the sender stops it after ``stop_after`` iterations in a row with the same code.
    """

    def __init__(self, stop_after: int) -> None:
        self._stop_after = stop_after
        self._code = ""
        self._in_a_row = 0

    def reason_to_stop(self, error: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Take note of how an iteration ended (None: it succeeded); the error for which the list stops now, if any."""
        concerns = error.get("concerns") if error is not None else None
        if error is None or concerns is None or error["outcomeUnknown"]:
            self._in_a_row = 0
            return None
        code = failure_code(error)
        self._in_a_row = self._in_a_row + 1 if code == self._code else 1
        self._code = code
        return error if concerns == "connection" or self._in_a_row >= self._stop_after else None


def stopped_record(cause: Mapping[str, Any], counts: Mapping[str, Any]) -> dict[str, Any]:
    """The error of a run whose list stopped because of ``cause``; ``counts`` are those of its iterations."""
    code = failure_code(cause)
    message = (
        f"the list stopped by itself: {code} concerns the {cause['concerns']}, so the rest would be refused too. "
        "When the cause is gone, resume the run: it tries the items that are pending"
    )
    by_code = {**counts["failed"], **({"outcome-unknown": counts["unknown"]} if counts["unknown"] else {})}
    return {
        "step": cause["step"],
        "id": cause["id"],
        "code": "list-stopped",
        "reason": code,
        "message": message,
        "outcomeUnknown": False,
        "byCode": by_code,
    }
