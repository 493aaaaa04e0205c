"""What is deleted of runs: what people wrote when a run has succeeded, and everything when it is purged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, exists, func, not_, or_, select, tuple_, update

from twilio_component.durable.ids import FIRST_RETRY, retry_id
from twilio_component.durable.store.events import forget_events
from twilio_component.durable.store.journal import INITIAL_STATE, RESULT
from twilio_component.durable.store.run_status import PURGED
from twilio_component.durable.store.schema import (
    UNCERTAIN,
    intents,
    items,
    journal,
    loops,
    purged_resources,
    questions,
    queues,
    replies,
    runs,
    turns,
    waits,
)
from twilio_component.durable.store.upsert import insert_each_once

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table

PIECE = 500
"""How many items one transaction deletes at most, with what belongs to each: others wait behind it."""
OPEN_SECONDS = 2 * 3600.0
"""For how much longer a run is kept that ended while the outcome of a call was open.

That is more than ``lagBound`` and ``timeout`` can be, together with what clocks may differ by.
"""
_MOST_AHEAD = 24 * 3600.0  # the provider's clock, and half a minute of ours
_ROWS = 2_000
_FIRST_UNCERTAIN = select(func.min(intents.c.claimed_at)).where(UNCERTAIN)
_RETRY = retry_id("", FIRST_RETRY)
_DIGEST = re.compile(r".*/[0-9a-f]{64}", re.DOTALL)


def is_of_conversation(queue: str) -> bool:
    """Whether a queue is that of a conversation: it is needed only while there are runs of it."""
    return _DIGEST.fullmatch(queue) is not None


def _is_due(moment: float) -> tuple[ColumnElement[bool], ...]:
    other = runs.alias()
    # The one that started it would start it anew on replay, and its retry asks what it and its flows have done. So the
    # newest attempt goes first, and what the attempts have started after them.
    needs_it = or_(other.c.id == runs.c.parent, other.c.id == runs.c.id.concat(_RETRY))
    needed = exists().where(needs_it, other.c.state != PURGED)
    # What a call with an open outcome has created has no name yet: equal calls that may see it count that call.
    has_open_calls = exists().where(intents.c.run == runs.c.id, UNCERTAIN)
    is_long_ago = runs.c.finished_at < moment - OPEN_SECONDS
    return runs.c.finished_at < moment, not_(needed), or_(is_long_ago, not_(has_open_calls))


def looked_back_to(connection: Connection, now: float) -> float:
    """The time such that no call that is in doubt, or comes into doubt, sees what was claimed before it."""
    first = connection.execute(_FIRST_UNCERTAIN).scalar_one()
    return (now if first is None else min(now, first)) - _MOST_AHEAD


def due_runs(connection: Connection, moment: float, limit: int) -> list[tuple[str, str | None]]:
    """The ``id`` and the ``parent`` of at most ``limit`` runs that are to be purged."""
    due = select(runs.c.id, runs.c.parent).where(*_is_due(moment)).limit(limit)
    return [(row.id, row.parent) for row in connection.execute(due)]


def give_up_ended(connection: Connection, moment: float, limit: int) -> list[str]:
    """Give up at most ``limit`` runs that ended before ``moment`` and that no other run needs; their ids."""
    due = due_runs(connection, moment, limit)
    # One that is resumed or retried at this moment is not due any more: once they are locked, we look again.
    involved = {one for row in due for one in row if one is not None}
    locking = select(runs.c.id).where(runs.c.id.in_(sorted(involved))).order_by(runs.c.id).with_for_update()
    connection.execute(locking)
    given_up = update(runs).where(runs.c.id.in_([run for run, _ in due]), *_is_due(moment)).values(state=PURGED)
    return list(connection.execute(given_up.returning(runs.c.id)).scalars())


def give_up_runs(connection: Connection, ids: list[str]) -> None:
    """Prevent all operations on these runs: from now on parts of them are missing."""
    connection.execute(update(runs).where(runs.c.id.in_(ids)).values(state=PURGED))


def remove_piece(connection: Connection, ids: list[str], seen_from: float) -> bool:
    """Delete some of what these runs, which have been given up, may have very much of; whether there was anything.

    The ids of what their calls have created since ``seen_from`` are kept (see ``looked_back_to``).
    """
    some = list(connection.execute(select(items.c.id).where(items.c.run.in_(ids)).limit(PIECE)).scalars())
    if some:
        connection.execute(delete(journal).where(journal.c.run.in_(some)))
        _remove_calls(connection, intents.c.item.in_(some), seen_from)
        connection.execute(delete(items).where(items.c.id.in_(some)))
        return True
    if _remove_some(connection, journal, journal.c.run.in_(ids)):
        return True
    of_runs = select(intents.c.key).where(intents.c.run.in_(ids)).limit(_ROWS)
    return _remove_calls(connection, intents.c.key.in_(of_runs), seen_from)


def _remove_calls(connection: Connection, which: ColumnElement[bool], seen_from: float) -> bool:
    removal = delete(intents).where(which).returning(intents.c.resource_id, intents.c.claimed_at)
    removed = connection.execute(removal).all()
    created = [row for row in removed if row.resource_id is not None and row.claimed_at is not None]
    kept = [dict(row._mapping) for row in created if row.claimed_at >= seen_from]  # noqa: SLF001 - SQLAlchemy's public name for it
    if kept:
        insert_each_once(connection, purged_resources, kept)
    return bool(removed)


def _remove_some(connection: Connection, table: Table, which: ColumnElement[bool]) -> bool:
    key = tuple_(*table.primary_key)
    some = select(*table.primary_key).where(which).limit(_ROWS)
    return connection.execute(delete(table).where(key.in_(some))).rowcount > 0


def remove_old(connection: Connection, before: Mapping[Table, ColumnElement[bool]]) -> bool:
    """Delete some of the rows that meet the condition of their table; whether there were any."""
    return sum(_remove_some(connection, table, which) for table, which in before.items()) > 0


def remove_runs(connection: Connection, ids: list[str], now: float) -> None:
    """Delete these runs at the time ``now``, once ``remove_piece`` finds nothing of them any more."""
    forget_events(connection, ids, now)
    for table in (loops, waits, replies, questions, turns):
        connection.execute(delete(table).where(table.c.run.in_(ids)))
    named = select(runs.c.queue).where(runs.c.id.in_(ids), runs.c.queue.is_not(None)).distinct()
    of_conversations = [name for name in connection.execute(named).scalars() if is_of_conversation(name)]
    connection.execute(delete(runs).where(runs.c.id.in_(ids)))
    if of_conversations:
        is_used = exists().where(runs.c.queue == queues.c.name)
        connection.execute(delete(queues).where(queues.c.name.in_(sorted(of_conversations)), not_(is_used)))


def remove_contents(connection: Connection, run: str) -> None:
    """Empty a run's journal entries; a failure has no contents."""
    connection.execute(_FORGET_STATE, {"of_run": run})
    connection.execute(_EMPTY, {"of_run": run})


_OF_RUN = journal.c.run == bindparam("of_run")
_FORGET_STATE = delete(journal).where(_OF_RUN, journal.c.ordinal == INITIAL_STATE)
_EMPTY = update(journal).where(_OF_RUN, journal.c.is_failure.is_(False)).values(value="{}")


def remove_replies(connection: Connection, run: str) -> None:
    """Empty what people have replied to a run's questions; late replies are kept, as their question says."""
    connection.execute(update(replies).where(replies.c.run == run, replies.c.is_late.is_(False)).values(data=None))
    contents = {"expects": "{}", "answer": None, "reply": None}
    connection.execute(update(questions).where(questions.c.run == run).values(contents))


def remove_result(connection: Connection, run: str) -> None:
    """Delete the result of a run after the run that waited for it has recorded it."""
    connection.execute(delete(journal).where(journal.c.run == run, journal.c.ordinal == RESULT))
