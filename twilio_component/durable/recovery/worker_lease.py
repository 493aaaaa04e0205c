"""Processes that share a Postgres database: which are alive, and which one recovers the runs of the dead.

Each process holds a session-level advisory lock as long as it lives and the database can hear it; the server releases
the lock when the connection is gone. A process that gets the lock of another one may recover its runs.

The heartbeat has its own thread, so that a busy event loop cannot delay it.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, create_engine, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.store.database import connect_arguments
from twilio_component.durable.store.schema import workers
from twilio_component.durable.store.worker_locks import worker_lock
from twilio_component.durable.store.workflow_rows import pending_executors
from twilio_component.durable.task_ends import end_tasks

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

BEAT_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_LOGGER = logging.getLogger("twilio_component.durable")
_Found = TypeVar("_Found")

Recover = Callable[[str], Awaitable[None]]
"""Enqueues again the runs of the dead worker with this id."""


class WorkerLease:
    """The lease of this process, which ``worker_id`` names; ``versions`` are those of the runs that it can continue."""

    def __init__(self, database: Database, worker_id: str, versions: Collection[str]) -> None:
        self._worker_id = worker_id
        self._versions = versions
        self._engine = create_engine(
            database.engine.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args=connect_arguments(database.engine.url),
        )
        # One thread: the lock belongs to one connection, and a connection to one thread at a time.
        self._requests: queue.SimpleQueue[tuple[Callable[[Connection], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="worker-lease", daemon=True)
        self._stopped: Future[None] = Future()
        self._connection: Connection | None = None
        self._heard_at = float("-inf")
        self._recovering: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Whether the lock was ours a moment ago: only then may this process write requests."""
        return time.monotonic() - self._heard_at < _ANSWER_SECONDS

    @property
    def age(self) -> float:
        """Seconds since the lock was certainly ours; infinite while this process has none."""
        return time.monotonic() - self._heard_at

    async def join(self) -> None:
        """Take the lock and keep it from now on; raises ``StoreUnavailableError``."""
        self._thread.start()
        try:
            await self._on_thread(self._acquire)
        except (SQLAlchemyError, TimeoutError):
            self._requests.put(None)
            raise StoreUnavailableError("the database is unavailable") from None

    def recover_others(self, recover: Recover) -> None:
        """From now on recover the runs of processes that have died."""
        self._recovering = asyncio.create_task(self._keep_recovering(recover))

    async def stop_recovering(self) -> None:
        """Recover no runs any more; the lock is kept until ``leave``."""
        if self._recovering is not None:
            await end_tasks([self._recovering])

    async def leave(self) -> None:
        """Release the lock: another process may recover what this one leaves."""
        await self.stop_recovering()
        self._requests.put(None)
        # Not by a thread of the event loop's: DBOS has closed that pool.
        await asyncio.wrap_future(self._stopped)

    async def _keep_recovering(self, recover: Recover) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self._recover_dead(recover)
            except (SQLAlchemyError, TimeoutError, StoreUnavailableError) as error:
                _LOGGER.warning("dead processes cannot be found now (%s); trying again", type(error).__name__)
            except Exception:
                _LOGGER.exception("the runs of another process could not be recovered; trying again")

    async def _recover_dead(self, recover: Recover) -> None:
        for other in await self._on_thread(self._others):
            if await self._lock_other(other):
                _LOGGER.warning("process %s is gone; recovering its runs", other)
                try:
                    await recover(other)
                    await self._on_thread(partial(_forget, worker_id=other))
                finally:
                    await self._on_thread(partial(_unlock, worker_id=other))

    async def _lock_other(self, other: str) -> bool:
        try:
            return await self._on_thread(partial(_try_lock, worker_id=other))
        except (TimeoutError, asyncio.CancelledError):
            # The lock may yet be taken: a process that was only frozen must get it when it wakes.
            self._requests.put((partial(_unlock, worker_id=other), Future()))
            raise

    async def _on_thread(self, work: Callable[[Connection], _Found]) -> _Found:
        future: Future[_Found] = Future()
        self._requests.put((work, future))
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await asyncio.shield(asyncio.wrap_future(future))

    # On the thread

    def _serve(self) -> None:
        try:
            self._serve_until_stopped()
        finally:
            self._heard_at = float("-inf")
            self._stopped.set_result(None)

    def _serve_until_stopped(self) -> None:
        next_beat = time.monotonic() + BEAT_SECONDS
        while True:
            try:
                request = self._requests.get(timeout=max(0.0, next_beat - time.monotonic()))
            except queue.Empty:
                self._beat()
                next_beat = time.monotonic() + BEAT_SECONDS
                continue
            if request is None:
                self._disconnect()
                return
            work, future = request
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._with_connection(work))
            except Exception as error:  # noqa: BLE001 - the caller must know
                future.set_exception(error)

    def _beat(self) -> None:
        try:
            if self._heard_at == float("-inf"):
                self._with_connection(self._acquire)
                _LOGGER.warning("the database is available again")
                return
            begun = time.monotonic()
            self._with_connection(lambda connection: connection.execute(select(1)))
            self._heard_at = begun
        except SQLAlchemyError as error:
            _LOGGER.warning("the database is unavailable (%s); nothing is sent meanwhile", type(error).__name__)
        except Exception:
            self._connection = None  # with the next beat there is another one
            _LOGGER.exception("the lease could not be renewed; trying again")

    def _with_connection(self, work: Callable[[Connection], _Found]) -> _Found:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            return work(self._connection)
        except SQLAlchemyError:
            self._disconnect()  # and with it the lock, if the server has not released it already
            raise

    def _acquire(self, connection: Connection) -> None:
        begun = time.monotonic()
        if not _try_lock(connection, self._worker_id):
            raise SQLAlchemyError("another process is recovering our runs at this moment")
        known = select(workers.c.worker_id).where(workers.c.worker_id == self._worker_id)
        if connection.execute(known).one_or_none() is None:
            connection.execute(insert(workers).values(worker_id=self._worker_id))
        self._heard_at = begun

    def _others(self, connection: Connection) -> list[str]:
        """Every other worker that may have runs: a process that woke up after it was recovered has no row."""
        known = set(connection.execute(select(workers.c.worker_id)).scalars())
        return sorted((known | pending_executors(connection, self._versions)) - {self._worker_id})

    def _disconnect(self) -> None:
        self._heard_at = float("-inf")
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def _try_lock(connection: Connection, worker_id: str) -> bool:
    return bool(connection.execute(select(func.pg_try_advisory_lock(worker_lock(worker_id)))).scalar_one())


def _unlock(connection: Connection, worker_id: str) -> None:
    connection.execute(select(func.pg_advisory_unlock(worker_lock(worker_id))))


def _forget(connection: Connection, worker_id: str) -> None:
    connection.execute(delete(workers).where(workers.c.worker_id == worker_id))
