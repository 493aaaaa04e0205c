"""Runs that are to begin, and how they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.durable.store.events import RunEvent, claim_events
from twilio_component.durable.store.journal import JournalEntry, Times, entry_row
from twilio_component.durable.store.run_status import RUNNING
from twilio_component.durable.store.schema import journal, runs
from twilio_component.durable.store.upsert import insert_all_once, written

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that is to begin.

    ``trigger`` is the envelope of a trigger that was invoked before it was stored, with the outline of its inputs.
    ``event`` has the ids of the event that starts it: one that has started another run starts no second one.
    """

    id: str
    definition: str
    integration: str
    flow: str
    payload: Mapping[str, Any]
    trigger: Mapping[str, Any] | None = None
    trigger_step: str = ""
    trigger_inputs: Mapping[str, Any] | None = None
    parent: str | None = None
    event: RunEvent | None = None


def store_new_runs(connection: Connection, now: float, news: Sequence[NewRun]) -> list[bool]:
    """Store what is not there yet, and say of each whether it was new; of several with one id the first is."""
    by_id: dict[str, NewRun] = {}
    for new in news:
        by_id.setdefault(new.id, new)
    for repeated in claim_events(connection, {run: new.event for run, new in by_id.items() if new.event is not None}):
        del by_id[repeated]
    if not by_id:
        return [False] * len(news)
    # In one order in all processes: two that store the same ones must not wait for each other.
    fresh = insert_all_once(connection, runs, runs.c.id, [_run_row(by_id[run], now) for run in sorted(by_id)])
    answered = [_trigger_row(new, now) for new in by_id.values() if new.id in fresh and new.trigger is not None]
    if answered:
        insert_all_once(connection, journal, journal.c.run, answered)
    return [new.id in fresh and by_id.get(new.id) is new for new in news]


def _run_row(new: NewRun, now: float) -> dict[str, Any]:
    return {
        "id": new.id,
        "definition": new.definition,
        "integration": new.integration,
        "flow": new.flow,
        "parent": new.parent,
        "state": RUNNING,
        "created_at": now,
        "payload": written(new.payload),
    }


def _trigger_row(new: NewRun, now: float) -> dict[str, Any]:
    kept = JournalEntry(step_id=new.trigger_step, value={"envelope": new.trigger}, redacted_inputs=new.trigger_inputs)
    return entry_row((new.id, 0), kept, Times(now, now))
