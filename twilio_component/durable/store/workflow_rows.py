"""The workflow engine's own rows, where they must change in one transaction with ours."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, column, exists, func, inspect, or_, select, table, text, update

from twilio_component.durable import ids
from twilio_component.durable.store.run_status import RESUMABLE, RUNNING
from twilio_component.durable.store.schema import runs

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

VERSION = "5"
"""The version of the runs that this release stores: only processes that know it are given them.

It grows when a run may need what processes of the release before do not have, such as a new built-in step.
"""
EARLIER_VERSIONS = ("4",)
"""The versions of earlier releases whose runs this release continues; see ``adopt_workflows``."""

_ENQUEUED, _CANCELLED = "ENQUEUED", "CANCELLED"
# The engine's indexes of open workflows are partial. A database uses them where the condition is spelt out, and as they
# spell it: SQLite compares texts, and neither looks at parameters. Without them each look reads all that ever ran.
_IS_PENDING = text("status = 'PENDING'")
_IS_OPEN = text("status IN ('ENQUEUED', 'PENDING')")
_IS_ENQUEUED = and_(_IS_OPEN, text("status = 'ENQUEUED'"))
_ENDED = ("SUCCESS", "ERROR")
_NAMES = (
    "workflow_uuid",
    "name",
    "status",
    "executor_id",
    "application_version",
    "queue_name",
    "owner_xid",
    "deduplication_id",
    "recovery_attempts",
    "workflow_deadline_epoch_ms",
    "started_at_epoch_ms",
    "created_at",
    "updated_at",
    "completed_at",
)


def pending_executors(connection: Connection, versions: Collection[str]) -> set[str]:
    """The ids of the executors of these versions that have taken workflows and not ended them."""
    rows = _rows(connection)
    pending = (_IS_PENDING, rows.c.application_version.in_(versions), rows.c.executor_id.is_not(None))
    return set(connection.execute(select(rows.c.executor_id).where(*pending).distinct()).scalars())


class PendingWorkflow(NamedTuple):
    """A workflow that an executor has taken and not ended; ``taken_at`` in seconds since 1970."""

    id: str
    name: str
    executor: str | None
    taken_at: float


def pending_workflows(connection: Connection) -> list[PendingWorkflow]:
    """The workflows that executors have taken and not ended."""
    rows = _rows(connection)
    columns = (rows.c.workflow_uuid, rows.c.name, rows.c.executor_id, rows.c.updated_at)
    found = connection.execute(select(*columns).where(_IS_PENDING))
    return [PendingWorkflow(row[0], row[1], row[2], (row[3] or 0) / 1000) for row in found]


def has_taken(connection: Connection, workflow: str, executor: str) -> bool:
    """Whether this executor has taken the workflow, and neither it nor another one has ended it."""
    rows = _rows(connection)
    taken = (rows.c.workflow_uuid == workflow, rows.c.executor_id == executor, _IS_PENDING)
    return connection.execute(select(1).select_from(rows).where(*taken)).first() is not None


def has_workflow(connection: Connection, run: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition that a workflow has begun or will begin to execute the run with this id, whatever became of it."""
    rows = _rows(connection)
    return exists(select(1).select_from(rows).where(rows.c.workflow_uuid == run))


def open_workflows(connection: Connection) -> set[str]:
    """The runs that have a workflow that is enqueued or taken."""
    rows = _rows(connection)
    found = select(rows.c.workflow_uuid).where(_IS_OPEN)
    return {ids.run_of_workflow(workflow) for workflow in connection.execute(found).scalars()}


def adopt_workflows(connection: Connection, earlier: Collection[str], version: str, executor: str | None = None) -> int:
    """Give workflows of earlier versions to processes of this one; the number of workflows.

    Those that wait in a queue, and of an ``executor`` that is certainly gone also those that it had taken.
    """
    rows = _rows(connection)
    free = [_IS_ENQUEUED] if executor is None else [_IS_ENQUEUED, and_(_IS_PENDING, rows.c.executor_id == executor)]
    adopting = update(rows).where(rows.c.application_version.in_(earlier), _IS_OPEN, or_(*free))
    return int(connection.execute(adopting.values(application_version=version)).rowcount)


