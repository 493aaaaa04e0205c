"""Loops of runs that are resumed or retried: iterations that have ended are not started again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, String, cast, exists, insert, literal, null, or_, select, update

from twilio_component.durable import ids
from twilio_component.durable.errors import RunStateError
from twilio_component.durable.fanout.store import PENDING, LoopKey
from twilio_component.durable.operator.journal_replay import (
    before_the_failure,
    entries_of,
    started_flow_that_acted,
)
from twilio_component.durable.sending.intents import CLAIMED, IN_DOUBT
from twilio_component.durable.store.run_status import UNKNOWN
from twilio_component.durable.store.schema import intents, items, journal, loops
from twilio_component.durable.store.upsert import to_json
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.interpreter.state import failure_record

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


def has_open_calls(connection: Connection, run: str) -> bool:
    """Whether a call of the run itself was under way when it failed, so that its outcome is unknown."""
    own = (intents.c.run == run, intents.c.item.is_(None), intents.c.state.in_((CLAIMED, IN_DOUBT)))
    return connection.execute(select(intents.c.key).where(*own).limit(1)).one_or_none() is not None


def renew_chunks(connection: Connection, run: str) -> None:
    """Let the chunks of a run that is resumed be executed again: those that were stopped are not complete."""
    connection.execute(update(loops).where(loops.c.run == run).values(generation=loops.c.generation + 1))


def loop_to_continue(connection: Connection, run: str) -> int | None:
    """The ordinal of the loop at which a failed or unknown run continues, or None.

    That is a loop whose items could not be had, or one with iterations whose outcome is unknown. Raises
    ``RunStateError`` when the run did something after it that must not be done twice.
    """
    of_run = (items.c.run == run, items.c.state == UNKNOWN)
    ordinals = list(connection.execute(select(items.c.ordinal).where(*of_run).distinct()).scalars())
    failed = select(loops.c.ordinal).where(loops.c.run == run, loops.c.finished_at.is_(None))
    ordinals += connection.execute(failed).scalars()
    if not ordinals:
        return None
    loop: int = min(ordinals)
    if _acted_after(connection, run, loop):
        raise RunStateError(
            f"the run '{run}' continued after a loop with unknown outcomes and did something that must not be done "
            "twice; it can only be resolved"
        )
    return loop


def _acted_after(connection: Connection, run: str, loop: int) -> bool:
    """Whether a later call of the run, or something that it started, did anything that must not be done twice."""
    inside = or_(intents.c.run == run, intents.c.run.startswith(ids.descendant_prefix(run), autoescape=True))
    keys = connection.execute(select(intents.c.key).where(inside)).scalars()
    return any(ids.ordinal_within(run, key) > loop for key in keys)


def copy_loop(connection: Connection, key: LoopKey, again: str, *, resend: bool) -> None:
    """Copy the loop to the run ``again`` as it stands, with the journals of its open iterations.

    With ``resend``, iterations with an unknown outcome continue at the call that has it. One that continued after such
    a call stays as it is.
    """
    _copy(connection, loops, {"run": literal(again), "generation": literal(0), "finished_at": null()}, key)
    prefix = ids.item_prefix(again, key.ordinal)
    changes: dict[str, ColumnElement[Any]] = {
        "id": literal(prefix).concat(cast(items.c.number, String)),
        "run": literal(again),
    }
    _copy(connection, items, changes, key)
    open_ = exists().where(intents.c.item == items.c.id, intents.c.state.in_((CLAIMED, IN_DOUBT)))
    started = (items.c.state == PENDING) & (open_ | exists().where(journal.c.run == items.c.id))
    iterations = select(items.c.id, items.c.number, items.c.state, open_.label("is_open")).where(
        items.c.run == key.run, items.c.ordinal == key.ordinal, (items.c.state == UNKNOWN) | started
    )
    for row in connection.execute(iterations).all():
        _copy_iteration(connection, row, f"{prefix}{row.number}", resend=resend)


def _copy_iteration(connection: Connection, row: Row[Any], again: str, *, resend: bool) -> None:
    """Let an iteration continue as ``again``: its outcome is unknown, or it had started when its run failed."""
    entries: Sequence[Mapping[str, Any]] = entries_of(connection, row.id)
    error = None
    if row.state == UNKNOWN:
        try:
            entries = before_the_failure(row.id, entries) if resend else entries
        except RunStateError:
            resend = False
        resend = resend and started_flow_that_acted(connection, row.id, entries) is None
    elif row.is_open or started_flow_that_acted(connection, row.id, entries) is not None:
        message = "it was under way when the run failed, and may have happened"
        error = failure_record("", "", Failure(code="outcome-unknown", message=message, outcome_unknown=True))
    if entries:
        connection.execute(insert(journal), [{**entry, "run": again} for entry in entries])
    changes: dict[str, Any] = {}
    if resend:
        changes = {"state": PENDING}
    elif error is not None:
        changes = {"state": UNKNOWN, "code": error["code"], "error": to_json(error)}
    if changes:
        connection.execute(update(items).where(items.c.id == again).values(changes))


def _copy(connection: Connection, table: Any, changes: dict[str, ColumnElement[Any]], key: LoopKey) -> None:
    names = [column.name for column in table.c]
    chosen = select(*(changes.get(name, table.c[name]) for name in names))
    of_loop = chosen.where(table.c.run == key.run, table.c.ordinal == key.ordinal)
    connection.execute(insert(table).from_select(names, of_loop))
