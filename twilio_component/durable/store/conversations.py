"""The lock of a conversation: what concerns it has an order in all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

if TYPE_CHECKING:
    from sqlalchemy import Connection


def lock_conversation(connection: Connection, conversation: str) -> None:
    """Lock a conversation, by its digest, until the end of the transaction."""
    if connection.dialect.name != "sqlite":  # there a transaction is alone anyway
        connection.execute(select(func.pg_advisory_xact_lock(int(conversation[:15], 16))))
