"""What the command line's exit codes say to a script."""

from __future__ import annotations

from twilio_component.host.errors import IntegrationError, PerformError

DONE = 0
FAILED = 1  # Twilio refused, or the work failed for good
BAD_INPUT = 2  # nothing was attempted
OUTCOME_UNKNOWN = 3  # it may have happened: look before you repeat it
TRY_LATER = 4  # it did not happen, and may succeed later without a change
BUG = 70
INTERRUPTED = 130


def exit_code(error: IntegrationError) -> int:
    """The exit code for an error of the tree."""
    if not isinstance(error, PerformError):
        return BAD_INPUT
    if error.may_have_happened:
        return OUTCOME_UNKNOWN
    return TRY_LATER if error.retryable else FAILED
