"""Runs that wait as a row: no process executes them, and an event or a time has them executed again.

A run that is executed has no row here. Whatever wakes a run deletes its row and enqueues it in one transaction, so of
several events at the same time one wakes it; the run looks at what is stored by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, select, update

from twilio_component.durable import ids
from twilio_component.durable.store.acts import Acts, acts_of
from twilio_component.durable.store.call_states import PLANNED
from twilio_component.durable.store.conversations import lock_conversation
from twilio_component.durable.store.journal import last_call
from twilio_component.durable.store.question_states import OPEN as OPEN_QUESTION
from twilio_component.durable.store.question_states import QUEUED as QUEUED_QUESTION
from twilio_component.durable.store.run_status import QUEUED, RUNNING
from twilio_component.durable.store.schema import intents, questions, runs, turns, waits
from twilio_component.durable.store.upsert import insert_once
from twilio_component.durable.store.workflow_rows import has_taken

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from twilio_component.durable.errors import CallHeld
    from twilio_component.durable.store.database import Database

REPLY, DELIVERY, ORDER, FLOW = "reply", "delivery", "order", "flow"
"""What a run waits for: a person's reply, news of a message, its turn in a conversation, or a flow that it has started.

A run whose call is held for another reason waits for that: its kind of hold.
"""


class Holder(NamedTuple):
    """The workflow that executes a run, and the process that executes the workflow, by their ids."""

    workflow: str
    executor: str


Enqueue = Callable[["Connection", str, str], None]
"""Has a run executed, as the workflow with this id."""


class WaitStore:
    """Reads and writes what concerns the waits of a run. Its methods retry until the database is available."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def go_on(self, run: str, holder: Holder) -> bool:
        """Let the run wait no more, should it wait as a row; False when it stays waiting.

        It stays so when it is not this holder's any more: another process has taken it over and let it wait. Without
        the row nothing would wake it, should the one that is late die now.
        """

        def work(connection: Connection) -> bool:
            is_waiting = connection.execute(select(waits.c.run).where(waits.c.run == run)).first() is not None
            if is_waiting and not has_taken(connection, *holder):
                return False
            unpark(connection, run)
            return True

        return await self._database.run_until_available(work)

    def park_for(self, connection: Connection, run: str, reason: str, seconds: float, effect: str) -> None:
        """Let a run wait for so many seconds, or for news of ``effect``, in the caller's transaction."""
        # By the clock by which it is woken: that of this machine may have been set.
        park(connection, run, reason, until=self._database.now(connection) + seconds, effect=effect)

    async def wake_behind(self, run: str, enqueue: Enqueue, *, wait_for_database: bool = False) -> None:
        """Wake the runs that wait for a turn after this run's, or until its question is answered.

        It has stopped or ended, and does not hold them up any more.
        """
        do = self._database.run_until_available if wait_for_database else self._database.run
        # Each in a transaction of its own: who holds a conversation may change any run, but not the other way round.
        for conversation in await do(partial(conversations_behind, run=run)):
            await do(partial(wake_next_in_order, conversation=conversation, enqueue=enqueue))
        for conversation in await do(partial(conversations_asked_in, run=run)):
            await do(partial(wake_next_to_ask, conversation=conversation, enqueue=enqueue))

    async def hold(self, run: str, held: CallHeld, question: str | None = None) -> bool:
        """Let a run whose call is held wait as a row; False when nothing holds the call any more.

        That is so for a send of a ``question``, by its key, that has ended meanwhile: its end wakes only those who wait
        already. A run that has been paused or cancelled may wait, too: whatever executes it finds that.
        """

        def work(connection: Connection) -> bool:
            now = self._database.now(connection)
            if held.recheck is not None:
                until = held.recheck(connection, now)
            else:  # its time is by this machine's clock
                until = None if held.until is None else now + held.until - self._database.clock.now()
            if question is not None and not _is_open(connection, question):
                until = None
            unpark(connection, run)
            if until is not None:
                park(connection, run, held.kind, until=until)
            return until is not None

        return await self._database.run_until_available(work)

    async def hold_for(self, run: str, started: str) -> bool:
        """Let a run wait as a row for the end of the run that it has started; False when that has ended or stopped."""

        def work(connection: Connection) -> bool:
            # Who ends it changes its row: until then, or until this transaction ends, one of the two waits.
            state = select(runs.c.state).where(runs.c.id == started).with_for_update(read=True)
            if connection.execute(state).scalar_one_or_none() not in (RUNNING, QUEUED):
                return False
            unpark(connection, run)
            park(connection, run, FLOW, until=None, effect=started)
            return True

        return await self._database.run_until_available(work)

    async def last_call(self, run: str) -> int:
        """The ordinal of the last call of a run that has begun, whether it has a result or not."""
        return await self._database.run_until_available(lambda connection: last_call(connection, run))

    async def acts_of(self, caller: str) -> Acts:
        """What a run, or an item's iteration, and whatever it started has done."""
        return await self._database.run_until_available(lambda connection: acts_of(connection, caller))


