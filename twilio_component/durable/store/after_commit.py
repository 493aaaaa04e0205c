"""What is done once a transaction is on disk, and not when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_KEY = "after_commit"


def after_commit(connection: Connection, work: Callable[[], object]) -> None:
    """Do this after the commit of the transaction, once, in its thread; it must not block or raise."""
    connection.info.setdefault(_KEY, {})[work] = None


@contextmanager
def committing(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction of this engine, and afterwards what ``after_commit`` was asked for."""
    with engine.begin() as connection:
        about = connection.info
        about.pop(_KEY, None)  # of a transaction that failed
        yield connection
    for work in about.pop(_KEY, ()):
        work()
