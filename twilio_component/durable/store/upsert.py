"""Insert-if-absent and replace, in the dialect of the database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from twilio_component.durable.store.many_rows import arrays, has_arrays, rows_from_arrays

if TYPE_CHECKING:
    from sqlalchemy import Connection


def insert_once(connection: Connection, table: Any, row: Mapping[str, Any]) -> bool:
    """Insert a row unless one with its key exists; True when it was inserted."""
    return connection.execute(_insert_if_absent(table, connection.dialect.name), dict(row)).rowcount == 1


def insert_each_once(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of the rows, which have the same columns, whose keys do not exist."""
    if has_arrays(connection.dialect):
        names = tuple(rows[0])
        connection.execute(_insert_from_arrays(table, names), arrays(rows, names))
    else:
        connection.execute(_insert_if_absent(table, connection.dialect.name), [dict(row) for row in rows])


def insert_all_once(connection: Connection, table: Any, key: Any, rows: Sequence[Mapping[str, Any]]) -> set[Any]:
    """Insert in one statement the rows whose keys do not exist; the values of the column ``key`` of those inserted.

    The rows have the same columns.
    """
    if has_arrays(connection.dialect):
        names = tuple(rows[0])
        insertion = _insert_from_arrays_returning(table, names, key)
        return set(connection.execute(insertion, arrays(rows, names)).scalars())
    insertion = _insert_if_absent_returning(table, key, connection.dialect.name)
    return set(connection.execute(insertion, [dict(row) for row in rows]).scalars())


def insert_or_lock(connection: Connection, table: Any, row: Mapping[str, Any], *, key: str) -> Any:
    """Insert a row, or lock the one with the same ``key`` column; the row that is there.

    One statement: a row that is looked for after it was found to exist may have been deleted in between.
    """
    return connection.execute(_insert_or_lock(table, key, connection.dialect.name), dict(row)).one()


def replace_row(connection: Connection, table: Any, row: Mapping[str, Any], *, key: Sequence[str]) -> None:
    """Insert a row, or overwrite the one with the same ``key`` columns."""
    # One statement: of two processes that insert the same key, the second one would fail otherwise.
    insertion = _insert(table, connection.dialect.name).values(dict(row))
    changes = {name: value for name, value in row.items() if name not in key}
    connection.execute(insertion.on_conflict_do_update(index_elements=list(key), set_=changes))


@cache
def _insert_if_absent(table: Any, dialect: str) -> Any:
    # Cached: building a statement costs as much as executing it.
    insertion = _insert(table, dialect).on_conflict_do_nothing()
    # The driver for Postgres reports the number of inserted rows only on request.
    return insertion.execution_options(preserve_rowcount=True)


@cache
def _insert_or_lock(table: Any, key: str, dialect: str) -> Any:
    insertion = _insert(table, dialect)
    # A change that changes nothing locks, and returns the row.
    same = {key: insertion.excluded[key]}
    return insertion.on_conflict_do_update(index_elements=[key], set_=same).returning(*table.c)


@cache
def _insert_if_absent_returning(table: Any, key: Any, dialect: str) -> Any:
    return _insert_if_absent(table, dialect).returning(key)


@cache
def _insert_from_arrays(table: Any, names: tuple[str, ...]) -> Any:
    given = select(*rows_from_arrays(table, names).c)
    return postgresql.insert(table).from_select(names, given).on_conflict_do_nothing()


@cache
def _insert_from_arrays_returning(table: Any, names: tuple[str, ...], key: Any) -> Any:
    return _insert_from_arrays(table, names).returning(key)


def _insert(table: Any, dialect: str) -> Any:
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


def to_json(value: Any) -> str:
    """A value as it is stored."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # built once: that costs as much as using it


def storable_json(value: Any) -> str | None:
    """The value as it is stored; None when a database cannot: text with an unpaired surrogate has no encoding."""
    try:
        text = to_json(value)
        text.encode()
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        return None
    return text
