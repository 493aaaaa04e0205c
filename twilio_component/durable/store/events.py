"""Events that have started a run: another request that reports one of them starts nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select, update

from twilio_component.durable.store.replies import taken_id
from twilio_component.durable.store.schema import events, replies, runs
from twilio_component.durable.store.upsert import insert_all_once, insert_once

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select


KNOWN_SECONDS = 24 * 3600.0
"""For how long an event of the last day is known after its run has been purged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """The ids of the event that starts a run.

    It is a known event when one of the ids in ``known_by`` or ``also_seen_as`` is stored. Those in ``known_by`` and
    ``marks`` are stored with its run. One of the ``marks`` may be the id of a message: one that was taken as the reply
    to a question starts nothing.
    """

    id: str
    known_by: tuple[str, ...]
    also_seen_as: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    @property
    def looked_for(self) -> tuple[str, ...]:
        """Every id that makes it a known event."""
        return (*self.known_by, *self.also_seen_as)


def claim_events(connection: Connection, events_of: Mapping[str, RunEvent]) -> dict[str, str]:
    """Store the events of new runs; return the runs that must not start, with the run that each event has started.

    Two transactions that store the same event at the same time are put in an order by the database.
    """
    if not events_of:
        return {}
    started, purged = _runs_of(connection, {one for event in events_of.values() for one in event.looked_for})
    repeated: dict[str, str] = {}
    owners: dict[str, str] = {}
    for run, event in events_of.items():
        first = next((started[one] for one in event.looked_for if one in started), run)
        if first != run or run in purged:
            repeated[run] = first
        for one in (*event.known_by, *event.marks):
            owners.setdefault(one, first)
        for one in event.known_by:
            started.setdefault(one, first)
    rows = [{"id": one, "run": owners[one], "kept_until": purged.get(owners[one])} for one in sorted(owners)]
    stored = insert_all_once(connection, events, events.c.id, rows)
    # An id that another transaction has stored since we looked belongs to its run.
    for run, event in events_of.items():
        if run not in repeated:
            lost = [one for one in (*event.known_by, *event.marks) if owners[one] == run and one not in stored]
            owner, is_purged = _owner_of(connection, event, lost) if lost else (None, False)
            if owner is not None and (owner != run or is_purged):
                repeated[run] = owner
                connection.execute(update(events).where(events.c.run == run).values(run=owner))
    return repeated


def claim_reply(connection: Connection, reply: str, run: str) -> bool:
    """Store that a message, by its id as a reply, belongs to the run that asked; False when it has started a run.

    A transaction that starts a run for it stores the same id, so the database puts the two in an order.
    """
    return insert_once(connection, events, {"id": reply, "run": run})


def _owner_of(connection: Connection, event: RunEvent, lost: Sequence[str]) -> tuple[str | None, bool]:
    """Return the run that the event belongs to, of whose ids these were stored by somebody else; whether it is purged.

    One that is being purged at this moment is waited for.
    """
    found, purged = _runs_of(connection, [one for one in lost if one in event.known_by], _LOCKED_RUNS_OF)
    if found:
        owner = next(iter(found.values()))
        return owner, owner in purged
    taken = select(replies.c.run).where(replies.c.id.in_([one for one in lost if one in event.marks]))
    return connection.execute(taken).scalars().first(), False


_RUNS_OF = select(events).where(events.c.id.in_(bindparam("ids", expanding=True)))
_LOCKED_RUNS_OF = _RUNS_OF.order_by(events.c.id).with_for_update(read=True)


def _runs_of(
    connection: Connection, ids: Iterable[str], question: Select[Any] = _RUNS_OF
) -> tuple[dict[str, str], dict[str, float]]:
    """The runs that these have started, by the events' ids; and until when the events of purged runs are known."""
    found = connection.execute(question, {"ids": sorted(ids)}).all()
    return {row.id: row.run for row in found}, {row.run: row.kept_until for row in found if row.kept_until is not None}


def first_run(connection: Connection, event: RunEvent) -> str | None:
    """Return the run that the event has started, if it has."""
    found, _ = _runs_of(connection, event.looked_for)
    return next((found[one] for one in event.looked_for if one in found), None)


def forget_events(connection: Connection, purged: Collection[str], now: float) -> None:
    """Delete the events of runs that are purged, but for those of the last day.

    Their senders may have had no response, and repeat them. The same goes for messages that were replies to questions.
    """
    until, lately = now + KNOWN_SECONDS, now - KNOWN_SECONDS
    new = select(runs.c.id).where(runs.c.id.in_(purged), runs.c.created_at > lately)
    connection.execute(update(events).where(events.c.run.in_(new)).values(kept_until=until))
    connection.execute(delete(events).where(events.c.run.in_(purged), events.c.kept_until.is_(None)))
    taken = select(replies.c.id, replies.c.run).where(replies.c.run.in_(purged), replies.c.received_at > lately)
    rows = [{"id": taken_id(row.id), "run": row.run, "kept_until": until} for row in connection.execute(taken)]
    if rows:
        insert_all_once(connection, events, events.c.id, rows)
