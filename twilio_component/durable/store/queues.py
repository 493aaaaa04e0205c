"""Queues of flows: runs that wait for others of their flow, in the order in which they were accepted.

Whatever changes which runs of a queue are running first locks the row of the queue, so that the processes take turns:
no two promote the same run, and the numbers of runs grow in the order in which their transactions commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select, update

from twilio_component.durable.store.run_status import QUEUED, RUNNING
from twilio_component.durable.store.schema import queues, runs
from twilio_component.durable.store.upsert import insert_once

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSlot:
    """A run's place in a queue of which at most ``limit`` runs are running at a time.

    A run is not accepted while another one with the same ``dedupe_id`` is queued or running, and a ``singleton`` not
    while any other one is.
    """

    queue: str
    limit: int = 1
    dedupe_id: str | None = None
    singleton: bool = False


def take_number(connection: Connection, slot: QueueSlot) -> int:
    """Lock the queue and return the next number in it."""
    of_queue = queues.c.name == slot.queue
    changes = {"last_number": queues.c.last_number + 1, "run_limit": slot.limit}
    while True:  # the row of a conversation that was there may be deleted at this moment
        insert_once(connection, queues, {"name": slot.queue, "run_limit": slot.limit, "last_number": 0})
        if connection.execute(update(queues).where(of_queue).values(changes)).rowcount:
            return int(connection.execute(select(queues.c.last_number).where(of_queue)).scalar_one())


def run_in_the_way(connection: Connection, slot: QueueSlot) -> str | None:
    """Return the run of the queue because of which one with this slot is not accepted, if there is one."""
    if slot.dedupe_id is None and not slot.singleton:
        return None
    conditions = [runs.c.queue == slot.queue, runs.c.state.in_((QUEUED, RUNNING))]
    if not slot.singleton:
        conditions.append(runs.c.dedupe_id == slot.dedupe_id)
    first = select(runs.c.id).where(*conditions).order_by(runs.c.queue_number).limit(1)
    return connection.execute(first).scalar_one_or_none()


def lock_queue(connection: Connection, queue: str) -> None:
    """Lock the row of a queue until the end of the transaction."""
    # A change that changes nothing locks on every database.
    connection.execute(update(queues).where(queues.c.name == queue).values(name=queue))


_QUEUE_OF = select(runs.c.queue).where(runs.c.id == bindparam("of_run"))


def lock_queue_of(connection: Connection, run: str) -> str | None:
    """Lock the queue of a run and return its name; None for a run without one."""
    name: str | None = connection.execute(_QUEUE_OF, {"of_run": run}).scalar_one_or_none()
    if name is not None:
        lock_queue(connection, name)
    return name


def promote(connection: Connection, queue: str) -> list[str]:
    """Set the next runs of a locked queue to running, as many as its limit leaves room for; return their ids."""
    limit = connection.execute(select(queues.c.run_limit).where(queues.c.name == queue)).scalar_one_or_none() or 1
    of_queue = runs.c.queue == queue
    running = connection.execute(select(func.count()).where(of_queue, runs.c.state == RUNNING)).scalar_one()
    if running >= limit:
        return []
    next_runs = select(runs.c.id).where(of_queue, runs.c.state == QUEUED).order_by(runs.c.queue_number)
    ids = list(connection.execute(next_runs.limit(limit - running)).scalars())
    if ids:
        connection.execute(update(runs).where(runs.c.id.in_(ids)).values(state=RUNNING))
    return ids


def promote_all(connection: Connection, enqueue: Callable[[Connection, Sequence[str]], None]) -> None:
    """Set to running, and enqueue, the next runs of every queue that has room for them."""
    waiting = select(runs.c.queue).where(runs.c.state == QUEUED).distinct()
    for queue in sorted(connection.execute(waiting).scalars()):
        lock_queue(connection, queue)
        enqueue(connection, promote(connection, queue))
