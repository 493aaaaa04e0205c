"""Loops of runs that are retried: iterations that have succeeded are not started again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    Connection,
    Row,
    String,
    and_,
    bindparam,
    cast,
    exists,
    false,
    insert,
    literal,
    null,
    select,
    update,
)

from twilio_component.durable import ids
from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.journal_replay import before_the_failure, ends_unknown, next_call
from twilio_component.durable.operator.proven_calls import count_made_anew, proven_calls
from twilio_component.durable.operator.started_flows import in_the_way
from twilio_component.durable.sending.intents import CLAIMED, IN_DOUBT
from twilio_component.durable.store.item_ends import PENDING
from twilio_component.durable.store.replaced_flows import give_place, giving_place
from twilio_component.durable.store.run_status import FAILED, UNKNOWN
from twilio_component.durable.store.schema import intents, items, journal, loops, runs
from twilio_component.durable.store.upsert import to_json
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.interpreter.state import failure_record

if TYPE_CHECKING:
    from twilio_component.durable.fanout.store import LoopKey
    from twilio_component.durable.operator.item_selection import ItemSelection

_BATCH = 500
_UNDER_WAY = failure_record(
    "",
    "",
    Failure(
        code="outcome-unknown",
        message="it was under way when the run ended, and may have happened",
        outcome_unknown=True,
    ),
)


class CopiedLoop(NamedTuple):
    """How many items of a loop are ``tried`` again, and how many ``proven`` calls these do not make again."""

    tried: int
    proven: int


def copy_loop(connection: Connection, key: LoopKey, again: str, selection: ItemSelection | None) -> CopiedLoop:
    """Copy the loop to the run ``again``, and let its selected items be tried again; how many are.

    Each continues at the call that failed. An item stays as it is when it continued after a call whose outcome is
    unknown, or when the call started a flow that is in the way (see ``started_flows``). Without a selection the
    loop is copied as it stands: then it has ended.
    """
    changes: dict[str, Any] = {"run": literal(again)}
    if selection is not None:
        changes.update(generation=literal(0), finished_at=null())
    _copy(connection, loops, changes, key)
    prefix = ids.item_prefix(again, key.ordinal)
    _copy(
        connection,
        items,
        {
            "id": literal(prefix).concat(cast(items.c.number, String)),
            "run": literal(again),
            "held_until": null(),
            "held_in": null(),
        },
        key,
    )
    iterations = _Iterations(connection, key, again, selection)
    last, tried = -1, 0
    while batch := iterations.after(last):
        last = batch[-1].number
        tried += iterations.copy(batch)
    return CopiedLoop(tried, iterations.proven)


class _Iterations:
    """The iterations of a loop that have not succeeded, on their way to the run ``again``."""

    def __init__(self, connection: Connection, key: LoopKey, again: str, selection: ItemSelection | None) -> None:
        self._connection = connection
        self._key = key
        self._again = again
        self._selection = selection
        self._proven = set() if selection is None else proven_calls(connection, key.run)
        self.proven = 0
        self._in_the_way, self._giving_place = _started_flows(connection, key)

    def after(self, number: int) -> Sequence[Row[Any]]:
        """The next ones that have a journal, a call or a flow of their own, in their order."""
        uncertain = (intents.c.item == items.c.id, intents.c.state.in_((CLAIMED, IN_DOUBT)))
        open_ = exists().where(*uncertain, intents.c.resource_id.is_(None))
        columns = (items.c.id, items.c.number, items.c.state, items.c.error, items.c.inputs, open_.label("is_open"))
        of_loop = (items.c.run == self._key.run, items.c.ordinal == self._key.ordinal, items.c.number > number)
        # Without a journal, an iteration has at most come to its first call.
        started = exists().where(runs.c.id == items.c.id.concat(_FIRST_FLOW))
        journaled = exists().where(journal.c.run == items.c.id)
        # One that was planned again may be proven since.
        proven = exists().where(intents.c.item == items.c.id, intents.c.resource_id.is_not(None))
        begun = (items.c.state == PENDING) & (exists().where(*uncertain) | proven | journaled | started)
        wanted = select(*columns, self._condition().label("is_chosen")).where(
            *of_loop, items.c.state.in_((FAILED, UNKNOWN)) | begun
        )
        return self._connection.execute(wanted.order_by(items.c.number).limit(_BATCH)).all()

    def copy(self, batch: Sequence[Row[Any]]) -> int:
        """Copy their journals, as far as each is to be replayed; how many of these iterations are tried again."""
        entries = self._entries([row.id for row in batch])
        kept: list[dict[str, Any]] = []
        states: list[dict[str, Any]] = []
        replaced: list[str] = []
        for row in batch:
            wanted, change = self._plan(row, entries.get(row.id, []))
            again = ids.item_id(self._again, self._key.ordinal, row.number)
            kept += [{**entry, "run": again} for entry in wanted]
            if change is not None:
                states.append({"of": again, **change})
                if change["state"] == PENDING:
                    replaced += self._giving_place.get(_call_of(row.id, wanted), ())
            # Also of one that goes on where it was.
            if (row.state if change is None else change["state"]) == PENDING:
                self.proven += count_made_anew(ids.item_id("", self._key.ordinal, row.number), self._proven, wanted)
        if kept:
            self._connection.execute(insert(journal), kept)
        give_place(self._connection, replaced)
        if states:
            self._connection.execute(update(items).where(items.c.id == bindparam("of")), states)
        return sum(one["state"] == PENDING for one in states)

    def _plan(
        self, row: Row[Any], entries: list[dict[str, Any]]
    ) -> tuple[Sequence[Mapping[str, Any]], dict[str, Any] | None]:
        """The entries that the iteration keeps, and what changes of its item."""
        selection = self._selection
        if selection is None or not (row.is_chosen or row.state == PENDING):
            return entries, None
        is_under_way = row.is_open or (row.state == PENDING and self._started_a_flow(row.id, entries))
        if row.state == PENDING and is_under_way:
            return entries, {**_change(UNKNOWN, _UNDER_WAY), "inputs": row.inputs}
        # One that is pending was under way when the list stopped: its call was refused, and it has not ended. If the
        # outcome of its call is unknown, it ends so.
        is_wanted = row.state != PENDING or (selection.state == FAILED and not ends_unknown(entries))
        before = _without_failure(row.id, entries) if is_wanted else None
        if before is None or self._started_a_flow(row.id, before):
            return entries, None
        return before, {**_change(PENDING, None), "inputs": _replaced_inputs(row, selection)}

    def _condition(self) -> Any:
        return false() if self._selection is None else and_(*self._selection.conditions(self._key.run))

    def _entries(self, callers: list[str]) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._connection.execute(select(journal).where(journal.c.run.in_(callers))).mappings():
            found.setdefault(row["run"], []).append(dict(row))
        return found

    def _started_a_flow(self, item: str, entries: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the call after these entries once started a flow that is in the way of repeating it."""
        return _call_of(item, entries) in self._in_the_way


