"""How iterations ended, many of them in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from twilio_component.durable.store.flow_state import store_changes
from twilio_component.durable.store.many_rows import UpdateEach, is_among
from twilio_component.durable.store.run_status import FAILED, SUCCEEDED, UNKNOWN
from twilio_component.durable.store.schema import items, journal, loops
from twilio_component.durable.store.upsert import to_json
from twilio_component.flows.interpreter.iterations import failure_code

PENDING = "pending"
"""The state of an item whose iteration has not ended; the others have the states of runs."""


@dataclass(frozen=True, slots=True)
class EndedIteration:
    """How an iteration ended, and its ``changes`` to the stored state of flows, by scope and key."""

    id: str
    error: Mapping[str, Any] | None
    changes: Mapping[str, Mapping[str, Any]]


_FAILING = UpdateEach(items, "id", ("state", "code", "error", "finished_at"), items.c.state == PENDING)
_SUCCEEDING = UpdateEach(items, "id", ("state", "finished_at"), items.c.state == PENDING)
_FORGETTING = UpdateEach(items, "id", ("state", "finished_at", "item", "inputs"), items.c.state == PENDING)
_COUNTING = (
    update(loops)
    .where(loops.c.run == bindparam("of_run"), loops.c.ordinal == bindparam("of_ordinal"))
    .values(succeeded=loops.c.succeeded + bindparam("new"))
)
_SUCCEEDED = select(items.c.id).where(is_among(items.c.id, "ids"), items.c.state == SUCCEEDED)
_EMPTYING = delete(journal).where(journal.c.run.in_(_SUCCEEDED))


_LOCKED_PENDING = (
    select(items.c.id)
    .where(is_among(items.c.id, "ids"), items.c.state == PENDING)
    .order_by(items.c.id)
    .with_for_update()
)


def end_all(
    connection: Connection, now: float, loop: tuple[str, int], ended: Sequence[EndedIteration], *, keep_payloads: bool
) -> None:
    """Store how iterations of a loop (run, ordinal) ended: see ``LoopStore.end_iterations``."""
    changing = [one for one in ended if one.changes]
    succeeded = [_row(one, now) for one in ended if one.error is None]
    pending = _lock_pending(connection, [one.id for one in changing])
    if len(succeeded) < len(ended):
        _FAILING.execute(connection, [_row(one, now) for one in ended if one.error is not None])
    if succeeded:
        new = (_SUCCEEDING if keep_payloads else _FORGETTING).execute(connection, succeeded)
        connection.execute(_COUNTING, {"of_run": loop[0], "of_ordinal": loop[1], "new": new})
    if not keep_payloads:  # also of one that failed here, after another process had it succeed
        connection.execute(_EMPTYING, {"ids": [one.id for one in ended]})
    for one in changing:
        if one.id in pending:
            store_changes(connection, one.changes)


def _row(one: EndedIteration, now: float) -> dict[str, Any]:
    """The row of an item that ends now, without the item."""
    return {
        "id": one.id,
        "state": _state(one.error),
        "code": None if one.error is None else failure_code(one.error)[:100],
        "error": None if one.error is None else to_json(one.error),
        "finished_at": now,
        "item": None,
        "inputs": None,
    }


def _state(error: Mapping[str, Any] | None) -> str:
    if error is None:
        return SUCCEEDED
    return UNKNOWN if error["outcomeUnknown"] else FAILED


def _lock_pending(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these items that have not ended; they end in this transaction only."""
    if not ids:
        return set()
    return set(connection.execute(_LOCKED_PENDING, {"ids": ids}).scalars())
