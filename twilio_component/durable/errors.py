"""Errors of the durable engine."""

from __future__ import annotations

from twilio_component.host.errors import IntegrationError


class DurableError(IntegrationError):
    """The durable engine cannot do what it was asked to; the message says why."""

    code = "durable"


class StoreUnavailableError(DurableError):
    """The database is unavailable. As far as this process knows nothing has been changed; try again later."""

    code = "store-unavailable"
    retryable = True


class StoreBusyError(StoreUnavailableError):
    """The database is busy with another transaction that did not end in time; try again later."""

    code = "store-busy"


class UnknownRunError(DurableError):
    """The run does not exist, or has been purged."""

    code = "run-unknown"


class RunStateError(DurableError):
    """The run is not in a state in which the operation is possible."""

    code = "run-state"


class NondeterminismError(DurableError):
    """Replay diverged from the recorded run, because its config variables changed."""

    code = "run-nondeterministic"


class StateConflictError(DurableError):
    """The state that a trigger was shown has changed in the meantime. Nothing is stored; ask the trigger again."""

    code = "state-conflict"


class RunStopped(BaseException):
    """The run has been paused or cancelled; leave it as it is stored."""


class RunParked(BaseException):
    """The run waits as a row, without a process; an event or a time has it executed again."""


class CallHeld(BaseException):
    """The call of an iteration must wait, and the iteration with it: others may go on in its place.

    ``until`` is when it can go on, in seconds since 1970.
    """

    def __init__(self, until: float) -> None:
        super().__init__(until)
        self.until = until


class EngineDraining(BaseException):
    """The process is stopping; leave the run as it is stored, for another process to continue."""