def oldest_enqueued(connection: Connection, queues: Collection[str]) -> dict[str, float]:
    """Since when the workflow that waits longest in each of the queues waits, in seconds since 1970."""
    rows = _rows(connection)
    waiting = (_IS_ENQUEUED, rows.c.queue_name.in_(queues))
    found = select(rows.c.queue_name, func.min(rows.c.updated_at)).where(*waiting).group_by(rows.c.queue_name)
    return {queue: milliseconds / 1000 for queue, milliseconds in connection.execute(found)}


def queues_with_work(connection: Connection, queues: Collection[str]) -> set[str]:
    """Those of the queues in which a workflow waits."""
    rows = _rows(connection)
    waiting = (exists(select(1).select_from(rows).where(rows.c.queue_name == queue, _IS_ENQUEUED)) for queue in queues)
    found = connection.execute(select(*waiting)).one()
    return {queue for queue, has_work in zip(queues, found, strict=True) if has_work}


def workflows_of_executor(connection: Connection, executor: str, before: float) -> list[str]:
    """The ids of the workflows that this executor took, or started without a queue, before then and has not ended."""
    rows, moment = _rows(connection), int(before * 1000)
    taken = and_(rows.c.queue_name.is_not(None), rows.c.started_at_epoch_ms <= moment)
    started = and_(rows.c.queue_name.is_(None), rows.c.created_at <= moment)
    own = (_IS_PENDING, rows.c.executor_id == executor, or_(taken, started))
    return [*connection.execute(select(rows.c.workflow_uuid).where(*own)).scalars()]


def cancel_workflow(connection: Connection, workflow: str) -> None:
    """Let the workflow stop before its next step, unless it has ended; one that is enqueued does not start."""
    rows, now = _rows(connection), _milliseconds()
    open_ = (rows.c.workflow_uuid == workflow, rows.c.status.not_in(_ENDED))
    changes = {"status": _CANCELLED, "queue_name": None, "updated_at": now, "completed_at": now}
    connection.execute(update(rows).where(*open_).values(**changes, **_RELEASED))


def leave_workflow(connection: Connection, run: str, workflow: str, queue: str) -> None:
    """Let a workflow that was told to stop end: cancelled, unless its run has been resumed meanwhile.

    Then the workflow with the id of the run is the one that continues it, and it is enqueued again.
    """
    # A process that resumes the run changes its row first, so it waits for us or we for it.
    state = connection.execute(select(runs.c.state).where(runs.c.id == run).with_for_update()).scalar_one_or_none()
    if state in RESUMABLE:
        cancel_workflow(connection, workflow)
    elif state == RUNNING and workflow == run:
        resume_workflow(connection, workflow, queue)


def resume_workflow(connection: Connection, workflow: str, queue: str) -> None:
    """Enqueue the workflow again, if it has been enqueued before."""
    rows = _rows(connection)
    changes = {
        "status": _ENQUEUED,
        "queue_name": queue,
        "recovery_attempts": 0,
        "workflow_deadline_epoch_ms": None,
        "updated_at": _milliseconds(),
        "completed_at": None,
    }
    resuming = update(rows).where(rows.c.workflow_uuid == workflow)
    connection.execute(resuming.values(**changes, **_RELEASED))


_RELEASED: dict[str, Any] = {"owner_xid": None, "deduplication_id": None, "started_at_epoch_ms": None}


def _rows(connection: Connection) -> Any:
    schema = None if connection.dialect.name == "sqlite" else "dbos"
    return table("workflow_status", *map(column, _NAMES), schema=schema)


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def stored_schedules(connection: Connection) -> list[Any]:
    """The schedules that the workflow engine keeps, by name; none before a process has ever served.

    Their columns are ``schedule_name``, ``schedule`` (a cron expression), ``cron_timezone``, ``context`` and
    ``last_fired_at``.
    """
    schema = None if connection.dialect.name == "sqlite" else "dbos"
    if not inspect(connection).has_table("workflow_schedules", schema=schema):
        return []
    names = ("schedule_name", "schedule", "cron_timezone", "context", "last_fired_at")
    rows = table("workflow_schedules", *map(column, names), schema=schema)
    return list(connection.execute(select(rows).order_by(rows.c.schedule_name)).all())
