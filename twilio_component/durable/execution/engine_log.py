"""What the workflow engine logs of runs that an operator has stopped: nothing, since we say it ourselves."""

from __future__ import annotations

import logging

from dbos import error

_STOPPED = (error.DBOSAwaitedWorkflowCancelledError, error.DBOSWorkflowCancelledError)
_CANCELLED = "was cancelled during execution"


def silence_stops() -> None:
    """Let the engine's logger drop what it says of workflows that were cancelled, tracebacks included."""
    logging.getLogger("dbos").addFilter(_is_worth_saying)  # a filter is added once


def _is_worth_saying(record: logging.LogRecord) -> bool:
    raised = record.exc_info[1] if record.exc_info else None
    return not isinstance(raised, _STOPPED) and _CANCELLED not in record.getMessage()
