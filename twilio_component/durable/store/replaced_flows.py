"""Started flows that are replaced: the run that started one, or its retry, starts another in its place.

What has done nothing and has ended or was cancelled becomes ``retried``, so that nobody resumes it or runs it again
beside the flow in its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update

from twilio_component.durable import ids
from twilio_component.durable.store.acts import GO_ON, acts_of
from twilio_component.durable.store.prefixes import begins_with
from twilio_component.durable.store.run_status import CANCELLED, FAILED, PARTLY_FAILED, RETRIED, UNKNOWN
from twilio_component.durable.store.schema import runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

_GIVES_PLACE = (CANCELLED, FAILED, PARTLY_FAILED, UNKNOWN)
_BATCH = 500


def replace_flow(connection: Connection, flow: str) -> str | None:
    """Let a flow give its place to another one that its run starts instead; the run that is in the way, if one is.

    That is the flow itself or one by which an operator has run it again: it has done something that must not be done
    twice, or can continue.
    """
    attempts = or_(runs.c.id == flow, begins_with(connection, runs.c.id, ids.retry_prefix(flow)))
    # An operator who retries or resumes one of them waits for us, or we for them.
    locking = select(runs.c.id, runs.c.state).where(attempts).order_by(runs.c.id).with_for_update()
    connection.execute(locking)
    found = connection.execute(locking).all()  # as it is now that they are locked
    for run in found:
        if run.state in GO_ON or acts_of(connection, run.id).acted:
            return str(run.id)
    below = (flow_id for run in found for flow_id in giving_place(connection, ids.descendant_prefix(run.id)))
    give_place(connection, [*(run.id for run in found), *below])
    return None


def giving_place(connection: Connection, prefix: str) -> list[str]:
    """The ids of the flows that begin with this, have done nothing and can be resumed or run again."""
    found = select(runs.c.id).where(begins_with(connection, runs.c.id, prefix), runs.c.state.in_(_GIVES_PLACE))
    return list(connection.execute(found).scalars())


def give_place(connection: Connection, flows: Iterable[str]) -> None:
    """Let these flows be ``retried``: those that are started anew take their places."""
    wanted = sorted(flows)
    for first in range(0, len(wanted), _BATCH):
        some = wanted[first : first + _BATCH]
        giving = update(runs).where(runs.c.id.in_(some), runs.c.state.in_(_GIVES_PLACE))
        connection.execute(giving.values(state=RETRIED))