_FIRST_FLOW = ids.child_id("", 0)


def _call_of(item: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """``17.0`` for the call after these entries of item 17, its call 0."""
    return ids.child_id(item.rpartition("-")[2], next_call(entries))


def _started_flows(connection: Connection, key: LoopKey) -> tuple[set[str], dict[str, list[str]]]:
    """The calls of items (``17.0``) that started flows, here or in a run that this one took the place of.

    First those whose flows are in the way of repeating the call, then all flows that give their places, by call.
    """
    in_way: set[str] = set()
    giving: dict[str, list[str]] = {}
    for run in ids.lineage(key.run):
        prefix = ids.item_prefix(run, key.ordinal)
        in_way.update(ids.started_by(prefix, flow.id) for flow in in_the_way(connection, (prefix,)))
        for flow in giving_place(connection, prefix):
            giving.setdefault(ids.started_by(prefix, flow), []).append(flow)
    return in_way, giving


def _without_failure(item: str, entries: list[dict[str, Any]]) -> Sequence[Mapping[str, Any]] | None:
    """The entries before the failure; None when the iteration continued after a call whose outcome is unknown."""
    try:
        return before_the_failure(item, entries)
    except RunStateError:
        return None


def _change(state: str, error: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "state": state,
        "code": None if error is None else error["code"],
        "error": None if error is None else to_json(error),
        "finished_at": None,
    }


def _replaced_inputs(row: Row[Any], selection: ItemSelection) -> str | None:
    """The inputs that replace the flow's at the step that failed, as they are stored; earlier ones stay."""
    if not selection.inputs or row.error is None:
        inputs: str | None = row.inputs
        return inputs
    step = json.loads(row.error)["id"]
    earlier = json.loads(row.inputs) if row.inputs else {"step": step, "inputs": {}}
    kept = earlier["inputs"] if earlier["step"] == step else {}
    return to_json({"step": step, "inputs": {**kept, **selection.inputs}})


def _copy(connection: Connection, table: Any, changes: Mapping[str, Any], key: LoopKey) -> None:
    names = [column.name for column in table.c]
    chosen = select(*(changes.get(name, table.c[name]) for name in names))
    of_loop = chosen.where(table.c.run == key.run, table.c.ordinal == key.ordinal)
    connection.execute(insert(table).from_select(names, of_loop))
