"""The states of a run."""

from __future__ import annotations

from twilio_component.flows.interpreter.ends import FAILED, PARTLY_FAILED, SUCCEEDED, UNKNOWN

__all__ = [
    "CANCELLED",
    "FAILED",
    "HAS_WEBHOOK_RESPONSE",
    "LIST_STOPPED",
    "PARTLY_FAILED",
    "PAUSED",
    "PURGED",
    "QUEUED",
    "RESOLVED",
    "RESUMABLE",
    "RETRIED",
    "RUNNING",
    "STATES",
    "SUCCEEDED",
    "UNKNOWN",
    "UNTOLD",
]

RUNNING = "running"
CANCELLED, PAUSED = "cancelled", "paused"
LIST_STOPPED = "stopped"
"""The state of a run whose list stopped by itself, because the rest would have been refused as well."""
QUEUED = "queued"
"""The state of a run that waits for others of its flow's queue."""
RESUMABLE = (CANCELLED, PAUSED, LIST_STOPPED)
"""States in which a run does nothing until an operator resumes it."""
RESOLVED, RETRIED = "resolved", "retried"
"""States into which an operator brings a run: its unknown outcome is resolved, or another run takes its place."""
PURGED = "purged"
"""The state of a run that is being deleted: nothing can be done with it any more."""
STATES = (
    *(QUEUED, RUNNING, PAUSED, LIST_STOPPED, SUCCEEDED, PARTLY_FAILED, FAILED, UNKNOWN),
    *(CANCELLED, RESOLVED, RETRIED),
)
UNTOLD = "alarm IS NULL AND state IN ('failed', 'partly-failed', 'unknown', 'stopped')"
"""The condition of runs that no alarm has reported yet, as text for their index."""
HAS_WEBHOOK_RESPONSE = "response IS NOT NULL AND substr(id, 1, 4) = 'web-'"
"""The condition of runs with a response to a webhook, for the same; an agent may ask for that of others at any time."""
