"""Runs that are to start, and how they are inserted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from twilio_component.durable.store.events import RunEvent, claim_events
from twilio_component.durable.store.journal import JournalEntry, entry_row
from twilio_component.durable.store.queues import QueueSlot, run_in_the_way, take_number
from twilio_component.durable.store.run_status import QUEUED, RUNNING
from twilio_component.durable.store.schema import journal, runs
from twilio_component.durable.store.upsert import insert_all_once, to_json
from twilio_component.host.trace_context import current_trace

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.host.questions import Reply


class RunWork(NamedTuple):
    """Work in the transaction that stores a run. All processes do it in the same ``order``, so as not to deadlock."""

    order: str
    work: Callable[[Connection], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that is to start.

    ``trigger`` is the envelope of a trigger that was invoked before the run was stored; ``trigger_step`` is that step's
    id and ``trigger_inputs`` are its redacted inputs. ``event`` has the ids of the event that starts the run: one that
    has started another run starts no second one. ``reply`` is what a person wrote: taken as the reply to a question, it
    starts nothing. ``also`` is done in the transaction that stores the run, or takes the reply, and only when that is
    new; it must not fail. ``trace`` is the ``traceparent`` that the run belongs to.
    """

    id: str
    definition: str
    integration: str
    flow: str
    payload: Mapping[str, Any] = field(repr=False)
    trigger: Mapping[str, Any] | None = None
    trigger_step: str = ""
    trigger_inputs: Mapping[str, Any] | None = None
    parent: str | None = None
    event: RunEvent | None = None
    slot: QueueSlot | None = None
    also: RunWork | None = None
    reply: Reply | None = None
    trace: str = field(default_factory=current_trace)


class TakenReply(NamedTuple):
    """The run whose question took a message, and whether it did so just now."""

    run: str
    is_new: bool


TakeReplies = Callable[["Connection", float, "Mapping[str, Reply]"], Mapping[str, TakenReply]]
"""Takes messages, by the run that each would start, as replies to questions, in the caller's transaction."""


def insert_runs(
    connection: Connection, now: float, new_runs: Sequence[NewRun], take_replies: TakeReplies | None = None
) -> list[bool]:
    """Insert the runs that do not exist yet; for each, whether it is new. Of several with one id the first counts.

    A run is not inserted when the one that starts it is not running.
    """
    by_id: dict[str, NewRun] = {}
    for new in new_runs:
        by_id.setdefault(new.id, new)
    _drop_children_of_stopped(connection, by_id)
    answered = _take_replies(connection, now, by_id, take_replies) if take_replies is not None else []
    numbers: dict[str, int] = {}
    for run, slot in [(run, new.slot) for run, new in by_id.items() if new.slot is not None]:
        numbers[run] = take_number(connection, slot)
        if run_in_the_way(connection, slot) is not None:
            del by_id[run]
    for repeated in claim_events(connection, {run: new.event for run, new in by_id.items() if new.event is not None}):
        del by_id[repeated]
    inserted = _insert(connection, now, by_id, numbers) if by_id else set()
    stored = (*(new for new in by_id.values() if new.id in inserted), *answered)
    work = [new.also for new in stored if new.also is not None]
    for also in sorted(work, key=lambda one: one.order):
        also.work(connection)
    return [new.id in inserted and by_id.get(new.id) is new for new in new_runs]


def _drop_children_of_stopped(connection: Connection, by_id: dict[str, NewRun]) -> None:
    """Remove the runs whose parent has stopped: who retries it has looked for its children already.

    A parent that is running is kept so until the transaction ends.
    """
    parents = {new.parent for new in by_id.values() if new.parent is not None}
    if not parents:
        return
    running = select(runs.c.id).where(runs.c.id.in_(sorted(parents)), runs.c.state == RUNNING)
    found = set(connection.execute(running.order_by(runs.c.id).with_for_update(read=True)).scalars())
    for run in [run for run, new in by_id.items() if new.parent is not None and new.parent not in found]:
        del by_id[run]


def _take_replies(
    connection: Connection, now: float, by_id: dict[str, NewRun], take_replies: TakeReplies
) -> list[NewRun]:
    """Remove from ``by_id`` what is taken as replies to questions; those that are taken just now."""
    replies = {run: new.reply for run, new in sorted(by_id.items()) if new.reply is not None}
    taken = take_replies(connection, now, replies) if replies else {}
    answered = [by_id[run] for run, one in taken.items() if one.is_new]
    for run in taken:
        del by_id[run]
    return answered


def _insert(connection: Connection, now: float, by_id: Mapping[str, NewRun], numbers: Mapping[str, int]) -> set[str]:
    """Insert the runs with the results of their triggers; the ids of those that are new."""
    # All processes insert in the same order: two that store the same runs must not deadlock.
    inserted: set[str] = insert_all_once(
        connection, runs, runs.c.id, [_run_row(by_id[run], now, numbers) for run in sorted(by_id)]
    )
    entries = [_trigger_row(new, now) for new in by_id.values() if new.id in inserted and new.trigger is not None]
    if entries:
        insert_all_once(connection, journal, journal.c.run, entries)
    return inserted


def _run_row(new: NewRun, now: float, numbers: Mapping[str, int]) -> dict[str, Any]:
    slot = new.slot
    return {
        "id": new.id,
        "definition": new.definition,
        "integration": new.integration,
        "flow": new.flow,
        "parent": new.parent,
        "state": RUNNING if slot is None else QUEUED,
        "queue": slot and slot.queue,
        "queue_number": numbers.get(new.id),
        "dedupe_id": slot and slot.dedupe_id,
        "created_at": now,
        "payload": to_json(new.payload),
        "trace": new.trace or None,
    }


def _trigger_row(new: NewRun, now: float) -> dict[str, Any]:
    entry = JournalEntry(step_id=new.trigger_step, value={"envelope": new.trigger}, redacted_inputs=new.trigger_inputs)
    return entry_row((new.id, 0), entry, started=now, finished=now)
