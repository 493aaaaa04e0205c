"""Counts the requests that flows refuse, by reason, and stores the counts for operators."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, update

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.store.operator_tables import refused_webhooks
from twilio_component.durable.store.upsert import insert_once

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

_STORE_SECONDS = 5.0
_KEPT_HOURS = 7 * 24


class RefusedRequests:
    """Counts in memory, since strangers make these requests, and stores the counts every few seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, path: str, reason: str) -> None:
        """Count a request for the flow at ``path``, one of those that are served; ``reason`` is an error's code."""
        self._counts[path[:300], reason[:60]] += 1

    @asynccontextmanager
    async def storing(self) -> AsyncIterator[None]:
        """Store the counts for the length of the block, and at its end."""
        trouble = "could not store the counts of refused webhooks; trying again"
        task = asyncio.create_task(run_periodically(self.store, _STORE_SECONDS, trouble))
        try:
            yield
        finally:
            task.cancel()
            await self.store()

    async def store(self) -> None:
        """Store what has been counted since the last time. While the database is away, the counts wait."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            await self._database.run(lambda connection: _add(connection, counts, self._database.now(connection)))
        except StoreUnavailableError:
            self._counts.update(counts)


def _add(connection: Connection, counts: Counter[tuple[str, str]], now: float) -> None:
    hour = int(now // 3600)
    for (path, reason), count in sorted(counts.items()):
        key = {"path": path, "reason": reason, "hour": hour}
        insert_once(connection, refused_webhooks, {**key, "count": 0, "last_at": now})
        of_key = (refused_webhooks.c.path == path, refused_webhooks.c.reason == reason, refused_webhooks.c.hour == hour)
        more = refused_webhooks.c.count + count
        connection.execute(update(refused_webhooks).where(*of_key).values(count=more, last_at=now))
    connection.execute(delete(refused_webhooks).where(refused_webhooks.c.hour < hour - _KEPT_HOURS))
