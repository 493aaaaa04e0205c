"""What has become of a run, as it is stored."""

RUNNING, SUCCEEDED, FAILED, UNKNOWN = "running", "succeeded", "failed", "unknown"
CANCELLED, PAUSED = "cancelled", "paused"
STOPPED = (CANCELLED, PAUSED)
