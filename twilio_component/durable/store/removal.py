"""What is deleted of runs: what people wrote when a run has succeeded, and everything when it is purged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, exists, not_, or_, select, tuple_, update

from twilio_component.durable.ids import FIRST_RETRY, retry_id
from twilio_component.durable.store.journal import INITIAL_STATE, RESULT
from twilio_component.durable.store.run_status import PURGED, RESUMABLE, RUNNING
from twilio_component.durable.store.schema import (
    UNCERTAIN,
    events,
    intents,
    items,
    journal,
    loops,
    questions,
    queues,
    replies,
    runs,
    turns,
    waits,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table

PIECE = 500
"""How many items one transaction deletes at most, with what belongs to each: others wait behind it."""
_ROWS = 2_000
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
    return runs.c.finished_at < moment, not_(needed), not_(_names_what_is_looked_for(moment))


def _names_what_is_looked_for(moment: float) -> ColumnElement[bool]:
    """Whether an equal call is in doubt, of a run that stays, which would take this run's message for its own."""
    own, doubtful = intents.alias(), runs.alias()
    equal = (intents.c.fingerprint == own.c.fingerprint, intents.c.resource_id.is_(None), UNCERTAIN)
    stays = or_(doubtful.c.finished_at.is_(None), doubtful.c.finished_at >= moment)
    goes_on = exists().where(doubtful.c.id == intents.c.run, doubtful.c.state.in_((RUNNING, *RESUMABLE)), stays)
    return exists().where(own.c.run == runs.c.id, own.c.resource_id.is_not(None), *equal, goes_on)


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


def remove_piece(connection: Connection, ids: list[str]) -> bool:
    """Delete some of what these runs, which have been given up, may have very much of; whether there was anything."""
    some = list(connection.execute(select(items.c.id).where(items.c.run.in_(ids)).limit(PIECE)).scalars())
    if some:
        connection.execute(delete(journal).where(journal.c.run.in_(some)))
        connection.execute(delete(intents).where(intents.c.item.in_(some)))
        connection.execute(delete(items).where(items.c.id.in_(some)))
        return True
    return any(_remove_some(connection, table, table.c.run.in_(ids)) for table in (journal, intents))


def _remove_some(connection: Connection, table: Table, which: ColumnElement[bool]) -> bool:
    key = tuple_(*table.primary_key)
    some = select(*table.primary_key).where(which).limit(_ROWS)
    return connection.execute(delete(table).where(key.in_(some))).rowcount > 0


def remove_old(connection: Connection, before: Mapping[Table, ColumnElement[bool]]) -> bool:
    """Delete some of the rows that meet the condition of their table; whether there were any."""
    return sum(_remove_some(connection, table, which) for table, which in before.items()) > 0


def remove_runs(connection: Connection, ids: list[str]) -> None:
    """Delete these runs, once ``remove_piece`` finds nothing of them any more."""
    for table in (loops, events, waits, replies, questions, turns):
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
