"""What a process says of itself, so that people see which processes there are and what they do."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, update

from twilio_component._version import __version__
from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.store.operator_tables import heartbeats
from twilio_component.durable.store.upsert import insert_once

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

BEAT_SECONDS = 5.0
_DAY = 24 * 3600.0


class Heartbeat:
    """Says every five seconds that this process lives. ``load`` tells how many workflows and requests are under way."""

    def __init__(self, database: Database, worker_id: str, kind: str, load: Callable[[], tuple[int, int]]) -> None:
        self._database = database
        self._worker_id = worker_id
        self._kind = kind
        self._load = load

    async def keep_beating(self) -> None:
        """Say so until cancelled."""
        await run_periodically(self.beat, BEAT_SECONDS, "could not say that this process lives; trying again")

    async def beat(self) -> None:
        """Say so now; raises ``StoreUnavailableError``."""
        workflows, requests = self._load()

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            said = {"heard_at": now, "workflows": workflows, "requests": requests}
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

    async def stop(self) -> None:
        """Say that this process ends in order; raises ``StoreUnavailableError``."""

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            said = {"heard_at": now, "stopped_at": now, "workflows": 0, "requests": 0}
            own = heartbeats.c.worker_id == self._worker_id
            connection.execute(update(heartbeats).where(own).values(said))

        await self._database.run(work)
