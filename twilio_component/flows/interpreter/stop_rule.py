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
        if error is None or not (concerns_connection(error) or concerns_sender(error)):
            self._in_a_row = 0
            return None
        code = failure_code(error)
        self._in_a_row = self._in_a_row + 1 if code == self._code else 1
        self._code = code
        return error if concerns_connection(error) or self._in_a_row >= self._stop_after else None


def concerns_connection(error: Mapping[str, Any]) -> bool:
    """Whether an iteration was refused for its connection: its credentials are wrong, or its account is suspended."""
    return error.get("concerns") == "connection" and not error["outcomeUnknown"]


def concerns_sender(error: Mapping[str, Any]) -> bool:
    """Whether an iteration was refused for its sender."""
    return error.get("concerns") == "sender" and not error["outcomeUnknown"]


def stop_reason(cause: Mapping[str, Any]) -> str:
    """Return why the list stopped, in a sentence that may continue."""
    code = failure_code(cause)
    return f"the list stopped by itself: {code} concerns the {cause['concerns']}, so the rest would be refused too"
