"""Everything that a database has of one person: to show it to them, and to erase it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, or_, select, tuple_, update

from twilio_component.durable.operator.mentions import Mentions
from twilio_component.durable.operator.times import format_time
from twilio_component.durable.sending.intents import OPEN, person_digest
from twilio_component.durable.store import schema
from twilio_component.durable.store.run_status import LIST_STOPPED, PAUSED, QUEUED, RUNNING

if TYPE_CHECKING:
    from sqlalchemy import Table

    from twilio_component.durable.store.database import Database

_BATCH = 500
_UNFINISHED = (RUNNING, QUEUED, PAUSED, LIST_STOPPED)
_CHANNELS = ("", "whatsapp:", "rcs:", "messenger:", "instagram:", "sms:")

SCANNED: Mapping[Table, Mapping[str, int]] = {
    schema.runs: {"payload": 1, "error": 1, "response": 1},
    schema.journal: {"value": 2, "inputs": 1},
    schema.loops: {"captured": 1, "after": 0},
    schema.items: {"item": 0, "error": 1, "inputs": 1},
    schema.questions: {"expects": 1, "answer": 0, "reply": 0},
    schema.replies: {"data": 1},
    schema.stored_state: {"value": 0},
}
"""The columns with JSON that may be about people, and how many of its outermost objects must stay objects."""

OWN: tuple[Table, ...] = (schema.opt_outs, schema.last_heard, schema.contact_counts)
"""The tables whose rows are each about a ``person``, by the address."""

NAMED: tuple[Table, ...] = (schema.stored_state,)
"""The tables whose rows have a ``name`` that flows make up, of a person's number perhaps: such rows are theirs."""

KEPT = (
    "the SIDs of messages, by which Twilio has the messages themselves",
    "the times and states of runs and steps",
    "digests that identify conversations and reveal no number",
)
_KEPT_BY_POSTGRES = "what Postgres overwrites when it next vacuums the tables, and its write-ahead log"


@dataclass(frozen=True, slots=True)
class Mention:
    """A value in a row that mentions the person."""

    table: str
    row: Mapping[str, Any]
    column: str
    value: Any


