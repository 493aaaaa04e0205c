"""Databases with all tables: an engine of a test opens one in a third of the time that it takes to make one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from dbos import DBOS

from twilio_component.durable.store.database import Database


def prepare_database(file: Path) -> None:
    """Make the file, unless it exists, as `serve` leaves it that has served nothing; not in a folder yet to be made."""
    if file.parent.is_dir() and not file.exists():
        file.write_bytes(_contents())


@cache
def _contents() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "runs.sqlite"
        make_tables(f"sqlite:///{file}")
        # Not the bytes of the file: while a connection is open, as one that waits for its garbage collection is, what
        # was written may be in the log beside it.
        with closing(sqlite3.connect(file)) as connection:
            return connection.serialize()


def make_tables(url: str) -> None:
    """Make all tables in the empty database."""
    database = Database(url)
    database.create()
    DBOS.migrate(url)
    database.close()
