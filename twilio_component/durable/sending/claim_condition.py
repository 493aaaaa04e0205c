"""What must hold in the very transaction in which a call is claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection


class ClaimCondition(Protocol):
    """What must hold in the transaction that claims a call; both methods are called in a database thread."""

    def clause(self, connection: Connection, now: float) -> ColumnElement[bool]:
        """The condition in SQL, at the time ``now`` in seconds since 1970; it may lock rows that it is about."""

    def record(self, connection: Connection, now: float) -> None:
        """Store what the claim changes, in its transaction: called only when the call has been claimed."""


@runtime_checkable
class Locking(Protocol):
    """A condition that is about what claims of other calls change: they are made one after the other.

    With Postgres ``lock`` is the key of the advisory lock for that. All locks of a transaction are taken in their
    order, so that two processes never wait for each other.
    """

    @property
    def lock(self) -> int:
        """A signed number of 64 bits."""
