"""What the workflow engine logs of runs that were stopped or have moved: nothing, since we say it ourselves.

Nor what it could not do any more while its process ended: another process takes that over.
"""

from __future__ import annotations

import logging

from dbos import error

_STOPPED = (error.DBOSAwaitedWorkflowCancelledError, error.DBOSWorkflowCancelledError)
_SAID = (
    "was cancelled during execution",
    "outcome was not recorded: the workflow is no longer owned",
    "Asyncio task cancelled for workflow or step",
    "Workflow already exists in queue",  # a run that waited as a row, which its process continues itself
)
_ENDED = (
    "System database accessed before DBOS was launched",  # by what it does at the start, when it ends meanwhile
    "cannot schedule new futures after shutdown",
)


def silence_stops() -> None:
    """Let the engine's logger drop what it says of workflows that were cancelled or left, tracebacks included."""
    logging.getLogger("dbos").addFilter(_is_worth_saying)  # a filter is added once


def _is_worth_saying(record: logging.LogRecord) -> bool:
    raised = record.exc_info[1] if record.exc_info else None
    if isinstance(raised, _STOPPED) or any(ended in str(raised) for ended in _ENDED):
        return False
    return not any(said in record.getMessage() for said in _SAID)
