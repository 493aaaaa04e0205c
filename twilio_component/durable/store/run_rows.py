"""Runs as they are read to be executed, with their definitions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, select

from twilio_component.durable.store.schema import definitions, runs
from twilio_component.durable.store.server_time import server_time

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from twilio_component.durable.store.journal import JournalEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it is stored. ``payload`` is what its trigger was given, ``parent`` the run that started it.

    It ends after the call with the number ``last_call``, if there is one. ``read_at`` is the time of the database's
    server, if that has a clock of its own.
    """

    id: str
    file: str
    text: str
    integration: str
    flow: str
    state: str
    parent: str | None
    payload: Mapping[str, Any] = field(repr=False)
    created_at: float
    last_call: int | None = None
    trace: str = ""
    read_at: float | None = None


class OpenRun(NamedTuple):
    """A run that is to be executed: its journal, and the stored ``state`` that it begins with, by the names of scopes.

    It ``goes_on`` when it has begun before.
    """

    run: Run
    journal: dict[int, JournalEntry]
    state: Mapping[str, Any]
    goes_on: bool


# Built once: building a statement costs as much as executing it.
RUNS = select(runs, definitions.c.file, definitions.c.text, server_time().label("read_at")).join(definitions)
RUN_BY_ID = RUNS.where(runs.c.id == bindparam("of_run"))


def read_run(connection: Connection, question: Select[Any], parameters: Mapping[str, Any] | None = None) -> Run | None:
    """The run that the question finds; None for none."""
    row = connection.execute(question, parameters).mappings().one_or_none()
    if row is None:
        return None
    return Run(
        id=row["id"],
        file=row["file"],
        text=row["text"],
        integration=row["integration"],
        flow=row["flow"],
        state=row["state"],
        parent=row["parent"],
        payload=json.loads(row["payload"] or "{}"),
        created_at=row["created_at"],
        last_call=row["last_call"],
        trace=row["trace"] or "",
        read_at=row["read_at"],
    )
