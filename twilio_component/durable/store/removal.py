"""What is deleted of runs: what people wrote when a run has succeeded, and everything when it is purged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, not_, or_, select, update

from twilio_component.durable.store.journal import INITIAL_STATE, RESULT
from twilio_component.durable.store.run_status import SUCCEEDED
from twilio_component.durable.store.schema import (
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
    from sqlalchemy import Connection

PIECE = 500
"""How many items one transaction deletes."""
_DIGEST = re.compile(r".*/[0-9a-f]{64}", re.DOTALL)


def is_of_conversation(queue: str) -> bool:
    """Whether a queue is that of a conversation: it is needed only while there are runs of it."""
    return _DIGEST.fullmatch(queue) is not None


def ended_before(connection: Connection, moment: float, limit: int) -> list[str]:
    """The ids of at most ``limit`` runs that ended before ``moment`` and that no run needs that ended later."""
    parent = runs.alias()
    newer = or_(parent.c.finished_at.is_(None), parent.c.finished_at >= moment)
    needed = exists().where(parent.c.id == runs.c.parent, newer)
    due = select(runs.c.id).where(runs.c.finished_at < moment, not_(needed)).limit(limit)
    return list(connection.execute(due).scalars())


def remove_succeeded_items(connection: Connection, ids: list[str]) -> bool:
    """Delete some of the items of these runs whose iterations succeeded, with their calls; whether there were any.

    A list has too many for one transaction, behind which everybody would wait. Nothing asks for them any more, even if
    an operator retries their run at this moment.
    """
    succeeded = select(items.c.id).where(items.c.run.in_(ids), items.c.state == SUCCEEDED)
    some = list(connection.execute(succeeded.limit(PIECE)).scalars())
    if some:
        connection.execute(delete(journal).where(journal.c.run.in_(some)))
        connection.execute(delete(intents).where(intents.c.item.in_(some)))
        connection.execute(delete(items).where(items.c.id.in_(some)))
    return bool(some)


def remove_runs(connection: Connection, ids: list[str]) -> None:
    """Delete everything that is stored about these runs."""
    of_items = select(items.c.id).where(items.c.run.in_(ids))
    # Two statements: with one `OR` a database would read the whole journal.
    connection.execute(delete(journal).where(journal.c.run.in_(of_items)))
    connection.execute(delete(journal).where(journal.c.run.in_(ids)))
    connection.execute(delete(items).where(items.c.run.in_(ids)))
    connection.execute(delete(loops).where(loops.c.run.in_(ids)))
    connection.execute(delete(intents).where(intents.c.run.in_(ids)))
    connection.execute(delete(events).where(events.c.run.in_(ids)))
    for table in (waits, replies, questions, turns):
        connection.execute(delete(table).where(table.c.run.in_(ids)))
    named = select(runs.c.queue).where(runs.c.id.in_(ids), runs.c.queue.is_not(None)).distinct()
    of_conversations = [name for name in connection.execute(named).scalars() if is_of_conversation(name)]
    connection.execute(delete(runs).where(runs.c.id.in_(ids)))
    if of_conversations:
        is_used = exists().where(runs.c.queue == queues.c.name)
        connection.execute(delete(queues).where(queues.c.name.in_(sorted(of_conversations)), not_(is_used)))


def remove_contents(connection: Connection, run: str) -> None:
    """Empty a run's journal entries; a failure has no contents."""
    of_run = journal.c.run == run
    connection.execute(delete(journal).where(of_run, journal.c.ordinal == INITIAL_STATE))
    connection.execute(update(journal).where(of_run, journal.c.is_failure.is_(False)).values(value="{}"))


def remove_replies(connection: Connection, run: str) -> None:
    """Empty what people have replied to a run's questions; late replies are kept, as their question says."""
    connection.execute(update(replies).where(replies.c.run == run, replies.c.is_late.is_(False)).values(data=None))
    contents = {"expects": "{}", "answer": None, "reply": None}
    connection.execute(update(questions).where(questions.c.run == run).values(contents))


def remove_result(connection: Connection, run: str) -> None:
    """Delete the result of a run after the run that waited for it has recorded it."""
    connection.execute(delete(journal).where(journal.c.run == run, journal.c.ordinal == RESULT))
