"""Errors of the durable engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twilio_component.host.errors import IntegrationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

Recheck = Callable[["Connection", float], float | None]
"""``(connection, now)`` to the time until which a call is held at the latest, or None when it is held no more."""


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
    """The call must wait for longer than a moment, and with it the run, as a row, or the iteration.

    ``until`` is when it can continue, in seconds since 1970; None when that is not known. Where it may continue sooner
    there is a ``recheck``. ``kind`` says what holds it.
    """

    def __init__(self, kind: str, until: float | None, recheck: Recheck | None = None) -> None:
        super().__init__(kind, until)
        self.kind = kind
        self.until = until
        self.recheck = recheck


class ResultOvertaken(BaseException):
    """The execution of an iteration was told a result that was not stored, since the call has another: replay it."""


class EngineDraining(BaseException):
    """The process is stopping; leave the run as it is stored, for another process to continue."""
