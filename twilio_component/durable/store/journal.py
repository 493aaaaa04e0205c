"""What the calls of a run were answered with, as it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.durable.store.schema import values
from twilio_component.durable.store.upsert import insert_once, written

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a call was answered with: an ``envelope``, or a ``failure`` (the fields of ``effects.Failure``).

    ``outline`` is what may be told of its inputs.
    """

    place: str
    value: Mapping[str, Any]
    outline: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """When a call began, if that is known, and when it was answered."""

    started: float | None
    finished: float


def kept_in(row: Any) -> Kept:
    """What is kept in a row of the values."""
    return Kept(place=row.place, value=json.loads(row.value))


def keep_value(connection: Connection, call: tuple[str, int], kept: Kept, times: Times) -> bool:
    """Keep what a call (its run and its ordinal) was answered with; False when something is kept already."""
    return insert_once(connection, values, value_row(call, kept, times))


def value_row(call: tuple[str, int], kept: Kept, times: Times) -> dict[str, Any]:
    """The row of what a call (its run and its ordinal) was answered with."""
    return {
        "run": call[0],
        "ordinal": call[1],
        "place": kept.place,
        "value": written(kept.value),
        "inputs": written(kept.outline) if kept.outline is not None else None,
        "started_at": times.started,
        "finished_at": times.finished,
    }
