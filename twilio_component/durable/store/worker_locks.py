"""The advisory lock of Postgres that a process holds as long as it lives."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LOCKS = text("SELECT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted")


def worker_lock(worker_id: str) -> int:
    """Return the number of the lock of the process with this id."""
    return int.from_bytes(hashlib.sha256(f"flow worker {worker_id}".encode()).digest()[:8], "big", signed=True)


def held_locks(connection: Connection) -> set[int]:
    """Return the numbers of all advisory locks that are held in the Postgres database."""
    return set(connection.execute(_LOCKS).scalars())
