"""Proofs of a call that a retry makes anew: whenever its provider has proven the earlier one, it is not made.

A signed callback may come after the run has ended, or after an operator has had it run again. It is about the call of
the earlier attempt. As long as the call is not claimed anew, it takes over what the earlier one has created.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from twilio_component.durable import ids
from twilio_component.durable.store.call_states import PLANNED, SETTLED
from twilio_component.durable.store.schema import intents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from twilio_component.durable.sending.intents import CallIdentity

_Row = dict[str, Any]


def earlier_keys(call: CallIdentity) -> list[str]:
    """The keys of this call in the runs whose place its run has taken, the newest first."""
    return [attempt + call.key.removeprefix(call.run) for attempt in ids.lineage(call.run)[1:]]


def find_proof(connection: Connection, rows: Mapping[str, _Row], call: CallIdentity) -> _Row | None:
    """The row of an earlier call whose resource is this one's: when this one is planned, and proven of nothing."""
    row = rows.get(call.key)
    if row is None or row["state"] != PLANNED or row["resource_id"] is not None:
        return None
    earlier = [rows[key] for key in earlier_keys(call) if key in rows]
    return next((one for one in earlier if _is_proven(one) and _is_same(connection, one, call)), None)


def _is_proven(earlier: _Row) -> bool:
    return earlier["resource_id"] is not None and earlier["state"] != SETTLED


def _is_same(connection: Connection, earlier: _Row, call: CallIdentity) -> bool:
    """Whether what the earlier call has created is this one's: the current definition may have another step there."""
    found = connection.execute(select(intents.c.fingerprint, intents.c.step_id).where(intents.c.key == earlier["key"]))
    fingerprint, step_id = found.one()
    return fingerprint == call.fingerprint or _step_key(step_id) == _step_key(call.step_id)


def _step_key(step_id: str) -> str:
    return step_id.rpartition(".")[2]
