"""Processes that share a Postgres database: who is alive, and who goes on with the runs of the dead.

Each process holds a session-level advisory lock as long as it lives and the database can hear it; the server
releases it when the connection is gone. Whoever gets the lock of another process may take over its runs.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, create_engine, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.store.database import connect_arguments
from twilio_component.durable.store.schema import workers

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

BEAT_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_LOGGER = logging.getLogger("twilio_component.durable")
_Found = TypeVar("_Found")


class WorkerLease:
    """This process among others. ``worker_id`` names it; ``recover`` goes on with the runs of a dead one."""

    def __init__(self, database: Database, worker_id: str, recover: Callable[[str], Awaitable[None]]) -> None:
        self._boot = worker_id
        self._recover = recover
        self._engine = create_engine(
            database.engine.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args=connect_arguments(database.engine.url),
        )
        # One thread: the lock belongs to one connection, and a connection to one thread at a time.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="membership")
        self._connection: Connection | None = None
        self._heard_at = float("-inf")
        self._beating: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Whether the lock was ours a moment ago: only then may this process write requests."""
        return time.monotonic() - self._heard_at < _ANSWER_SECONDS

    async def join(self) -> None:
        """Take the lock and keep it from now on; raises ``StoreUnavailableError``."""
        try:
            await self._on_thread(self._acquire)
        except SQLAlchemyError:
            raise StoreUnavailableError("the database does not answer") from None
        self._beating = asyncio.create_task(self._keep_beating())

    async def leave(self) -> None:
        """Give the lock back: what is left may be gone on with by others."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        self._heard_at = float("-inf")
        await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown()

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self._on_thread(self._beat)
                await self._look_after_others()
            except (SQLAlchemyError, TimeoutError, StoreUnavailableError) as error:
                _LOGGER.warning("the database does not answer (%s); nothing is sent meanwhile", type(error).__name__)
            except Exception:
                _LOGGER.exception("the runs of another process could not be taken over; trying again")

    async def _look_after_others(self) -> None:
        for other in await self._on_thread(self._others):
            if await self._on_thread(lambda connection, other=other: _try_lock(connection, other)):  # type: ignore[misc]
                _LOGGER.warning("process %s is gone; going on with its runs", other)
                try:
                    await self._recover(other)
                    await self._on_thread(lambda connection, other=other: _forget(connection, other))  # type: ignore[misc]
                finally:
                    await self._on_thread(lambda connection, other=other: _unlock(connection, other))  # type: ignore[misc]

    async def _on_thread(self, work: Callable[[Connection], _Found]) -> _Found:
        def done() -> _Found:
            if self._connection is None:
                self._connection = self._engine.connect()
            try:
                return work(self._connection)
            except SQLAlchemyError:
                self._let_go()  # and with it the lock, if the server has not taken it already
                raise

        running = asyncio.get_running_loop().run_in_executor(self._thread, done)
        return await asyncio.wait_for(asyncio.shield(running), _ANSWER_SECONDS)

    def _acquire(self, connection: Connection) -> None:
        begun = time.monotonic()
        if not _try_lock(connection, self._boot):
            raise SQLAlchemyError("another process is taking over our runs at this moment")
        known = select(workers.c.worker_id).where(workers.c.worker_id == self._boot)
        if connection.execute(known).one_or_none() is None:
            connection.execute(insert(workers).values(worker_id=self._boot))
        self._heard_at = begun

    def _beat(self, connection: Connection) -> None:
        if self._heard_at == float("-inf"):
            self._acquire(connection)
            _LOGGER.warning("the database answers again")
            return
        begun = time.monotonic()
        connection.execute(select(1))
        self._heard_at = begun

    def _others(self, connection: Connection) -> list[str]:
        return list(connection.execute(select(workers.c.worker_id).where(workers.c.worker_id != self._boot)).scalars())

    def _let_go(self) -> None:
        self._heard_at = float("-inf")
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def _key(worker_id: str) -> int:
    return int.from_bytes(hashlib.sha256(f"flow worker {worker_id}".encode()).digest()[:8], "big", signed=True)


def _try_lock(connection: Connection, worker_id: str) -> bool:
    return bool(connection.execute(select(func.pg_try_advisory_lock(_key(worker_id)))).scalar_one())


def _unlock(connection: Connection, worker_id: str) -> None:
    connection.execute(select(func.pg_advisory_unlock(_key(worker_id))))


def _forget(connection: Connection, worker_id: str) -> None:
    connection.execute(delete(workers).where(workers.c.worker_id == worker_id))
