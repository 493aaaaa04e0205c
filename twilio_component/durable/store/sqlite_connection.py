"""Connections to SQLite, whichever version Python is linked with.

On Python 3.12 and later DBOS writes times by ``unixepoch('subsec')``, which SQLite has since 3.42. With an older one,
as in Debian 12, each connection gets a function of that name.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from twilio_component.durable.errors import DurableError

# For RETURNING, which DBOS uses.
OLDEST = (3, 35, 0)
_WITH_SUBSEC = (3, 42, 0)


class SqliteConnection(sqlite3.Connection):
    """A connection on which ``unixepoch('subsec')`` works."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if sqlite3.sqlite_version_info < _WITH_SUBSEC:
            # Other numbers of arguments stay SQLite's own.
            self.create_function("unixepoch", 1, unix_time)


def unix_time(modifier: str) -> float:
    """Return the seconds since 1970 in milliseconds precision; raises ``ValueError`` unless ``modifier`` is subsec."""
    if modifier != "subsec":
        raise ValueError(f"unixepoch('{modifier}') needs SQLite 3.42")
    return time.time_ns() // 1_000_000 / 1000


def check_version() -> None:
    """Raise ``DurableError`` if Python is linked with a SQLite that is too old for the engine."""
    if sqlite3.sqlite_version_info < OLDEST:
        oldest = ".".join(map(str, OLDEST[:2]))
        raise DurableError(
            f"Python is linked with SQLite {sqlite3.sqlite_version}, and {oldest} or later is needed: use a Python "
            "with a newer SQLite, or a Postgres database (--database postgresql://…)"
        )
