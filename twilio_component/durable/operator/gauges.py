"""What the database says of all processes together: runs that have not ended, what they wait for, and queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from twilio_component.durable.execution.run_queue import CHUNKS, RUNS
from twilio_component.durable.store.item_ends import PENDING
from twilio_component.durable.store.run_status import QUEUED, RESUMABLE, RUNNING, UNKNOWN
from twilio_component.durable.store.schema import items, runs, waits
from twilio_component.durable.store.workflow_rows import oldest_enqueued

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

OPEN = (QUEUED, RUNNING, UNKNOWN, *RESUMABLE)
"""The states of runs that a process or an operator still has to act on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """``open_runs`` by flow and state; ``waiting_runs``, those among them that wait as rows, by what they wait for.

    ``held_iterations`` are those of lists that wait, for quiet hours for example, by flow.
    ``queue_ages`` are in seconds by queue: of the run or chunk that waits longest.
    """

    open_runs: dict[tuple[str, str], int]
    waiting_runs: dict[str, int]
    held_iterations: dict[str, int]
    queue_ages: dict[str, float]


async def read_gauges(database: Database) -> Gauges:
    """Read them; raises ``StoreUnavailableError``."""

    def work(connection: Connection) -> Gauges:
        now = database.now(connection)
        oldest = func.min(runs.c.created_at)
        counting = select(runs.c.flow, runs.c.state, func.count(), oldest).where(runs.c.state.in_(OPEN))
        rows = connection.execute(counting.group_by(runs.c.flow, runs.c.state)).all()
        queued = [row[3] for row in rows if row.state == QUEUED]
        by_reason = connection.execute(select(waits.c.reason, func.count()).group_by(waits.c.reason)).all()
        held = (items.c.held_until.is_not(None), items.c.state == PENDING, runs.c.state.in_(OPEN))
        of_flow = select(runs.c.flow, func.count()).join(items, items.c.run == runs.c.id).where(*held)
        by_flow = connection.execute(of_flow.group_by(runs.c.flow)).all()
        enqueued = oldest_enqueued(connection, (RUNS, CHUNKS))
        since = {"runs": enqueued.get(RUNS), "chunks": enqueued.get(CHUNKS), "flow": min(queued, default=None)}
        return Gauges(
            open_runs={(row.flow, row.state): row[2] for row in rows},
            waiting_runs={row.reason: row[1] for row in by_reason},
            held_iterations={row.flow: row[1] for row in by_flow},
            queue_ages={name: 0.0 if time is None else max(0.0, now - time) for name, time in since.items()},
        )

    return await database.run(work)
