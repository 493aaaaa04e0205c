"""Serves the page on a port of its own: beside a serving process, or alone for a database of many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvicorn

from twilio_component._version import __version__
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.database_url import display_url
from twilio_component.durable.store.reader import Reader
from twilio_component.serving.connection_bounds import bounds
from twilio_component.serving.operations.access import Access
from twilio_component.serving.operations.api import Api
from twilio_component.serving.operations.app import OperationsApp
from twilio_component.serving.operations.retries import Retries
from twilio_component.serving.ports import listen
from twilio_component.serving.web_server import serve_until_stopped

if TYPE_CHECKING:
    import socket


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsAddress:
    """Where the page is: a ``host`` and ``port`` of this machine, and the ``token`` that people sign in with.

    Without a token nobody signs in, and only this machine reaches the page.
    """

    host: str = "127.0.0.1"
    port: int = 8020
    token: str = field(default="", repr=False)


@asynccontextmanager
async def operations_page(
    database: Database, address: OperationsAddress, report: Callable[[str], None]
) -> AsyncIterator[None]:
    """Serve the page for the length of the block; raises ``InputError`` for a port or a token that cannot be used."""
    with _config(database, address, report) as (config, listening):
        server = _QuietServer(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving


async def serve_operations(url: str, address: OperationsAddress, report: Callable[[str], None]) -> None:
    """Serve the page for a database that other processes work with, until SIGINT or SIGTERM."""
    database = Database(url)
    try:
        await asyncio.to_thread(database.open_existing)
        with _config(database, address, report) as (config, listening):
            await serve_until_stopped(config, listening)
    finally:
        database.close()


@contextmanager
def _config(
    database: Database, address: OperationsAddress, report: Callable[[str], None]
) -> Iterator[tuple[uvicorn.Config, socket.socket]]:
    access = Access(address.host, address.token)
    with listen(address.host, address.port, option="--operations-port") as listening:
        reader = Reader(database)
        try:
            operations = Operations(database)
            retries = Retries(database, operations)
            api = Api(reader, operations, retries, database=display_url(database.url), version=__version__)
            application = OperationsApp(access, api).application()
            name = f"[{address.host}]" if ":" in address.host else address.host
            report(f"operations: http://{name}:{listening.getsockname()[1]}/")
            yield uvicorn.Config(application, **bounds(lambda _: False)), listening
        finally:
            reader.close()


class _QuietServer(uvicorn.Server):
    """A second server of the process: signals are the first one's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
