"""What an operator can do with a run, by its state: for ``Operations``, the command line and the page alike."""

from __future__ import annotations

from twilio_component.durable.store import run_status

PAUSE, RESUME, CANCEL, RELEASE = "pause", "resume", "cancel", "release"
RETRY, RESEND, RESOLVE = "retry", "resend", "resolve"

ALLOWED = {
    PAUSE: (run_status.QUEUED, run_status.RUNNING),
    RELEASE: (run_status.RUNNING,),
    RESUME: run_status.RESUMABLE,
    RESOLVE: (run_status.UNKNOWN,),
    RETRY: (run_status.FAILED, run_status.PARTLY_FAILED, run_status.LIST_STOPPED),
    RESEND: (run_status.UNKNOWN,),
    CANCEL: (run_status.QUEUED, run_status.RUNNING, run_status.PAUSED, run_status.LIST_STOPPED),
}
"""The states in which each action is allowed. ``resend`` is a retry that sends again; people see this order."""


def actions_for(state: str) -> list[str]:
    """The actions that are allowed in this state."""
    return [action for action, states in ALLOWED.items() if state in states]
