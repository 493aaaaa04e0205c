"""Calls whose outcome is open although their run has ended: nothing executes it, so nothing settles them any more."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, or_, select, update

from twilio_component.durable import ids
from twilio_component.durable.sending.intents import SETTLED
from twilio_component.durable.sending.intents import UNKNOWN as UNKNOWN_CALL
from twilio_component.durable.store.journal import JournalEntry, record_entry
from twilio_component.durable.store.removal import OPEN_SECONDS
from twilio_component.durable.store.run_status import FAILED, PARTLY_FAILED, SUCCEEDED
from twilio_component.durable.store.schema import UNCERTAIN, intents, runs
from twilio_component.flows.interpreter.effects import Failure

if TYPE_CHECKING:
    from sqlalchemy import Connection

_UNKNOWN = Failure(
    code="outcome-unknown",
    message="outcome unknown: the run ended before it could be found out",
    outcome_unknown=True,
)


def failed_with_open_calls(connection: Connection) -> list[str]:
    """The runs that failed while a call was under way: a retry makes it again, once somebody has looked for it."""
    has_open_calls = exists().where(intents.c.run == runs.c.id, UNCERTAIN)
    failed = select(runs.c.id).where(runs.c.state.in_((FAILED, PARTLY_FAILED)), has_open_calls)
    return list(connection.execute(failed.order_by(runs.c.created_at.desc())).scalars())


def succeeded_with_open_calls(connection: Connection, now: float) -> list[str]:
    """The runs that succeeded, and cannot be retried, with calls that can be settled by now (``settle_calls``)."""
    has_open_calls = exists().where(intents.c.run == runs.c.id, *_can_be_settled(now))
    succeeded = select(runs.c.id).where(runs.c.state == SUCCEEDED, has_open_calls)
    return list(connection.execute(succeeded.order_by(runs.c.created_at.desc())).scalars())


def settle_calls(connection: Connection, now: float) -> None:
    """Settle such calls by what they are proven to have created; the others are unknown."""
    of_runs = select(runs.c.id).where(runs.c.id.in_(succeeded_with_open_calls(connection, now)))
    # A run that is purged meanwhile keeps nothing of what is stored here.
    locked = of_runs.where(runs.c.state == SUCCEEDED).order_by(runs.c.id).with_for_update()
    for run in connection.execute(locked).scalars().all():
        found = select(intents).where(intents.c.run == run, *_can_be_settled(now)).with_for_update()
        for call in connection.execute(found).all():
            is_proven = call.resource_id is not None
            state = SETTLED if is_proven else UNKNOWN_CALL
            connection.execute(update(intents).where(intents.c.key == call.key).values(state=state))
            if call.item is None:  # of the iterations of a run that has succeeded no results are kept
                value: dict[str, Any] = {} if is_proven else {"failure": asdict(_UNKNOWN)}
                entry = JournalEntry(step_id=call.step_id, value=value)
                place = (run, ids.ordinal_within(run, call.key))
                record_entry(connection, place, entry, started=call.claimed_at, finished=now)


def _can_be_settled(now: float) -> tuple[Any, ...]:
    # Until then another call in doubt may see what this one has created, and must not take it for its own.
    is_long_ago = intents.c.claimed_at < now - OPEN_SECONDS
    return UNCERTAIN, or_(intents.c.resource_id.is_not(None), is_long_ago)
