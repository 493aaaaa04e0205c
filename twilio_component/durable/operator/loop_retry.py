"""Loops of runs that are resumed, or run again: what has been carried out is not begun again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, String, cast, exists, insert, literal, null, or_, select, update

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.fanout.store import PENDING, LoopKey
from twilio_component.durable.operator.journal_replay import answers_of, started_and_did, until_the_failure
from twilio_component.durable.sending.intents import CLAIMED, IN_DOUBT
from twilio_component.durable.store.run_status import UNKNOWN
from twilio_component.durable.store.schema import intents, items, journal, loops
from twilio_component.durable.store.upsert import written
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.interpreter.state import failure_record

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

_ORDINAL = re.compile(r"\d+")


def has_open_calls(connection: Connection, run: str) -> bool:
    """Whether a call of the run's own was under way when it failed: nobody knows what became of it."""
    own = (intents.c.run == run, intents.c.item.is_(None), intents.c.state.in_((CLAIMED, IN_DOUBT)))
    return connection.execute(select(intents.c.key).where(*own).limit(1)).one_or_none() is not None


def renew_chunks(connection: Connection, run: str) -> None:
    """Let the pieces of a run that is resumed be carried out again: those that were stopped are not whole."""
    connection.execute(update(loops).where(loops.c.run == run).values(generation=loops.c.generation + 1))


def loop_to_go_on_with(connection: Connection, run: str) -> int | None:
    """The loop (its ordinal) at which a failed or unknown run is to go on, if it is at a loop.

    That is one whose items could not be had, or one with rounds whose outcome is unknown. Raises ``RunStateError`` when
    the run did something after it that must not be done twice.
    """
    of_run = (items.c.run == run, items.c.state == UNKNOWN)
    ordinals = list(connection.execute(select(items.c.ordinal).where(*of_run).distinct()).scalars())
    failed = select(loops.c.ordinal).where(loops.c.run == run, loops.c.finished_at.is_(None))
    ordinals += connection.execute(failed).scalars()
    if not ordinals:
        return None
    loop: int = min(ordinals)
    if _has_done_something_after(connection, run, loop):
        raise RunStateError(
            f"the run '{run}' went on after a loop with unknown outcomes and did something that must not be done "
            "twice; it can only be resolved"
        )
    return loop


def _has_done_something_after(connection: Connection, run: str, loop: int) -> bool:
    """Whether a later call of the run did something, or was a loop, or began a flow, that did."""
    inside = or_(intents.c.run == run, intents.c.run.startswith(f"{run}.", autoescape=True))
    keys = connection.execute(select(intents.c.key).where(inside)).scalars()
    # The run's own calls are RUN:5; those of rounds RUN.5-17:0, and those of flows that it began RUN.5:0.
    return any(int(_ORDINAL.findall(key[len(run) :])[0]) > loop for key in keys)


def copy_loop(connection: Connection, key: LoopKey, again: str, *, resend: bool) -> None:
    """Give the run ``again`` the loop as it stands, with what the calls of its open rounds were answered with.

    With ``resend`` rounds whose outcome is unknown go on from the call whose outcome that is. One that went on after it
    stays as it is.
    """
    _copy(connection, loops, {"run": literal(again), "generation": literal(0), "finished_at": null()}, key)
    prefix = f"{again}.{key.ordinal}-"
    changes: dict[str, ColumnElement[Any]] = {
        "id": literal(prefix).concat(cast(items.c.number, String)),
        "run": literal(again),
    }
    _copy(connection, items, changes, key)
    open_ = exists().where(intents.c.item == items.c.id, intents.c.state.in_((CLAIMED, IN_DOUBT)))
    begun = (items.c.state == PENDING) & (open_ | exists().where(journal.c.run == items.c.id))
    rounds = select(items.c.id, items.c.number, items.c.state, open_.label("is_open")).where(
        items.c.run == key.run, items.c.ordinal == key.ordinal, (items.c.state == UNKNOWN) | begun
    )
    for row in connection.execute(rounds).all():
        _copy_iteration(connection, row, f"{prefix}{row.number}", resend=resend)


def _copy_iteration(connection: Connection, row: Row[Any], again: str, *, resend: bool) -> None:
    """Let a round go on as ``again``: one that is unknown, or one that had begun when its run failed."""
    answers: Sequence[Mapping[str, Any]] = answers_of(connection, row.id)
    error = None
    if row.state == UNKNOWN:
        try:
            answers = until_the_failure(row.id, answers) if resend else answers
        except RunStateError:
            resend = False
        resend = resend and started_and_did(connection, row.id, answers) is None
    elif row.is_open or started_and_did(connection, row.id, answers) is not None:
        words = "it was under way when the run failed, and may have happened"
        error = failure_record("", "", Failure(code="outcome-unknown", message=words, outcome_unknown=True))
    if answers:
        connection.execute(insert(journal), [{**one, "run": again} for one in answers])
    changes: dict[str, Any] = {}
    if resend:
        changes = {"state": PENDING}
    elif error is not None:
        changes = {"state": UNKNOWN, "code": error["code"], "error": written(error)}
    if changes:
        connection.execute(update(items).where(items.c.id == again).values(changes))


def _copy(connection: Connection, table: Any, changes: dict[str, ColumnElement[Any]], key: LoopKey) -> None:
    names = [column.name for column in table.c]
    chosen = select(*(changes.get(name, table.c[name]) for name in names))
    of_loop = chosen.where(table.c.run == key.run, table.c.ordinal == key.ordinal)
    connection.execute(insert(table).from_select(names, of_loop))
