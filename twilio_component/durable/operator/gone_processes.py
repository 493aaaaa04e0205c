"""Processes that have died with work or have fallen silent, and work that no process is there for."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from twilio_component.durable.recovery.heartbeat import BEAT_SECONDS
from twilio_component.durable.recovery.living_executors import has_living_process
from twilio_component.durable.store.database import sqlite_file
from twilio_component.durable.store.operator_tables import heartbeats
from twilio_component.durable.store.workflow_rows import open_workflows

if TYPE_CHECKING:
    from twilio_component.durable.store.workflow_rows import PendingWorkflow

START_PROCESS = "no process executes it: start `serve` or `worker` with this database"
_MISSED_BEATS = 4
"""The number of missed heartbeats after which a process is reported, although it has its lock."""


def _last_heard(connection: Connection, executors: Collection[str | None], url: str) -> float | None:
    heard = select(func.max(heartbeats.c.heard_at)).where(heartbeats.c.stopped_at.is_(None))
    # With SQLite every process has the same name as an executor.
    of_these = heard if sqlite_file(url) is not None else heard.where(heartbeats.c.worker_id.in_(executors))
    found: float | None = connection.execute(of_these).scalar_one()
    return found


def describe_gone(
    connection: Connection, workflows: Iterable[PendingWorkflow], living: Container[str], url: str, now: float
) -> str:
    """Who continues the workflows of a process that is gone, as the rest of a sentence about them."""
    heard = _last_heard(connection, {one.executor for one in workflows}, url)
    ago = "" if heard is None else f", which was last heard {max(0.0, now - heard):.0f} s ago"
    heir = "another process takes it over within seconds"
    if not has_living_process(connection, living):
        heir = "a process that starts takes it over"
    return f"taken by a process that is gone{ago}; {heir}"


def silent_processes(connection: Connection, living: Container[str], url: str, now: float) -> tuple[list[str], float]:
    """The processes that hold their runs and have said nothing for some time, and for how many seconds."""
    stopped = heartbeats.c.stopped_at.is_not(None)
    if sqlite_file(url) is not None:
        # One process at a time has the file: the newest one.
        newest = select(heartbeats).where(~stopped).order_by(heartbeats.c.started_at.desc()).limit(1)
        found = [row for row in connection.execute(newest) if "serve" in living]
    else:
        found = [row for row in connection.execute(select(heartbeats).where(~stopped)) if row.worker_id in living]
    silent = [row for row in found if now - row.heard_at > _MISSED_BEATS * BEAT_SECONDS]
    return [row.name for row in silent], max((now - row.heard_at for row in silent), default=0.0)


def waiting_for_a_process(connection: Connection, living: Container[str]) -> list[str]:
    """The runs that some process has to execute when there is none."""
    return [] if has_living_process(connection, living) else sorted(open_workflows(connection))
