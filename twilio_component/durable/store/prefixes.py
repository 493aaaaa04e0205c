"""Conditions on the beginnings of ids that the databases answer from an index.

A plain ``LIKE`` reads the whole table: in SQLite because it ignores case, in Postgres because its order of texts is
that of a language. SQLite compares the bytes of the keys, and Postgres has indexes of its own for beginnings, with
``varchar_pattern_ops``; see ``schema``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

_LAST = "\U0010ffff"


def begins_with(connection: Connection, column: ColumnElement[Any], prefix: str) -> ColumnElement[bool]:
    """The condition that the column begins with the prefix."""
    if connection.dialect.name == "sqlite":
        return and_(column >= prefix, column < prefix + _LAST)
    escaped = prefix.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return column.like(f"{escaped}%")
