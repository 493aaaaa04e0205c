"""How iterations ended, many of them in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from twilio_component.durable.store.flow_state import store_changes
from twilio_component.durable.store.item_ends import PENDING, end_successfully, forget_results
from twilio_component.durable.store.many_rows import UpdateEach, is_among
from twilio_component.durable.store.run_status import FAILED, UNKNOWN
from twilio_component.durable.store.schema import items
from twilio_component.durable.store.upsert import to_json
from twilio_component.flows.interpreter.iterations import failure_code


@dataclass(frozen=True, slots=True)
class EndedIteration:
    """How an iteration ended, and its ``changes`` to the stored state of flows, by scope and key."""

    id: str
    error: Mapping[str, Any] | None
    changes: Mapping[str, Mapping[str, Any]]
    is_stored: bool = False
    """Whether the end has been stored already, together with the result of the last call."""
    ended_at: float | None = None
    """When it ended, on this process's monotonic clock: others that ended since may have been stored before it."""
    is_replayed: bool = False
    """Whether it made no call: how it ended was known before, and perhaps before an operator resumed the list."""


_FAILING = UpdateEach(items, "id", ("state", "code", "error", "finished_at"), items.c.state == PENDING)
_LOCKED_PENDING = (
    select(items.c.id)
    .where(is_among(items.c.id, "ids"), items.c.state == PENDING)
    .order_by(items.c.id)
    .with_for_update()
)


def end_all(
    connection: Connection,
    now: float,
    loop: tuple[str, int],
    ended: Sequence[EndedIteration],
    *,
    keep_payloads: bool,
    monotonic: float,
) -> None:
    """Store how iterations of a loop (run, ordinal) ended: see ``LoopStore.end_iterations``.

    ``now`` is the database's time, and ``monotonic`` that of the clock that ``ended_at`` is of.
    """
    changing = [one for one in ended if one.changes]
    succeeded = [one.id for one in ended if one.error is None]
    pending = _lock_pending(connection, [one.id for one in changing])
    if failed := [_failed_row(one, one.error, now, monotonic) for one in ended if one.error is not None]:
        _FAILING.execute(connection, failed)
    if succeeded:
        end_successfully(connection, now, loop, succeeded, keep_payloads=keep_payloads)
    if not keep_payloads:  # also of one that failed here, after another process had it succeed
        forget_results(connection, [one.id for one in ended])
    for one in changing:
        if one.id in pending:
            store_changes(connection, one.changes)


def _failed_row(end: EndedIteration, error: Mapping[str, Any], now: float, monotonic: float) -> dict[str, Any]:
    return {
        "id": end.id,
        "state": UNKNOWN if error["outcomeUnknown"] else FAILED,
        "code": failure_code(error)[:100],
        "error": to_json(error),
        "finished_at": now if end.ended_at is None else now - (monotonic - end.ended_at),
    }


def _lock_pending(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these items that have not ended; they end in this transaction only."""
    if not ids:
        return set()
    return set(connection.execute(_LOCKED_PENDING, {"ids": ids}).scalars())
