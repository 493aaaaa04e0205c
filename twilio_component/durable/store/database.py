"""The database: opening it, and doing its work without blocking the event loop."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from twilio_component.durable.clock import Clock
from twilio_component.durable.errors import DurableError, StoreBusyError, StoreUnavailableError
from twilio_component.durable.store.after_commit import committing
from twilio_component.durable.store.group_commit import GroupCommit
from twilio_component.durable.store.idle_connections import check_idle_connections
from twilio_component.durable.store.migration import migrate
from twilio_component.durable.store.private_files import make_private
from twilio_component.durable.store.sqlite_connection import SqliteConnection, check_version
from twilio_component.durable.store.unavailability import unavailability

_LOGGER = logging.getLogger("twilio_component.durable")
_Found = TypeVar("_Found")

_BUSY_MILLISECONDS = 30_000
# A request must not wait for long for a row that a frozen process has locked, nor hold up the others meanwhile: it is
# tried for a moment, and then once more, patiently, beside them.
_LOCK_MILLISECONDS = 100
_PATIENT_LOCK_MILLISECONDS = 1_000
_LOG_SECONDS = 0.1
_LOG_PAUSE = 1.0
_LOG_ATTEMPTS = 10
# Both ends notice within about ten seconds that the other one's machine is gone.
_CONNECT = {
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
FROZEN_SECONDS = 5.0
"""After so many seconds the server ends a transaction whose process does nothing: it has frozen, and holds locks."""
_SERVER_OPTIONS = (
    "-c tcp_keepalives_idle=4 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 "
    f"-c idle_in_transaction_session_timeout={FROZEN_SECONDS * 1000:.0f}"
)
_BUSY = frozenset({"55P03", "40P01", "40001"})  # a lock not had in time, a deadlock, two that cannot both be
# Read-only (a failover), a transaction that was ended since its process had frozen, out of resources (disk, memory,
# connections), shutting down or starting, a system error, a lost connection: the server can do nothing now.
_UNABLE = ("25006", "25P03", "53", "57P", "58", "08")
_NOT_ALLOWED = "42501"
_MIGRATION_ATTEMPTS = 10
_MIGRATION_PAUSE = 0.5
_SQLITE_MAGIC = b"SQLite format 3\0"
_LONGEST_PAUSE = 2.0
_RUN_THREADS = 5
_REQUEST_THREADS = 2
_PATIENT_THREADS = 2
_MOST_PATIENT = 10  # requests that wait for a lock; the next one is refused, which is better than a late response
_ONE_MOMENT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
_ATTEMPTS_AT_ONE_MOMENT = 3
_LOCK_WAIT = text(f"SET LOCAL lock_timeout = {_PATIENT_LOCK_MILLISECONDS}")


class Database:
    """A SQLite file or a Postgres database by its URL: ``sqlite:////path/runs.sqlite``, ``postgresql://user@host/db``.

    Each unit of work is one transaction, in a thread. ``on_failure`` is told of each one that failed because the
    database was ``unavailable`` or ``busy``.
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.url = url
        self.clock = clock or Clock()
        self.on_failure: Callable[[str], None] = lambda _kind: None
        # Not the event loop's threads: DBOS replaces that pool, and closes it when it ends.
        self._run_threads = ThreadPoolExecutor(_RUN_THREADS, thread_name_prefix="store")
        self._request_threads = ThreadPoolExecutor(_REQUEST_THREADS, thread_name_prefix="store-requests")
        self._patient_threads = ThreadPoolExecutor(_PATIENT_THREADS, thread_name_prefix="store-patient")
        self._patient = 0
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        # Parameters are phone numbers and texts; errors must not show them.
        if self.is_sqlite:
            check_version()
            self.engine = self._request_engine = create_engine(
                url, hide_parameters=True, connect_args={"factory": SqliteConnection}
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        elif parsed.get_backend_name() == "postgresql":
            self.engine = _postgres(parsed, _RUN_THREADS)
            self._request_engine = _postgres(
                parsed, _REQUEST_THREADS + _PATIENT_THREADS, f"-c lock_timeout={_LOCK_MILLISECONDS}"
            )
        else:
            raise DurableError("the database must be SQLite or Postgres: sqlite:////path/to/file, postgresql://…")

        # SQLite has one writer at a time, so one thread writes; with Postgres several do.
        self._group = GroupCommit(self.engine) if self.is_sqlite else None

    def create(self) -> None:
        """Bring the tables to the format of this release: see ``migration``. Blocks; raises ``DurableError``."""
        if self.is_sqlite:
            # The switch to a write-ahead log needs the file alone, so a connection of its own makes it.
            path = Path(str(self.engine.url.database))
            _refuse_other_files(path)
            make_private(path)
            connection = sqlite3.connect(path, timeout=_BUSY_MILLISECONDS / 1000)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.close()
        for attempt in range(1, _MIGRATION_ATTEMPTS + 1):
            try:
                with TranslateErrors(), self.engine.begin() as transaction:
                    migrate(transaction)
            except StoreBusyError:
                # Tables are altered while other processes write: two of them can wait for each other.
                if attempt == _MIGRATION_ATTEMPTS:
                    raise
                time.sleep(_MIGRATION_PAUSE)
            else:
                return

    def open_existing(self) -> None:
        """Open a database that exists, and bring its tables up to date; raises ``DurableError`` for none."""
        path = Path(str(self.engine.url.database))
        if self.is_sqlite and not path.is_file():
            raise DurableError(
                f"there is no database {path}: give the one in which runs are stored with "
                "--database, or make one with `twilio-component serve --migrate-only`"
            )
        self.create()

    def now(self, connection: Connection) -> float:
        """The time in seconds since 1970, by one clock for all processes: this machine's, or the server's."""
        if self.is_sqlite:
            return self.clock.now()
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

    async def run(self, work: Callable[[Connection], _Found]) -> _Found:
        """Do ``work`` in a transaction; its result. For requests that somebody waits for.

        It does not queue behind the work of runs, nor for long behind what waits for a lock. Raises
        ``StoreUnavailableError`` when the database is unavailable, and ``StoreBusyError`` when another transaction does
        not end in time.
        """
        try:
            return await self.run_quickly(work)
        except StoreBusyError:
            if self.is_sqlite:  # it has waited already
                raise
        return await self.run_with_lock_wait(work)

    async def run_quickly(self, work: Callable[[Connection], _Found]) -> _Found:
        """Do ``work`` as ``run`` does, but raise ``StoreBusyError`` when it cannot be done at once."""
        return await self._perform(work, self._request_threads, self._request_engine)

    async def run_with_lock_wait(self, work: Callable[[Connection], _Found]) -> _Found:
        """Do ``work`` that ``run_quickly`` could not do, beside the others: it may wait for each lock for a second.

        For Postgres only: on SQLite everything waits for the one lock there is. Raises ``StoreBusyError`` at once while
        many others wait in this way.
        """

        def with_lock_wait(connection: Connection) -> _Found:
            connection.execute(_LOCK_WAIT)
            return work(connection)

        if self._patient >= _MOST_PATIENT:
            self.on_failure("busy")
            raise StoreBusyError("the database is busy (many requests wait for what other transactions have locked)")
        self._patient += 1
        try:
            return await self._perform(with_lock_wait, self._patient_threads, self._request_engine)
        finally:
            self._patient -= 1

    async def run_at_one_moment(self, work: Callable[[Connection], _Found]) -> _Found:
        """Do ``work`` as ``run`` does; all of its statements read what was stored at one moment.

        It is done anew, a few times, when another transaction changes what it changes.
        """

        def at_one_moment(connection: Connection) -> _Found:
            if not self.is_sqlite:  # whose transactions exclude each other
                connection.execute(_ONE_MOMENT)
            return work(connection)

        for _ in range(_ATTEMPTS_AT_ONE_MOMENT - 1):
            with suppress(StoreBusyError):
                return await self.run(at_one_moment)
        return await self.run(at_one_moment)

    async def run_until_available(self, work: Callable[[Connection], _Found]) -> _Found:
        """Do ``work`` in a transaction, retrying until the database is available; its result. For runs."""
        pause = 0.1
        while True:
            try:
                return await self._perform(work, self._run_threads, self.engine)
            except StoreUnavailableError as error:
                _LOGGER.warning("%s; trying again in %.1f s", error, pause)
                await self.clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def forget_log(self) -> None:
        """Empty SQLite's write-ahead log, in which what has been deleted or replaced would stay readable.

        Another process that reads all the time prevents it, which is logged.
        """
        if not self.is_sqlite:
            return
        for _ in range(_LOG_ATTEMPTS - 1):
            if await asyncio.to_thread(self._truncate_log):
                return
            await asyncio.sleep(_LOG_PAUSE)
        if not await asyncio.to_thread(self._truncate_log):
            _LOGGER.warning(
                "the write-ahead log of the database could not be emptied, since another process reads from it: "
                "what has just been deleted stays readable in the file that ends in -wal until the next purge"
            )

    def _truncate_log(self) -> bool:
        # Nobody can write while this waits for those who read, so it does not wait for long.
        connection = sqlite3.connect(str(self.engine.url.database), timeout=_LOG_SECONDS)
        try:
            busy, _pages, _moved = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy
        finally:
            connection.close()

    def close(self) -> None:
        """Close the connections."""
        self._run_threads.shutdown()
        self._request_threads.shutdown()
        self._patient_threads.shutdown()
        if self._group is not None:
            self._group.close()
        self.engine.dispose()
        self._request_engine.dispose()

    async def _perform(
        self, work: Callable[[Connection], _Found], threads: ThreadPoolExecutor, engine: Engine
    ) -> _Found:
        try:
            return await self._perform_once(work, threads, engine)
        except StoreUnavailableError as error:
            is_busy = isinstance(error, StoreBusyError)
            is_tried_again = is_busy and threads is self._request_threads and not self.is_sqlite
            if not is_tried_again:
                self.on_failure("busy" if is_busy else "unavailable")
            raise

    async def _perform_once(
        self, work: Callable[[Connection], _Found], threads: ThreadPoolExecutor, engine: Engine
    ) -> _Found:
        if self._group is not None:
            with TranslateErrors():
                found: _Found = await asyncio.wrap_future(self._group.submit(work))
                return found
        return await asyncio.get_running_loop().run_in_executor(threads, transaction, engine, work)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database by its URL; None for another database."""
    parsed = make_url(url)
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None


def _postgres(url: URL, connections: int, options: str = "") -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_size=connections,
        pool_use_lifo=True,  # one that was just used has its statements prepared, and its server's caches are warm
        connect_args=connect_arguments(url, options),
    )
    check_idle_connections(engine)
    return engine


def connect_arguments(url: URL, options: str = "") -> dict[str, Any]:
    """Arguments that let a connection to Postgres notice a silent network; ``options`` are added to the URL's."""
    given = url.query.get("options", "")
    own = [given] if isinstance(given, str) else given
    return {**_CONNECT, "options": " ".join([*own, _SERVER_OPTIONS, options])}


def transaction(engine: Engine, work: Callable[[Connection], _Found]) -> _Found:
    """Do ``work`` in a transaction of this engine; its result. Raises ``StoreUnavailableError``."""
    with TranslateErrors(), committing(engine) as connection:
        return work(connection)


class TranslateErrors:
    """Turns the driver's errors about the connection into ``StoreUnavailableError``; other errors are bugs."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (DBAPIError, PoolTimeoutError)) and not isinstance(error, IntegrityError) and _away(error):
            # The driver's message may contain the statement's parameters: phone numbers and texts.
            if getattr(getattr(error, "orig", None), "sqlstate", None) in _BUSY:
                raise StoreBusyError(f"the database is busy ({unavailability(error)})") from None
            raise StoreUnavailableError(f"the database is unavailable ({unavailability(error)})") from None
        if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == _NOT_ALLOWED:
            raise DurableError(
                "the user of the database may not do what this release needs: run `serve --migrate-only` once with a "
                "user that may create and alter its tables, and let this one read and write them"
            ) from None


def _refuse_other_files(path: Path) -> None:
    """Raise ``DurableError`` for a file that is not a database of SQLite, before anything is written to it."""
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            if file.read(len(_SQLITE_MAGIC)) != _SQLITE_MAGIC:
                raise DurableError(
                    f"{path} is not a SQLite database: give the one in which runs are stored with --database"
                )


def _away(error: SQLAlchemyError) -> bool:
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    return (
        error.connection_invalidated
        or type(error).__name__ in ("OperationalError", "InterfaceError")
        or state.startswith(_UNABLE)
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # `_begin_sqlite` begins transactions; the driver would not begin one before a savepoint.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten


def _begin_sqlite(connection: Connection) -> None:
    # Lock from the beginning: a transaction that reads first and writes later could be refused.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
