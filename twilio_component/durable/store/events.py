"""Events that have started a run: another request that reports one of them starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, update

from twilio_component.durable.store.schema import events, replies
from twilio_component.durable.store.upsert import insert_all_once, insert_once

if TYPE_CHECKING:
    from sqlalchemy import Connection


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
    started = _runs_of(connection, {one for event in events_of.values() for one in event.looked_for})
    repeated: dict[str, str] = {}
    owners: dict[str, str] = {}
    for run, event in events_of.items():
        first = next((started[one] for one in event.looked_for if one in started), run)
        if first != run:
            repeated[run] = first
        for one in (*event.known_by, *event.marks):
            owners.setdefault(one, first)
        for one in event.known_by:
            started.setdefault(one, first)
    rows = [{"id": one, "run": owners[one]} for one in sorted(owners)]
    stored = insert_all_once(connection, events, events.c.id, rows)
    # An id that another transaction has stored since we looked belongs to its run.
    for run, event in events_of.items():
        if run not in repeated:
            lost = [one for one in (*event.known_by, *event.marks) if owners[one] == run and one not in stored]
            owner = _owner_of(connection, event, lost) if lost else None
            if owner is not None and owner != run:
                repeated[run] = owner
                connection.execute(update(events).where(events.c.run == run).values(run=owner))
    return repeated


def claim_reply(connection: Connection, reply: str, run: str) -> bool:
    """Store that a message, by its id as a reply, belongs to the run that asked; False when it has started a run.

    A transaction that starts a run for it stores the same id, so the database puts the two in an order.
    """
    return insert_once(connection, events, {"id": reply, "run": run})


def _owner_of(connection: Connection, event: RunEvent, lost: Sequence[str]) -> str | None:
    """Return the run that the event belongs to, of whose ids these were stored by somebody else."""
    found = _runs_of(connection, [one for one in lost if one in event.known_by])
    if found:
        return next(iter(found.values()))
    taken = select(replies.c.run).where(replies.c.id.in_([one for one in lost if one in event.marks]))
    return connection.execute(taken).scalars().first()


_RUNS_OF = select(events.c.id, events.c.run).where(events.c.id.in_(bindparam("ids", expanding=True)))


def _runs_of(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    found = connection.execute(_RUNS_OF, {"ids": sorted(ids)})
    return {row.id: row.run for row in found}


def first_run(connection: Connection, event: RunEvent) -> str | None:
    """Return the run that the event has started, if it has."""
    found = _runs_of(connection, event.looked_for)
    return next((found[one] for one in event.looked_for if one in found), None)
