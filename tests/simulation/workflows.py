"""The workflows of the simulation: who executes what. The real rows of the engine, in the simulated database.

The real engine's own program is not part of it: a process takes workflows from the queue, executes each as a task, and
notes that it has ended. Whatever else changes these rows is ours, and is real.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Column, Integer, MetaData, String, Table, delete, insert, select, update

from twilio_component.durable import ids
from twilio_component.durable.execution.run_queue import CHUNKS, RUN_CHUNK, RUN_FLOW, RUNS, RunQueue

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.fanout.store import LoopKey

ENQUEUED, PENDING, SUCCESS = "ENQUEUED", "PENDING", "SUCCESS"
_TEXTS = ("name", "status", "executor_id", "application_version", "queue_name", "owner_xid", "deduplication_id")
_NUMBERS = ("recovery_attempts", "workflow_deadline_epoch_ms", "started_at_epoch_ms", "created_at", "updated_at")

metadata = MetaData()
workflow_status = Table(
    "workflow_status",
    metadata,
    Column("workflow_uuid", String, primary_key=True),
    *(Column(name, String) for name in _TEXTS),
    *(Column(name, Integer) for name in _NUMBERS),
    Column("completed_at", Integer),
    Column("inputs", String),
)
_row = workflow_status.c


class Workflow(NamedTuple):
    """A workflow that a process has taken: a run's, or that of a chunk of a loop; ``owner`` is this execution of it."""

    id: str
    name: str
    inputs: list[Any]
    owner: str


class SimulatedQueue(RunQueue):
    """Enqueues in the caller's transaction, as the real one does."""

    def __init__(self) -> None:
        """It needs no client of the engine's."""

    def put(self, connection: Connection, runs: Iterable[str]) -> None:
        for run in sorted(set(runs)):
            self._put(connection, run, RUN_FLOW, RUNS, [run])

    def put_again(self, connection: Connection, run: str, workflow: str) -> None:
        self._put(connection, workflow, RUN_FLOW, RUNS, [run])

    def put_chunk(self, connection: Connection, loop: LoopKey, chunk: int, generation: int) -> None:
        workflow = ids.chunk_id(loop.run, loop.ordinal, chunk, generation)
        self._put(connection, workflow, RUN_CHUNK, CHUNKS, [loop.run, loop.ordinal, chunk])

    def _put(self, connection: Connection, workflow: str, name: str, queue: str, inputs: list[Any]) -> None:
        row = {"workflow_uuid": workflow, "name": name, "status": ENQUEUED, "queue_name": queue}
        new = insert(workflow_status).prefix_with("OR IGNORE")
        connection.execute(new.values(row | {"inputs": json.dumps(inputs)}))


def take(connection: Connection, executor: str, owner: str, most: int) -> list[Workflow]:
    """Take workflows from the queues for an executor, which executes them as this owner."""
    waiting = select(workflow_status).where(_row.status == ENQUEUED).order_by(_row.workflow_uuid).limit(most)
    found = [_workflow(row, owner) for row in connection.execute(waiting)]
    taken = update(workflow_status).where(_row.workflow_uuid.in_([one.id for one in found]))
    connection.execute(taken.values(status=PENDING, executor_id=executor, owner_xid=owner))
    return found


def start(connection: Connection, run: str, executor: str, owner: str) -> bool:
    """Start a run's workflow without the queue; False when it has been started or enqueued before."""
    row = {"workflow_uuid": run, "name": RUN_FLOW, "status": PENDING, "executor_id": executor, "owner_xid": owner}
    new = insert(workflow_status).prefix_with("OR IGNORE").values(row | {"inputs": json.dumps([run])})
    return connection.execute(new).rowcount == 1


def end(connection: Connection, workflow: str, owner: str) -> None:
    """Note that a workflow has ended, unless it was cancelled or another execution has it by now."""
    own = (_row.workflow_uuid == workflow, _row.owner_xid == owner, _row.status == PENDING)
    connection.execute(update(workflow_status).where(*own).values(status=SUCCESS))


def has_ended(connection: Connection, workflow: str) -> bool:
    """Whether the workflow is neither enqueued nor taken."""
    status = select(_row.status).where(_row.workflow_uuid == workflow)
    return connection.execute(status).scalar_one_or_none() not in (ENQUEUED, PENDING)


def pending(connection: Connection, executor: str | None = None) -> list[Workflow]:
    """Return the workflows that this executor, or anybody, has taken."""
    taken = select(workflow_status).where(_row.status == PENDING).order_by(_row.workflow_uuid)
    found = connection.execute(taken if executor is None else taken.where(_row.executor_id == executor))
    return [_workflow(row, row.owner_xid) for row in found]


def enqueue_again(connection: Connection, *, workflow: str | None = None, living: Collection[str] | None = None) -> int:
    """Enqueue a workflow that was taken, or all those whose executor is not among the living; their number."""
    which = _row.workflow_uuid == workflow if workflow is not None else _row.executor_id.not_in(living or ())
    lost = update(workflow_status).where(_row.status == PENDING, which)
    return connection.execute(lost.values(status=ENQUEUED, executor_id=None, owner_xid=None)).rowcount


def remove(connection: Connection, ids: Collection[str]) -> None:
    """Delete these workflows: their runs are purged."""
    connection.execute(delete(workflow_status).where(_row.workflow_uuid.in_(ids)))


def _workflow(row: Any, owner: str) -> Workflow:
    return Workflow(row.workflow_uuid, row.name, json.loads(row.inputs), owner)
