"""The exit codes of the command line, for scripts."""

from __future__ import annotations

from twilio_component.host.errors import HostStateError, IntegrationError, PerformError, PluginError

DONE = 0
FAILED = 1  # Twilio refused the request, or the work failed permanently
BAD_INPUT = 2  # nothing was attempted
OUTCOME_UNKNOWN = 3  # it may have happened: check before you repeat it
TRY_LATER = 4  # it was not processed, and may succeed later without a change
PARTLY_FAILED = 5  # some items of a list failed and some succeeded
BUG = 70
INTERRUPTED = 130


_OF_STATES = {
    "succeeded": DONE,
    "partly-failed": PARTLY_FAILED,
    "failed": FAILED,
    "unknown": OUTCOME_UNKNOWN,
    "stopped": TRY_LATER,
    "paused": TRY_LATER,
    "cancelled": FAILED,
}


def exit_code_of_state(state: str) -> int:
    """Return the exit code for the state of a run or an execution; one that an operator has taken care of is done."""
    return _OF_STATES.get(state, DONE)


def exit_code(error: IntegrationError) -> int:
    """Return the exit code for an error of the tree."""
    if error.may_have_happened:
        return OUTCOME_UNKNOWN
    if error.retryable:
        return TRY_LATER
    return FAILED if isinstance(error, (PerformError, PluginError, HostStateError)) else BAD_INPUT
