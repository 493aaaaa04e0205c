"""The statements that a database is given, and how it would find their rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any, NamedTuple

from sqlalchemy import Engine, event

_READS = re.compile(r"SELECT|UPDATE|DELETE|INSERT.*SELECT|WITH", re.DOTALL)


class Statement(NamedTuple):
    text: str
    parameters: Any


@contextmanager
def statements(*engines: Engine, of_this_thread: bool = False) -> Iterator[list[Statement]]:
    """What is executed in the block."""
    found: list[Statement] = []
    here = get_ident()

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if not of_this_thread or get_ident() == here:
            found.append(Statement(statement, parameters))

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield found
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


def plan_of(engine: Engine, statement: Statement) -> str:
    """How the database finds the rows, a line for each step."""
    asking = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"{asking} {statement.text}", statement.parameters).all()
        return "\n".join(str(row[-1]) for row in rows)


def whole_tables(
    engine: Engine, executed: Sequence[Statement], tables: Sequence[str], *, but: Sequence[str] = ()
) -> list[str]:
    """The steps in which these statements read a table from its beginning, ``but`` by one of those indexes."""
    found = []
    for statement in dict.fromkeys(one.text for one in executed if _READS.match(one.text)):
        parameters = next(one.parameters for one in executed if one.text == statement)
        for line in plan_of(engine, Statement(statement, parameters)).splitlines():
            reads_all = re.search(r"Seq Scan on (\w+)|SCAN (\w+)(?! VIRTUAL)", line)
            if reads_all is None or any(name in line for name in but):
                continue
            # SQLite names an alias, and SQLAlchemy numbers those.
            if re.sub(r"_\d+$", "", reads_all[1] or reads_all[2]) in tables:
                found.append(f"{line.strip()}: {statement}")
    return found
