"""What the calls of a run were answered with, as it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.durable.store.schema import journal
from twilio_component.durable.store.upsert import insert_once, written

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """What a call was answered with: an ``envelope``, or a ``failure`` (the fields of ``effects.Failure``).

    ``outline`` is what may be told of its inputs.
    """

    step_id: str
    value: Mapping[str, Any]
    redacted_inputs: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """When a call began, if that is known, and when it was answered."""

    started: float | None
    finished: float


def entry_from(row: Any) -> JournalEntry:
    """What is kept in a row of the values."""
    return JournalEntry(step_id=row.step_id, value=json.loads(row.value))


def record_entry(connection: Connection, call: tuple[str, int], kept: JournalEntry, times: Times) -> bool:
    """Keep what a call (its run and its ordinal) was answered with; False when something is kept already."""
    return insert_once(connection, journal, entry_row(call, kept, times))


def entry_row(call: tuple[str, int], kept: JournalEntry, times: Times) -> dict[str, Any]:
    """The row of what a call (its run and its ordinal) was answered with."""
    return {
        "run": call[0],
        "ordinal": call[1],
        "step_id": kept.step_id,
        "value": written(kept.value),
        "inputs": written(kept.redacted_inputs) if kept.redacted_inputs is not None else None,
        "started_at": times.started,
        "finished_at": times.finished,
    }
