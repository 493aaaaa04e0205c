"""What a run and everything that it started have done that must not be done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import String, and_, cast, exists, func, not_, or_, select

from twilio_component.durable.ids import descendant_prefix
from twilio_component.durable.store.call_states import CLAIMED, IN_DOUBT, PLANNED, SETTLED, UNKNOWN
from twilio_component.durable.store.prefixes import begins_with
from twilio_component.durable.store.run_status import LIST_STOPPED, PAUSED, QUEUED, RUNNING
from twilio_component.durable.store.schema import intents, journal, runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

GO_ON = (QUEUED, RUNNING, PAUSED, LIST_STOPPED)
"""States of a run that may still act."""
MAY_HAVE_HAPPENED = or_(intents.c.state != PLANNED, intents.c.resource_id.is_not(None))
"""The condition of calls that have been begun, so that somebody may have received something."""


class Acts(NamedTuple):
    """``acted``: something has been done or may be done yet; ``uncertain``: nobody knows yet whether it has."""

    acted: bool
    uncertain: bool


def acts_of(connection: Connection, caller: str) -> Acts:
    """What a run, or an item's iteration, and whatever it started has done; what was refused has not been done."""
    below = descendant_prefix(caller)
    own = or_(intents.c.run == caller, intents.c.item == caller, begins_with(connection, intents.c.run, below))
    made_by = func.coalesce(intents.c.item, intents.c.run)
    is_its = and_(journal.c.run == made_by, intents.c.key == made_by + ":" + cast(journal.c.ordinal, String))
    refused = exists().where(is_its, journal.c.is_failure.is_(True))
    happened = or_(intents.c.resource_id.is_not(None), and_(intents.c.state == SETTLED, not_(refused)))
    is_open = and_(intents.c.state.in_((CLAIMED, IN_DOUBT, UNKNOWN)), intents.c.resource_id.is_(None))
    goes_on = exists().where(begins_with(connection, runs.c.id, below), runs.c.state.in_(GO_ON))
    uncertain, acted, going_on = connection.execute(
        select(
            exists(select(intents.c.key).where(own, is_open)),
            exists(select(intents.c.key).where(own, happened)),
            goes_on,
        )
    ).one()
    return Acts(acted=bool(uncertain or acted or going_on), uncertain=bool(uncertain))
