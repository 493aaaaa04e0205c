"""A database for the simulation: SQLite in memory carries out the statements, a virtual network carries them there.

All processes share it. Each transaction happens at one instant; the way there and back takes time, and the commit's
confirmation may be lost on it. It stands for Postgres with synchronous commits: what it has confirmed is never lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from simulation import workflows
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from twilio_component.durable.clock import Clock
from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.schema import metadata

if TYPE_CHECKING:
    from random import Random

    from simulation.loop import SimulatedLoop

_Found = TypeVar("_Found")


@cache
def _engine() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    for one in (metadata, workflows.metadata):
        one.create_all(engine)
    return engine


@cache
def _emptying() -> str:
    tables = [workflows.workflow_status, *reversed(metadata.sorted_tables)]
    return ";".join(f"DELETE FROM {table.name}" for table in tables)  # noqa: S608 - names of ours


class Server:
    """The database server. ``is_away`` lets every transaction fail; ``losses`` is how likely a confirmation is lost.

    ``slow`` is how likely a way to it or from it takes up to ``slowest`` seconds, as when a lock is waited for.
    """

    def __init__(self, loop: SimulatedLoop, random: Random) -> None:
        self.loop = loop
        self.random = random
        self.is_away = False
        self.losses = 0.0
        self.slow = 0.0
        self.slowest = 0.0
        self.stepped = 0.0
        self.engine = _engine()
        connection = self.engine.raw_connection()
        connection.executescript(_emptying())  # one call: as many as there are tables would take as long as the seed
        connection.close()

    def now(self) -> float:
        """Return the server's time, which may step."""
        return 1_000_000.0 + self.loop.time() + self.stepped

    def way(self) -> float:
        """Return how long the way to the server or from it takes now."""
        if self.slow and self.random.random() < self.slow:
            return self.random.uniform(0.0, self.slowest)
        return self.random.uniform(0.0, 0.02)

    def transaction(self, work: Callable[[Connection], _Found]) -> _Found:
        """Carry out ``work`` at this instant."""
        with self.engine.begin() as connection:
            return work(connection)


class SimulatedClock(Clock):
    """The virtual time of the loop."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def now(self) -> float:
        return self._server.now()

    def wall(self) -> float:
        return 1_000_000.0 + self._server.loop.time()

    def monotonic(self) -> float:
        return self._server.loop.time()

    def jitter(self) -> float:
        return self._server.random.random()


class SimulatedDatabase(Database):
    """One process's way to the server."""

    def __init__(self, server: Server) -> None:
        self.is_sqlite = False
        self.url = "postgresql://simulated"
        self._server = server
        self.clock = SimulatedClock(server)
        self.engine = self._request_engine = server.engine
        self._run_threads = self._request_threads = self._patient_threads = None  # type: ignore[assignment]
        self._patient = 0

    def now(self, _connection: Connection) -> float:
        return self._server.now()

    async def _perform(self, work: Callable[[Connection], _Found], _threads: Any, _engine: Any) -> _Found:
        server = self._server
        await asyncio.sleep(server.way())
        if server.is_away:
            raise StoreUnavailableError("the database is unavailable (simulated)")
        found = server.transaction(work)
        is_lost = server.random.random() < server.losses
        await asyncio.sleep(server.way())
        if is_lost:
            raise StoreUnavailableError("the connection was lost after the commit (simulated)")
        return found
