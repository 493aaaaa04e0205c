"""How rows are written that may be there already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection


def insert_once(connection: Connection, table: Any, row: Mapping[str, Any]) -> bool:
    """Insert a row unless there is one of its key; whether it was inserted."""
    return connection.execute(_insertion(table, connection.dialect.name), dict(row)).rowcount == 1


def insert_all_once(connection: Connection, table: Any, key: Any, rows: Sequence[Mapping[str, Any]]) -> set[Any]:
    """As ``insert_once``, all in one statement; the values in the column ``key`` of those that were inserted."""
    insertion = _insertion(table, connection.dialect.name).returning(key)
    return set(connection.execute(insertion, [dict(row) for row in rows]).scalars())


@cache
def _insertion(table: Any, dialect: str) -> Any:
    # Made once: making a statement anew costs as much as carrying it out.
    made = (sqlite if dialect == "sqlite" else postgresql).insert(table).on_conflict_do_nothing()
    # Without being asked to, the driver for Postgres does not say how many rows an insertion made.
    return made.execution_options(preserve_rowcount=True)


def written(value: Any) -> str:
    """A value as it is stored."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
