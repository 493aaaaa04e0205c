"""Transactions that wait for each other on Postgres."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

_BLOCKED = text("SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")


async def until_blocked(task: asyncio.Task[Any], by: Connection) -> None:
    """Wait until the transaction of this connection blocks another one, or the task is done without."""
    while not (task.done() or by.execute(_BLOCKED).all()):  # noqa: ASYNC110 - only Postgres knows
        await asyncio.sleep(0.02)
