"""The lock that gives a SQLite database to one process. The operating system releases it when the process dies."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Self

from twilio_component.durable.errors import DurableError
from twilio_component.durable.store.private_files import make_private


class SingleProcessLock:
    """A lock beside the database file, held until ``release`` or the end of the block.

    Raises ``DurableError`` when another process holds it, when the file is a folder, or when it has several names.
    SQLite's own lock works alike on every system.
    """

    def __init__(self, database_file: Path) -> None:
        # By whatever link the file is reached, it has one lock.
        file = database_file.resolve()
        if file.is_dir():
            raise DurableError(
                f"{database_file} is a folder: name a file in it, such as {database_file / 'runs.sqlite'}"
            )
        if file.exists() and file.stat().st_nlink > 1:
            raise DurableError(f"{database_file} has several names (hard links), by which two processes could open it")
        path = file.with_name(f"{file.name}.lock")
        make_private(path)
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self._connection.close()
            raise DurableError(
                f"another process serves from {database_file}: stop it, name another --database, or use Postgres, "
                "which many processes can share"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let another process have the database."""
        self._connection.close()
