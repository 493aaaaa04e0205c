"""The states of a run."""

RUNNING, SUCCEEDED, FAILED, UNKNOWN = "running", "succeeded", "failed", "unknown"
CANCELLED, PAUSED = "cancelled", "paused"
QUEUED = "queued"
"""The state of a run that waits for others of its flow's queue."""
STOPPED = (CANCELLED, PAUSED)
"""States in which a run does nothing until an operator resumes it."""
