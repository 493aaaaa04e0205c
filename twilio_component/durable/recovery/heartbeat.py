"""What a process says of itself, so that people see which processes there are and what they do."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select, update

from twilio_component._version import __version__
from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.store.operator_tables import heartbeats
from twilio_component.durable.store.upsert import insert_once, to_json

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

BEAT_SECONDS = 5.0
LIVING_SECONDS = 60.0
"""A process that was heard so long ago may live: it may be busy, or have lost the database for a moment."""
_DAY = 24 * 3600.0


class Heartbeat:
    """Says every five seconds that this process lives.

    ``load`` tells how many workflows and requests are under way, and ``schedules`` which schedules the process keeps,
    with the digests of their definitions.
    """

    def __init__(
        self,
        database: Database,
        worker_id: str,
        kind: str,
        load: Callable[[], tuple[int, int]],
        schedules: Callable[[], Mapping[str, str]],
    ) -> None:
        self._database = database
        self._worker_id = worker_id
        self._kind = kind
        self._load = load
        self._schedules = schedules

    async def keep_beating(self) -> None:
        """Say so until cancelled."""
        await run_periodically(self.beat, BEAT_SECONDS, "could not say that this process lives; trying again")

    async def beat(self) -> None:
        """Say so now; raises ``StoreUnavailableError``."""
        workflows, requests = self._load()
        schedules = dict(sorted(self._schedules().items()))

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            said = {"heard_at": now, "workflows": workflows, "requests": requests, "schedules": to_json(schedules)}
            own = heartbeats.c.worker_id == self._worker_id
            if connection.execute(update(heartbeats).where(own).values(said)).rowcount:
                return
            about = {
                "worker_id": self._worker_id,
                "kind": self._kind,
                "name": f"{platform.node()}, process {os.getpid()}"[:200],
                "version": __version__,
                "started_at": now,
            }
            insert_once(connection, heartbeats, {**about, **said})
            connection.execute(delete(heartbeats).where(heartbeats.c.heard_at < now - _DAY))

        await self._database.run(work)

    async def schedules_of_others(self) -> Mapping[str, Collection[str]]:
        """The schedules that other living processes keep, by name, each with the digests of their definitions.

        Retries until the database is available.
        """

        def work(connection: Connection) -> dict[str, set[str]]:
            is_living = (heartbeats.c.stopped_at.is_(None), heartbeats.c.worker_id != self._worker_id)
            is_heard = heartbeats.c.heard_at > self._database.now(connection) - LIVING_SECONDS
            found = connection.execute(select(heartbeats.c.schedules).where(*is_living, is_heard)).scalars()
            kept: dict[str, set[str]] = {}
            for said in found:
                for name, digest in json.loads(said or "{}").items():
                    kept.setdefault(name, set()).add(digest)
            return kept

        return await self._database.run_until_available(work)

    async def stop(self) -> None:
        """Say that this process ends in order; raises ``StoreUnavailableError``."""

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            said = {"heard_at": now, "stopped_at": now, "workflows": 0, "requests": 0}
            own = heartbeats.c.worker_id == self._worker_id
            connection.execute(update(heartbeats).where(own).values(said))

        await self._database.run(work)