class People:
    """Shows and erases what is stored about a person, by an address as messages name it.

    A phone number stands for all its channels; ``others`` are other forms of the address. The methods raise
    ``StoreUnavailableError``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, address: str, *others: str) -> dict[str, Any]:
        """All that is stored: ``{"mentions": [{"table", "row", "column", "value"}], "rows": {table: […]}}``."""
        person = Mentions(address, *others)
        mentions = [
            {"table": one.table, "row": one.row, "column": one.column, "value": one.value}
            async for one in self._mentions(person)
        ]

        def own(connection: Connection) -> dict[str, list[dict[str, Any]]]:
            found = {table.name: connection.execute(select(table).where(_is_of(table, address))) for table in OWN}
            rows = {name: [dict(row) for row in rows.mappings()] for name, rows in found.items()}
            return rows | {table.name: _named_rows(connection, table, person) for table in NAMED}

        return {"mentions": mentions, "rows": await self._database.run(own)}

    async def forget(self, address: str, *others: str, keep_opt_outs: bool = False) -> dict[str, Any]:
        """Erase everything; the receipt.

        ``{"erased": {table: rows}, "kept": […], "unfinishedRuns": […], "at"}``: unfinished runs stay as they are, and
        are named, and so are definitions that mention the person, since runs are still read by them. With
        ``keep_opt_outs`` the person stays in the register, so as to be sent nothing.
        """
        mentions = Mentions(address, *others)
        erased: dict[str, int] = {}
        unfinished: set[str] = set()
        for table, columns in SCANNED.items():
            after: tuple[Any, ...] | None = None
            while True:
                batch = await self._database.run(partial(_erase_batch, table, columns, mentions, after))
                erased[table.name] = erased.get(table.name, 0) + batch.erased
                unfinished |= batch.unfinished
                if batch.last is None:
                    break
                after = batch.last

        def erase_own(connection: Connection) -> float:
            for table in NAMED:
                for row in _named_rows(connection, table, mentions):
                    of_row = [key == row[key.name] for key in table.primary_key]
                    erased[table.name] += connection.execute(delete(table).where(*of_row)).rowcount
            for table in OWN:
                if table is not schema.opt_outs or not keep_opt_outs:
                    found = connection.execute(delete(table).where(_is_of(table, address))).rowcount
                    erased[table.name] = found
            digests = [person_digest(one) for one in _addresses(address)]
            done = (schema.intents.c.person.in_(digests), schema.intents.c.state.not_in(OPEN))
            blank = update(schema.intents).where(*done).values(person=None, fingerprint="erased")
            erased[schema.intents.name] = connection.execute(blank).rowcount
            return self._database.now(connection)

        at = await self._database.run(erase_own)
        await self._database.forget_log()
        kept = [*KEPT, *(["the opt-outs"] if keep_opt_outs else []), *await self._definitions(mentions)]
        kept += [] if self._database.is_sqlite else [_KEPT_BY_POSTGRES]
        return {"erased": erased, "kept": kept, "unfinishedRuns": sorted(unfinished), "at": format_time(at)}

    async def _definitions(self, mentions: Mentions) -> list[str]:
        """The definitions that mention the person, in words."""
        chosen = select(schema.definitions.c.digest, schema.definitions.c.file, schema.definitions.c.text)
        found = await self._database.run(lambda connection: connection.execute(chosen).all())
        return [
            f"the definition {row.file} ({row.digest[:8]}), which names the person"
            for row in found
            if mentions.found_in(row.text)
        ]

    async def _mentions(self, mentions: Mentions) -> AsyncIterator[Mention]:
        for table, columns in SCANNED.items():
            after: tuple[Any, ...] | None = None
            while True:
                rows = await self._database.run(partial(_rows, table, columns, after))
                for row in rows:
                    for column in columns:
                        if row[column] is not None and mentions.found_in(row[column]):
                            key = {name.name: row[name.name] for name in table.primary_key}
                            yield Mention(table.name, key, column, json.loads(row[column]))
                if len(rows) < _BATCH:
                    break
                after = tuple(rows[-1][name.name] for name in table.primary_key)


@dataclass(frozen=True, slots=True)
class _Batch:
    erased: int
    unfinished: frozenset[str]
    last: tuple[Any, ...] | None


def _rows(
    table: Table, columns: Mapping[str, int], after: tuple[Any, ...] | None, connection: Connection
) -> list[Mapping[str, Any]]:
    keys = list(table.primary_key)
    wanted = [*keys, *(table.c[name] for name in (*columns, "run") if name in table.c and table.c[name] not in keys)]
    chosen = select(*wanted).order_by(*keys).limit(_BATCH)
    if after is not None:
        chosen = chosen.where(tuple_(*keys) > tuple_(*after))
    return [dict(row) for row in connection.execute(chosen).mappings()]


def _erase_batch(
    table: Table,
    columns: Mapping[str, int],
    mentions: Mentions,
    after: tuple[Any, ...] | None,
    connection: Connection,
) -> _Batch:
    rows, erased, unfinished = _rows(table, columns, after, connection), 0, set[str]()
    for row in rows:
        changes = {}
        for column, keep in columns.items():
            text = row[column]
            if text is not None and mentions.found_in(text):
                changes[column] = json.dumps(mentions.erase(json.loads(text), keep), ensure_ascii=False)
        if not changes:
            continue
        run = _unfinished_run(connection, row)
        if run is not None:
            unfinished.add(run)
            continue
        of_row = [key == row[key.name] for key in table.primary_key]
        connection.execute(update(table).where(*of_row).values(changes))
        erased += 1
    last = tuple(rows[-1][key.name] for key in table.primary_key) if len(rows) == _BATCH else None
    return _Batch(erased, frozenset(unfinished), last)


def _unfinished_run(connection: Connection, row: Mapping[str, Any]) -> str | None:
    """The run that still needs the row; None when it has ended, or the row is of no run."""
    caller = row.get("run", row.get("id"))
    if not isinstance(caller, str):
        return None
    # The journal of an iteration has the id of its item: `RUN.5-17`.
    of_item = caller.rpartition("-")[0].rpartition(".")[0]
    either = or_(schema.runs.c.id == caller, schema.runs.c.id == of_item)
    chosen = select(schema.runs.c.id).where(either, schema.runs.c.state.in_(_UNFINISHED))
    return connection.execute(chosen.limit(1)).scalar_one_or_none()


def _named_rows(connection: Connection, table: Table, mentions: Mentions) -> list[dict[str, Any]]:
    """The rows whose name mentions the person."""
    names = connection.execute(select(table.c.name).distinct()).scalars().all()
    found: list[dict[str, Any]] = []
    for name in filter(mentions.found_in, names):
        found += (dict(row) for row in connection.execute(select(table).where(table.c.name == name)).mappings())
    return found


def _is_of(table: Table, address: str) -> Any:
    return table.c.person.in_(_addresses(address))


def _addresses(address: str) -> list[str]:
    """The address on every channel: of a number all of them, of ``whatsapp:…`` that one."""
    return [address] if ":" in address else [f"{channel}{address}" for channel in _CHANNELS]
