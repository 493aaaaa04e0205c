"""Waits for a database server that is not up yet when a process starts, and says why one cannot be used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing, nullcontext
from typing import TypeVar

import psycopg
from sqlalchemy import make_url

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.store.database_url import display_database
from twilio_component.host.errors import InputError, Problem

# Containers start in any order; a server that recovers from a crash may take a while.
PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 2.0
_CONNECT_SECONDS = 5
_Opened = TypeVar("_Opened")
# libpq gives no code for these: the server has answered, and will answer the same again.
_PERMANENT = (
    "does not exist",
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "not permitted to log in",
    "is not currently accepting connections",
    "permission denied for database",
)


async def wait_for_database(url: str, report: Callable[[str], None], patience: float = PATIENCE_SECONDS) -> None:
    """Return when the database accepts connections; a SQLite file always does.

    ``report`` is told when it has to be waited for, and why. Raises ``InputError`` for a database that will never
    accept this process, and ``StoreUnavailableError`` for one that did not within ``patience`` seconds; both say why.
    """
    if make_url(url).get_backend_name() == "sqlite":
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    said = ""
    while True:
        reason = await asyncio.to_thread(_refusal, url)
        if reason is None:
            return
        if any(words in reason for words in _PERMANENT):
            raise InputError("The database cannot be used", [Problem("--database", reason)])
        if loop.time() > deadline:
            raise StoreUnavailableError(f"the database is unavailable: {display_database(url)}: {reason}")
        if reason != said:
            report(f"waiting for the database: {reason}")
            said = reason
        await asyncio.sleep(_PAUSE_SECONDS)


@asynccontextmanager
async def start_with_database(
    url: str,
    report: Callable[[str], None],
    opening: Callable[[Callable[[str], None]], AbstractAsyncContextManager[_Opened]],
    patience: float = PATIENCE_SECONDS,
) -> AsyncIterator[_Opened]:
    """Wait for the database, and enter what ``opening`` returns: anew when the database is lost meanwhile.

    ``opening`` gets a ``report`` that says each line once. Raises what it raises, and as ``wait_for_database`` does.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    said: set[str] = set()

    def report_once(line: str) -> None:
        if line not in said:
            said.add(line)
            report(line)

    async with AsyncExitStack() as stack:
        while True:
            await wait_for_database(url, report_once, deadline - loop.time())
            try:
                opened = await stack.enter_async_context(opening(report_once))
                break
            except StoreUnavailableError as error:
                if make_url(url).get_backend_name() == "sqlite":
                    raise
                if loop.time() > deadline:
                    raise StoreUnavailableError(f"{error}: {display_database(url)}") from None
                report_once(f"waiting for the database: {error}")
            await asyncio.sleep(_PAUSE_SECONDS)
        yield opened


async def migrate_database(url: str, report: Callable[[str], None]) -> None:
    """Bring our tables and those of the workflow engine to the format of this release.

    Raises ``InputError``, ``StoreUnavailableError`` or ``DurableError``.
    """
    from dbos import DBOS  # slow to import

    from twilio_component.durable.recovery.single_process_lock import SingleProcessLock
    from twilio_component.durable.store.database import Database, TranslateErrors, sqlite_file

    @asynccontextmanager
    async def migrating(_report: Callable[[str], None]) -> AsyncIterator[None]:
        file = sqlite_file(url)
        with SingleProcessLock(file) if file is not None else nullcontext(), closing(Database(url)) as database:
            await asyncio.to_thread(database.create)
            with TranslateErrors():
                await asyncio.to_thread(DBOS.migrate, url)
        yield

    async with start_with_database(url, report, migrating):
        pass
    report(f"the database has the format of this release: {display_database(url)}")


def _refusal(url: str) -> str | None:
    """Try to connect; return why that is not possible, or None."""
    parsed = make_url(url)
    try:
        address = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        psycopg.connect(address, connect_timeout=_CONNECT_SECONDS).close()
    except psycopg.Error as error:
        lines = str(error).strip().splitlines()
        text = lines[0].strip() if lines else type(error).__name__
        return text.replace(str(parsed.password), "***") if parsed.password else text
    return None
