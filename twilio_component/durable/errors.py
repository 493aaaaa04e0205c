"""What can go wrong with durable runs, below the host's ``IntegrationError``."""

from __future__ import annotations

from twilio_component.host.errors import IntegrationError


class DurableError(IntegrationError):
    """A durable engine that cannot do what it is asked to; the text says why."""

    code = "durable"


class StoreUnavailableError(DurableError):
    """The database does not answer. What was asked for has not happened, as far as this process knows; try later."""

    code = "store-unavailable"
    retryable = True


class StoreBusyError(StoreUnavailableError):
    """Something else that is under way in the database has to end first, and did not; try later."""

    code = "store-busy"


class UnknownRunError(DurableError):
    """A run that does not exist, or has been purged."""

    code = "run-unknown"


class RunStateError(DurableError):
    """A run that is not in the state that what was asked for needs."""

    code = "run-state"


class RunStopped(BaseException):
    """The run has been paused or cancelled: whatever carries out a part of it is to leave it as it is stored."""


class NondeterminismError(DurableError):
    """A run that would go another way than it went before its process died: its config variables have changed."""

    code = "run-nondeterministic"


class StateConflictError(DurableError):
    """What a trigger was shown of the states has changed in the meantime; nothing is stored, and it is asked again."""

    code = "state-conflict"
