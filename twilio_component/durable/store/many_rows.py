"""Statements about many rows whose text does not depend on how many there are.

A statement with a parameter for each row is another one for each number of rows: SQLAlchemy and the driver take it
apart anew, and Postgres parses it anew. Here Postgres gets the values of a column as one array, and SQLite, which has
no arrays, gets lists as JSON, and rows one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, String, Text, bindparam, func, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, UserDefinedType

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect
    from sqlalchemy.types import TypeEngine

Row = Mapping[str, Any]
_POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]


class _Array(UserDefinedType[Sequence[Any]]):
    """Values of a type as one parameter for Postgres.

    It is written here and not by the driver, which takes several times as long for each value.
    """

    cache_ok = True
    render_bind_cast = True

    def __init__(self, of: str) -> None:
        self.of = of

    def get_col_spec(self, **_options: Any) -> str:
        return f"{self.of}[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:  # noqa: ARG002 - only Postgres has arrays
        return array_text


def array_text(values: Sequence[Any]) -> str:
    """The values as Postgres reads an array: texts, numbers, booleans and None."""
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    if type(value) is str:
        if "\\" in value or '"' in value:
            value = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{value}"'
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, (bool, int, float)) else _element(str(value))


class _Texts(TypeDecorator[Sequence[str]]):
    """A list of texts as one parameter."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_Array("VARCHAR") if has_arrays(dialect) else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return list(value) if has_arrays(dialect) else json.dumps(list(value))


class _IsAmong(FunctionElement[bool]):
    # Not of a boolean type: to SQLAlchemy SQLite has none, and it would compare this to 1, without an index.
    name = "is_among"
    inherit_cache = True


@compiles(_IsAmong, "postgresql")
def _compare_to_array(element: _IsAmong, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(_IsAmong, "sqlite")
def _compare_to_json(element: _IsAmong, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - both are compiled


def is_among(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """The condition that a column's text is one of those that the statement is given as ``parameter``, a list."""
    return _IsAmong(column, bindparam(parameter, type_=_Texts()))


class UpdateEach:
    """Updates many rows of a table, each to values of its own: ``columns``, by the value of the column ``key``.

    Only rows that fulfil the ``conditions`` are updated. Make one for each kind of update, and use it again and again.
    """

    def __init__(self, table: Any, key: str, columns: Sequence[str], *conditions: ColumnElement[bool]) -> None:
        self._names = (key, *columns)
        of: Any = bindparam(f"of_{key}")
        one_by_one: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
        self._one_by_one = update(table).where(table.c[key] == of, *conditions).values(one_by_one)
        given = rows_from_arrays(table, self._names)
        at_once = {name: given.c[name] for name in columns}
        self._at_once = update(table).where(table.c[key] == given.c[key], *conditions).values(at_once)

    def execute(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Update the rows; how many there were."""
        key, *columns = self._names
        if has_arrays(connection.dialect):
            return connection.execute(self._at_once, arrays(rows, self._names)).rowcount
        changes = [{f"of_{key}": row[key], **{f"new_{name}": row[name] for name in columns}} for row in rows]
        return connection.execute(self._one_by_one, changes).rowcount


def rows_from_arrays(table: Any, names: tuple[str, ...]) -> Any:
    """The rows that ``arrays`` makes parameters of, with these columns of the table."""
    given = [bindparam(f"all_{name}", type_=_Array(_name_of(table.c[name].type))) for name in names]
    return func.unnest(*given).table_valued(*names, name="given").render_derived()


def _name_of(column: TypeEngine[Any]) -> str:
    """The name of a column's type without a length: an array is cast to its type, and a cast cuts off the rest."""
    return "VARCHAR" if isinstance(column, String) else str(column.compile(_POSTGRES))


def arrays(rows: Sequence[Row], names: Sequence[str]) -> dict[str, list[Any]]:
    """The parameters for the rows: the values of each column."""
    return {f"all_{name}": [row[name] for row in rows] for name in names}


def has_arrays(dialect: Dialect) -> bool:
    """Whether the database takes arrays as parameters."""
    return dialect.name == "postgresql"
