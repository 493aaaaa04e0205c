"""Brings the tables of a database to the format of this release, and refuses a database of a later one.

Two kinds of changes exist. *Additions* (tables, nullable columns, indexes) are found by comparing the database with
``schema.metadata``; processes of the release before continue beside them. Everything else is a *step*: a function in
``STEPS`` that changes what is stored. The number of the steps that a database has had is its format. Processes that do
not know a step refuse the database, so the processes of the release before must be stopped before a step is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import Connection, Table, func, insert, select, update
from sqlalchemy.schema import CreateColumn

from twilio_component.durable.errors import DurableError
from twilio_component.durable.store import operator_tables  # noqa: F401 - its tables are in the metadata
from twilio_component.durable.store.layout import Layout, read_layout
from twilio_component.durable.store.schema import database_format, metadata, workers
from twilio_component.durable.store.worker_locks import worker_lock

Step = Callable[[Connection], None]

STEPS: Sequence[Step] = ()
"""The steps in their order; a release only ever adds to them."""

RETIRED = {"flow_intents_by_run", "flow_intents_by_fingerprint", "ix_flow_intents_item"}
"""Indexes of earlier releases that others have taken the place of."""
ONLY_POSTGRES = ("flow_runs_by_beginning",)
"""Indexes that SQLite needs no second time."""

_LOCK = 5_038_261_904  # any number that nobody else locks
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '3s'"


class NewerDatabaseError(DurableError):
    """A later release has changed the database in a way that this one does not know."""

    code = "newer-database"


def migrate(connection: Connection, steps: Sequence[Step] = STEPS) -> None:
    """Bring the tables to the format of this release, in the transaction of ``connection``.

    Raises ``NewerDatabaseError``, and ``DurableError`` when a step is due while other processes use the database.
    """
    if connection.dialect.name == "postgresql":  # in SQLite the transaction itself is exclusive
        # Processes that start together must not create the same table, or the same column; and a table that is in use
        # must not be waited for so long that everybody else waits behind us.
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        connection.exec_driver_sql(_LOCK_TIMEOUT)
    layout = read_layout(connection, metadata.tables)
    is_new = workers.name not in layout.columns
    stored = _stored_format(connection, layout)
    if stored is not None and stored > len(steps):
        raise NewerDatabaseError(
            f"the database has format {stored}, and this release knows formats up to {len(steps)}: update "
            "twilio-component, or use a copy of the database from before the update"
        )
    _add_what_is_missing(connection, layout)
    due = steps[stored or 0 :] if not is_new else ()
    if due:
        _refuse_other_processes(connection)
    for step in due:
        step(connection)
    if stored is None:
        connection.execute(insert(database_format).values(id=1, format=len(steps)))
    elif due:
        connection.execute(update(database_format).values(format=len(steps)))


def _stored_format(connection: Connection, layout: Layout) -> int | None:
    """Return the format of the database; None for one that is new, or older than formats."""
    if database_format.name not in layout.columns:
        return None
    return connection.execute(select(database_format.c.format)).scalar_one_or_none()


def _add_what_is_missing(connection: Connection, layout: Layout) -> None:
    missing = [table for table in metadata.sorted_tables if table.name not in layout.columns]
    if missing:
        metadata.create_all(connection, missing, checkfirst=False)
    for name in layout.columns:
        _add_columns(connection, metadata.tables[name], layout.columns[name])
        _add_indexes(connection, metadata.tables[name], layout.indexes.get(name, {}))


def _add_columns(connection: Connection, table: Table, there: Collection[str]) -> None:
    """Add the columns that the table of an earlier release lacks; processes of that release leave them null."""
    for column in table.columns:
        if column.name not in there:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            quoted = connection.dialect.identifier_preparer.format_table(table)
            connection.exec_driver_sql(f"ALTER TABLE {quoted} ADD COLUMN {definition}")


def _add_indexes(connection: Connection, table: Table, there: Mapping[str, Sequence[str | None]]) -> None:
    """Add the indexes that are missing, and replace those that have other columns: nobody relies on one."""
    for index in table.indexes:
        columns = there.get(str(index.name))
        if columns == [column.name for column in index.columns]:
            continue
        if columns is not None:
            index.drop(connection)
        if index.name not in ONLY_POSTGRES or connection.dialect.name == "postgresql":
            index.create(connection)
    for retired in RETIRED & there.keys():
        connection.exec_driver_sql(f"DROP INDEX {retired}")


def _refuse_other_processes(connection: Connection) -> None:
    """Raise ``DurableError`` while a process of another release may be using the tables that a step changes."""
    if connection.dialect.name != "postgresql":
        return  # the lock beside a SQLite file keeps other processes away
    known = connection.execute(select(workers.c.worker_id)).scalars().all()
    # A process that has died has a row until another one has recovered its runs, but not its lock.
    if not all(connection.execute(select(func.pg_try_advisory_xact_lock(worker_lock(id_)))).scalar() for id_ in known):
        raise DurableError(
            "this update changes what is stored: stop every process that uses the database first (`serve`, `worker`), "
            "then start one of this release, or run `serve --migrate-only`"
        )
