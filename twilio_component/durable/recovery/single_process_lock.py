"""A SQLite database has one process: the lock that says so, and that the operating system gives back on its death."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from twilio_component.durable.errors import StoreBusyError


class SingleProcessLock:
    """Throttle the lock beside the database file from its making to ``release``.

    Raises ``StoreBusyError`` when another process has it. SQLite's own lock works alike on every system.
    """

    def __init__(self, database_file: Path) -> None:
        path = database_file.with_name(f"{database_file.name}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self._connection.close()
            raise StoreBusyError(
                f"another process serves from {database_file}: stop it, name another --database, or use Postgres, "
                "which many processes can share"
            ) from error

    def release(self) -> None:
        """Let others have the database."""
        self._connection.close()
