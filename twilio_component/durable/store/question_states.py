"""The states of a question, and for how long its replies may be late."""

QUEUED, OPEN, CLOSED, REFUSED = "queued", "open", "closed", "refused"
FAILED = "failed"
"""The outcome of a question that could not be sent, and whose step has failed."""
LATE_SECONDS = 7 * 24 * 3600.0
"""For how long after its deadline a question that keeps late replies takes them."""
