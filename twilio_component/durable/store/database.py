"""The database: how it is opened, and how its work is done without blocking the event loop."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, make_url, select
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.schema import CreateColumn

from twilio_component.durable.errors import DurableError, StoreBusyError, StoreUnavailableError
from twilio_component.durable.store.group_commit import GroupCommit
from twilio_component.durable.store.schema import metadata
from twilio_component.durable.store.sqlite_connection import SqliteConnection, check_version

_LOGGER = logging.getLogger("twilio_component.durable")
_Found = TypeVar("_Found")

_BUSY_MILLISECONDS = 30_000
_LOCK_MILLISECONDS = 1_000
# Both ends notice within about ten seconds that the other one's machine is gone.
_CONNECT = {
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_SERVER_OPTIONS = "-c tcp_keepalives_idle=4 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
_BUSY = frozenset({"55P03", "40P01", "40001"})  # a lock not had in time, a deadlock, two that cannot both be
_CREATING = 5_038_261_904  # any number that nobody else locks
_LONGEST_PAUSE = 2.0
_THREADS_OF_RUNS = 5
_THREADS_OF_OTHERS = 2


class Database:
    """A SQLite file or a Postgres database by its URL: ``sqlite:////path/runs.sqlite``, ``postgresql://user@host/db``.

    Every piece of work is one transaction, in a thread.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        # Threads of its own: DBOS puts its pool in the place of the event loop's, and takes it away with itself.
        self._running = ThreadPoolExecutor(_THREADS_OF_RUNS, thread_name_prefix="store")
        self._asked = ThreadPoolExecutor(_THREADS_OF_OTHERS, thread_name_prefix="store-asked")
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        # Parameters are people's numbers and texts, and would stand in the messages of errors.
        if self.is_sqlite:
            check_version()
            self.engine = self._asked_engine = create_engine(
                url, hide_parameters=True, connect_args={"factory": SqliteConnection}
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        elif parsed.get_backend_name() == "postgresql":
            self.engine = _postgres(parsed, _THREADS_OF_RUNS)
            # What somebody waits for does not wait itself: not for a row that a process throttles which has frozen.
            self._asked_engine = _postgres(parsed, _THREADS_OF_OTHERS, f"-c lock_timeout={_LOCK_MILLISECONDS}")
        else:
            raise DurableError("the database must be SQLite or Postgres: sqlite:////path/to/file, postgresql://…")

        # With SQLite one thread writes, since only one can; with Postgres they write side by side.
        self._group = GroupCommit(self.engine) if self.is_sqlite else None

    def create(self) -> None:
        """Create the tables that are missing, and the columns that those of an earlier version do not have."""
        if self.is_sqlite:
            # The switch to a write-ahead log needs the file to itself; the connection that makes it is alone.
            path = Path(str(self.engine.url.database))
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=_BUSY_MILLISECONDS / 1000)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.close()
        with _Translated(), self.engine.begin() as transaction:
            if not self.is_sqlite:  # there the beginning is enough
                # Processes that start together must not create the same table, or the same column.
                transaction.execute(select(func.pg_advisory_xact_lock(_CREATING)))
            metadata.create_all(transaction)
            _add_columns(transaction)

    def open_existing(self) -> None:
        """As ``create``, of a database that is there; raises ``DurableError`` where there is none."""
        path = Path(str(self.engine.url.database))
        if self.is_sqlite and not path.is_file():
            raise DurableError(f"there is no database {path}: say where runs are kept (--database)")
        self.create()

    def now(self, connection: Connection) -> float:
        """The time in seconds since 1970, by one clock for all processes: the machine's, or the server's."""
        if self.is_sqlite:
            return time.time()
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

    async def run(self, work: Callable[[Connection], _Found]) -> _Found:
        """``work`` in a transaction of its own; raises ``StoreUnavailableError`` when the database is not there.

        It does not wait for what the runs have to do, and not for long where something else is under way: then, and
        when it gives way to something else, that is a ``StoreBusyError``.
        """
        return await self._done(work, self._asked, self._asked_engine)

    async def run_until_available(self, work: Callable[[Connection], _Found]) -> _Found:
        """As ``run``, again and again until the database is back: for runs, which must not lose anything."""
        pause = 0.1
        while True:
            try:
                return await self._done(work, self._running, self.engine)
            except StoreUnavailableError as error:
                _LOGGER.warning("%s; trying again in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def close(self) -> None:
        """Close the connections."""
        self._running.shutdown()
        self._asked.shutdown()
        if self._group is not None:
            self._group.close()
        self.engine.dispose()
        self._asked_engine.dispose()

    async def _done(self, work: Callable[[Connection], _Found], threads: ThreadPoolExecutor, engine: Engine) -> _Found:
        if self._group is not None:
            with _Translated():
                found: _Found = await asyncio.wrap_future(self._group.submit(work))
                return found
        return await asyncio.get_running_loop().run_in_executor(threads, _transaction, engine, work)


def _postgres(url: URL, connections: int, options: str = "") -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=connections,
        connect_args=connect_arguments(url, options),
    )


def connect_arguments(url: URL, options: str = "") -> dict[str, Any]:
    """How to connect to Postgres, so that a silent network is noticed; ``options`` beside those of the URL."""
    given = url.query.get("options", "")
    own = [given] if isinstance(given, str) else given
    return {**_CONNECT, "options": " ".join([*own, _SERVER_OPTIONS, options])}


def _transaction(engine: Engine, work: Callable[[Connection], _Found]) -> _Found:
    with _Translated(), engine.begin() as connection:
        return work(connection)


def _add_columns(connection: Connection) -> None:
    """Add what tables of an earlier version lack; whoever still runs that version leaves it null."""
    looking = inspect(connection)
    quoted = connection.dialect.identifier_preparer.format_table
    for table in metadata.tables.values():
        there = {column["name"] for column in looking.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                definition = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {quoted(table)} ADD COLUMN {definition}")


class _Translated:
    """Turns the driver's errors about connections into ``StoreUnavailableError``; the others are bugs."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (DBAPIError, PoolTimeoutError)) and not isinstance(error, IntegrityError) and _away(error):
            # The driver's words may have the statement's parameters in them: people's numbers and texts.
            if getattr(getattr(error, "orig", None), "sqlstate", None) in _BUSY:
                raise StoreBusyError(f"something else is under way in the database ({_kind(error)})") from None
            raise StoreUnavailableError(f"the database does not answer ({_kind(error)})") from None


def _away(error: SQLAlchemyError) -> bool:
    if isinstance(error, PoolTimeoutError):
        return True
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError")
    )


def _kind(error: BaseException) -> str:
    original = getattr(error, "orig", None)
    return type(original or error).__name__


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # `_begin_sqlite` begins transactions; the driver's own way has no savepoints
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    # Writers take their turn from the beginning: a transaction that reads first and writes later would be refused.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
