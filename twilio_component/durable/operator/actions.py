"""What an operator can do with a run, by its state."""

from __future__ import annotations

from twilio_component.durable.store import run_status

PAUSE, RESUME, CANCEL, RELEASE = "pause", "resume", "cancel", "release"
RETRY, RESEND, RESOLVE = "retry", "resend", "resolve"
_ACTIONS = {
    run_status.QUEUED: (PAUSE, CANCEL),
    run_status.RUNNING: (PAUSE, RELEASE, CANCEL),
    run_status.PAUSED: (RESUME, CANCEL),
    run_status.LIST_STOPPED: (RESUME, RETRY, CANCEL),
    run_status.CANCELLED: (RESUME,),
    run_status.PARTLY_FAILED: (RETRY,),
    run_status.FAILED: (RETRY,),
    run_status.UNKNOWN: (RESOLVE, RESEND),
}


def actions_for(state: str) -> list[str]:
    """The actions that ``Operations`` allows in this state; ``resend`` is a retry that sends again."""
    return list(_ACTIONS.get(state, ()))
