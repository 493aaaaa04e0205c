"""When a list stops by itself: once it is plain that the rest would be refused for the same reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twilio_component.flows.interpreter.iterations import failure_code

LIST_STOPPED = "list-stopped"
"""The code of a list that has stopped by itself."""


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


def stop_reason(cause: Mapping[str, Any]) -> str:
    """Return why the list stopped, in a sentence that may go on."""
    code = failure_code(cause)
    return f"the list stopped by itself: {code} concerns the {cause['concerns']}, so the rest would be refused too"
