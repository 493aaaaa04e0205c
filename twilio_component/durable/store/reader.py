"""Reading a database beside the processes that write it: a page that many people watch must not hold up a send."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, create_engine, event, func, select
from sqlalchemy.pool import QueuePool

from twilio_component.durable.store.database import connect_arguments, transaction

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from twilio_component.durable.store.database import Database

_CONNECTIONS = 2
_BUSY_SECONDS = 5.0
_LONGEST_MILLISECONDS = 5_000
_STEPS_BETWEEN_CHECKS = 20_000
_Found = TypeVar("_Found")


class Reader:
    """Reads what a ``Database`` holds, on connections of its own that cannot write.

    A query ends after five seconds, whatever it is about, and at most two run at a time. With SQLite, reads do not
    queue behind the one writer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_sqlite = database.is_sqlite
        self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="store-readers")
        self.engine = _sqlite(database.engine) if database.is_sqlite else _postgres(database.engine)

    def now(self, connection: Connection) -> float:
        """The time in seconds since 1970, by the clock that the processes share."""
        if self.is_sqlite:
            return self._database.clock.now()
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

    async def run(self, work: Callable[[Connection], _Found]) -> _Found:
        """Do ``work``, which only reads; its result. Raises ``StoreUnavailableError``."""
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._threads, transaction, self.engine, work)

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown()
        self.engine.dispose()


def _sqlite(writing: Engine) -> Engine:
    path = Path(str(writing.url.database)).absolute().as_uri()

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{path}?mode=ro", uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)

    reading = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=_CONNECTIONS, max_overflow=0, hide_parameters=True
    )
    event.listen(reading, "begin", _limit_time)
    return reading


def _limit_time(connection: Connection) -> None:
    """Let a transaction of SQLite be interrupted when its time is over."""
    import time

    deadline = time.monotonic() + _LONGEST_MILLISECONDS / 1000
    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS_BETWEEN_CHECKS)


def _postgres(writing: Engine) -> Engine:
    options = f"-c default_transaction_read_only=on -c statement_timeout={_LONGEST_MILLISECONDS}"
    return create_engine(
        writing.url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        connect_args=connect_arguments(writing.url, options),
    )
