"""The journal: the result of each call of a run, which a replay reads instead of making the call again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from twilio_component.durable import ids
from twilio_component.durable.store.schema import OWN_AND_OPEN, intents, journal, questions, runs
from twilio_component.durable.store.upsert import insert_once, to_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

RESULT, INITIAL_STATE, WAITED = -1, -2, -3
"""Ordinals of entries that are not a call's: a run's result, and the stored state that the run began with.

And of a retry, ``{"call"}``: the first call that it makes anew. What came before has been waited for.
"""

FIRST_WAIT = -10
"""Waits of a run that was continued are recorded below this ordinal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """The result of the call of a step.

    ``value`` is ``{"envelope": …}``, or ``{"failure": …}`` with the fields of ``effects.Failure``.
    ``redacted_inputs`` may be shown to an operator. ``text`` is the value as it is stored, where it is known.
    """

    step_id: str
    value: Mapping[str, Any]
    redacted_inputs: Mapping[str, Any] | None = None
    text: str | None = field(default=None, compare=False, repr=False)

    @property
    def is_failure(self) -> bool:
        """Whether the call failed."""
        return "failure" in self.value


def entry_from(row: Any) -> JournalEntry:
    """The entry in a row of the journal, without its inputs."""
    return JournalEntry(step_id=row.step_id, value=json.loads(row.value))


_ENTRIES = select(journal.c.ordinal, journal.c.step_id, journal.c.value).where(
    journal.c.run == bindparam("of_run"), journal.c.ordinal >= bindparam("first"), journal.c.ordinal < bindparam("end")
)


def entries_of(connection: Connection, caller: str, first: int, end: int) -> dict[int, JournalEntry]:
    """The journal of a run or an iteration from ``first`` to before ``end``, by ordinal."""
    rows = connection.execute(_ENTRIES, {"of_run": caller, "first": first, "end": end})
    return {row.ordinal: entry_from(row) for row in rows}


def last_call(connection: Connection, run: str) -> int:
    """The ordinal of the last call of a run that has a result, has been planned, asks or has started a flow."""
    called = connection.execute(select(func.max(journal.c.ordinal)).where(journal.c.run == run)).scalar_one()
    question = select(func.max(questions.c.ordinal)).where(questions.c.run == run)
    # Those that are over are in the journal.
    own = select(intents.c.key).where(intents.c.run == run, OWN_AND_OPEN).order_by(intents.c.created_at)
    planned = connection.execute(own).scalars()
    last = max((ids.ordinal_within(run, key) for key in planned), default=0)
    # What its items started is not the run's own: RUN.5, but not RUN.5-17.0.
    own_flows = (runs.c.parent == run, func.substr(runs.c.id, len(run) + 1).not_like("%-%"))
    started = connection.execute(select(runs.c.id).where(*own_flows)).scalars()
    prefix = ids.descendant_prefix(run)
    flow = max((ids.ordinal_within(run, one) for one in started if one.startswith(prefix)), default=0)
    return max(called or 0, connection.execute(question).scalar_one() or 0, last, flow)


def record_entry(
    connection: Connection, call: tuple[str, int], entry: JournalEntry, *, started: float | None, finished: float
) -> bool:
    """Record the result of a call (caller, ordinal) unless it has one already; True when it was recorded.

    ``started`` and ``finished`` are seconds since 1970.
    """
    return insert_once(connection, journal, entry_row(call, entry, started=started, finished=finished))


def entry_row(call: tuple[str, int], entry: JournalEntry, *, started: float | None, finished: float) -> dict[str, Any]:
    """The row for the result of a call (caller, ordinal)."""
    return {
        "run": call[0],
        "ordinal": call[1],
        "step_id": entry.step_id,
        "value": to_json(entry.value) if entry.text is None else entry.text,
        "is_failure": entry.is_failure,
        "inputs": to_json(entry.redacted_inputs) if entry.redacted_inputs is not None else None,
        "started_at": started,
        "finished_at": finished,
    }
