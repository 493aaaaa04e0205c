"""Runs whose steps got inputs that can never be valid, by a mistake of the definition that is served, or its values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from twilio_component.durable.store.run_status import FAILED
from twilio_component.durable.store.schema import journal, runs, served
from twilio_component.host.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MOST_READ = 1_000


def runs_with_wrong_inputs(connection: Connection) -> list[str]:
    """The newest runs of what is served now that failed at a step with invalid inputs, unless it has ever succeeded.

    A step that succeeds at times has got what somebody wrote; iterations always get that.
    """
    failed = select(runs.c.id, runs.c.flow, runs.c.definition, runs.c.error).where(runs.c.state == FAILED)
    has_code = runs.c.error.contains(f'"{InputError.code}"', autoescape=True)
    of_served = failed.where(has_code, runs.c.definition.in_(select(served.c.definition)))
    newest = of_served.order_by(runs.c.created_at.desc()).limit(_MOST_READ)
    by_step: dict[tuple[str, str, str], list[str]] = {}
    for row in connection.execute(newest):
        error = json.loads(row.error)
        step = error.get("id", "")
        if error["code"] == InputError.code and step and "[" not in step:
            by_step.setdefault((row.definition, row.flow, step), []).append(row.id)
    return [
        run
        for (definition, flow, step), found in by_step.items()
        if not _has_succeeded(connection, definition, flow, step)
        for run in found
    ]


def _has_succeeded(connection: Connection, definition: str, flow: str, step: str) -> bool:
    of_flow = (runs.c.definition == definition, runs.c.flow == flow, journal.c.run == runs.c.id)
    return bool(connection.scalar(select(exists().where(*of_flow, journal.c.step_id == step, ~journal.c.is_failure))))
