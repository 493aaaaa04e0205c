"""The states of a run."""

RUNNING, SUCCEEDED, FAILED, UNKNOWN = "running", "succeeded", "failed", "unknown"
CANCELLED, PAUSED = "cancelled", "paused"
STOPPED = (CANCELLED, PAUSED)
"""States in which a run does nothing until an operator resumes it."""