def _is_open(connection: Connection, question: str) -> bool:
    """Whether a question is open; until the transaction ends, it stays so."""
    of_question = questions.c.key == question
    conversation = connection.execute(select(questions.c.conversation).where(of_question)).scalar_one_or_none()
    if conversation is None:
        return False
    lock_conversation(connection, conversation)
    state = connection.execute(select(questions.c.state).where(of_question)).scalar_one_or_none()
    return state == OPEN_QUESTION


def park(connection: Connection, run: str, reason: str, *, until: float | None, effect: str | None = None) -> None:
    """Let a run wait; whatever executes it must end after this."""
    insert_once(connection, waits, {"run": run, "reason": reason, "until": until, "effect": effect})


def unpark(connection: Connection, run: str) -> None:
    """Note that a process executes the run, although it was waiting: an operator resumed it, or a process died."""
    connection.execute(delete(waits).where(waits.c.run == run))


def wake(connection: Connection, run: str, enqueue: Enqueue) -> bool:
    """Have a waiting run executed; False for one that does not wait, since a process executes it."""
    if connection.execute(delete(waits).where(waits.c.run == run)).rowcount != 1:
        return False
    counted = update(runs).where(runs.c.id == run).values(wakes=runs.c.wakes + 1).returning(runs.c.wakes)
    number = connection.execute(counted).scalar_one_or_none()
    if number is not None:
        enqueue(connection, run, ids.wake_id(run, number))
    return number is not None


def wake_by_effect(connection: Connection, effect: str, enqueue: Enqueue) -> int:
    """Wake the runs that wait for news of this; their number."""
    found = connection.execute(select(waits.c.run).where(waits.c.effect == effect)).scalars().all()
    return sum(wake(connection, run, enqueue) for run in sorted(found))


def wake_next_in_order(connection: Connection, conversation: str, enqueue: Enqueue) -> None:
    """Wake the run of the conversation's first call that waits for its turn."""
    lock_conversation(connection, conversation)
    # The run may have made earlier calls in the conversation, and one that was stopped keeps its turn and its wait.
    waiting = (
        select(waits.c.run)
        .join(turns, turns.c.run == waits.c.run)
        .join(intents, intents.c.key == turns.c.key)
        .join(runs, runs.c.id == waits.c.run)
        .where(turns.c.conversation == conversation, waits.c.reason == ORDER)
        .where(intents.c.state == PLANNED, runs.c.state == RUNNING)
        .order_by(turns.c.number)
        .limit(1)
    )
    run = connection.execute(waiting).scalar_one_or_none()
    if run is not None:
        wake(connection, run, enqueue)


def conversations_behind(connection: Connection, run: str) -> list[str]:
    """The conversations in which runs wait for their turn, and this run has a call that has not been made."""
    others = turns.alias()
    found = (
        select(turns.c.conversation)
        .join(intents, intents.c.key == turns.c.key)
        .join(others, (others.c.conversation == turns.c.conversation) & (others.c.number > turns.c.number))
        .join(waits, waits.c.run == others.c.run)
        .where(turns.c.run == run, intents.c.state == PLANNED, waits.c.reason == ORDER)
    )
    return sorted(set(connection.execute(found).scalars()))


def conversations_asked_in(connection: Connection, run: str) -> list[str]:
    """The conversations in which a question of this run is open."""
    found = select(questions.c.conversation).where(questions.c.run == run, questions.c.state == OPEN_QUESTION)
    return sorted(set(connection.execute(found).scalars()))


def wake_next_to_ask(connection: Connection, conversation: str, enqueue: Enqueue) -> None:
    """Wake the run whose question is the conversation's next, to try again to open it."""
    lock_conversation(connection, conversation)
    following = next_to_ask(connection, conversation)
    if following is not None:
        wake(connection, following.run, enqueue)


def next_to_ask(connection: Connection, conversation: str) -> Row[Any, Any] | None:
    """The first of a conversation's questions that wait until another one is closed."""
    waiting = (
        select(questions.c.key, questions.c.run)
        .join(runs, runs.c.id == questions.c.run)
        .where(questions.c.conversation == conversation, questions.c.state == QUEUED_QUESTION)
        .where(runs.c.state == RUNNING)
        .order_by(questions.c.created_at, questions.c.key)
    )
    return connection.execute(waiting.limit(1)).one_or_none()


def due(connection: Connection, now: float, limit: int) -> list[tuple[str, str]]:
    """The runs whose time has come, at most ``limit``, each with what it waits for."""
    waiting = select(waits.c.run, waits.c.reason).where(waits.c.until <= now).order_by(waits.c.until).limit(limit)
    return [(row.run, row.reason) for row in connection.execute(waiting)]


def workflow_ids(connection: Connection, run_ids: Iterable[str]) -> list[str]:
    """The ids of all workflows that have executed these runs."""
    counts = connection.execute(select(runs.c.id, runs.c.wakes).where(runs.c.id.in_(list(run_ids))))
    return [one for row in counts for one in (row.id, *(ids.wake_id(row.id, n + 1) for n in range(row.wakes)))]
