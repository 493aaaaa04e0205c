"""Which processes certainly live, by the names under which they take workflows."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from sqlalchemy import select

from twilio_component.durable.errors import DurableError
from twilio_component.durable.recovery.single_process_lock import SingleProcessLock
from twilio_component.durable.store.database import sqlite_file
from twilio_component.durable.store.schema import workers
from twilio_component.durable.store.worker_locks import held_locks, worker_lock

if TYPE_CHECKING:
    from sqlalchemy import Connection


class _Locked:
    """The workers of a Postgres database that hold their locks."""

    def __init__(self, locks: set[int]) -> None:
        self._locks = locks

    def __contains__(self, executor: object) -> bool:
        return isinstance(executor, str) and worker_lock(executor) in self._locks


def living_executors(connection: Connection, url: str) -> Container[str]:
    """The executors that live: with Postgres each that holds its lock, with SQLite the one that has the file."""
    file = sqlite_file(url)
    if file is None:
        return _Locked(held_locks(connection))
    try:
        SingleProcessLock(file).release()
    except DurableError:
        return ("serve",)
    return ()


def has_living_process(connection: Connection, living: Container[str]) -> bool:
    """Whether one of the ``living`` executors is of a process that executes the runs of the database."""
    if "serve" in living:
        return True
    return any(worker in living for worker in connection.execute(select(workers.c.worker_id)).scalars())
