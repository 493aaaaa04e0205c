"""What must hold in the very transaction in which a call is claimed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


class ClaimCondition(ABC):
    """What must hold in the transaction that claims a call; its methods are called in a database thread.

    Calls are claimed many at a time, in one transaction. A condition about what the claims of other calls change has a
    ``lock``, so that these are made one after the other: with Postgres it is the key of an advisory lock, a signed
    number of 64 bits. All locks of a transaction are taken in their order, so that two processes never wait for each
    other.
    """

    lock: int | None = None
    is_about_calls = True
    """Whether what became of the calls of the same transaction may decide: it is stored before this is asked."""

    @classmethod  # noqa: B027 - most kinds need to read nothing
    def read(cls, connection: Connection, conditions: Sequence[Self]) -> None:
        """Read what the conditions of this kind need, for all calls of a transaction at once.

        It is called when their runs and calls are locked, before any of them is claimed.
        """

    @abstractmethod
    def holds(self, connection: Connection, now: float) -> bool:
        """Whether the condition holds at the time ``now``, in seconds since 1970."""

    def record(self, connection: Connection, now: float) -> None:  # noqa: B027 - most kinds store nothing
        """Store what the claim changes, in its transaction: called only when the call has been claimed."""
