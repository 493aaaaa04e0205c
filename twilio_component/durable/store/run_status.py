"""The states of a run."""

RUNNING, SUCCEEDED, FAILED, UNKNOWN = "running", "succeeded", "failed", "unknown"
CANCELLED, PAUSED = "cancelled", "paused"
QUEUED = "queued"
"""The state of a run that waits for others of its flow's queue."""
STOPPED = (CANCELLED, PAUSED)
"""States in which a run does nothing until an operator resumes it."""
RESOLVED, RETRIED = "resolved", "retried"
"""States into which an operator brings a run: its unknown outcome is resolved, or another run takes its place."""
STATES = (QUEUED, RUNNING, PAUSED, SUCCEEDED, FAILED, UNKNOWN, CANCELLED, RESOLVED, RETRIED)
