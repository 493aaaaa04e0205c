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
    is_stored: bool = False
    """Whether the end has been stored already, together with the result of the last call."""


@dataclass(frozen=True, slots=True)
class LastCall:
    """What ends when a call has its result: an iteration that succeeds and changes no state, of a loop (run, ordinal).

    Nobody reads the result then; it is stored nevertheless if the deployment ``keeps_results``.
    """

    loop: tuple[str, int]
    item: str
    keeps_results: bool


_FAILING = UpdateEach(items, "id", ("state", "code", "error", "finished_at"), items.c.state == PENDING)
_SUCCEEDING = (
    update(items)
    .where(is_among(items.c.id, "ids"), items.c.state == PENDING)
    .values(state=SUCCEEDED, finished_at=bindparam("now"))
    .returning(items.c.id)
)
_FORGETTING = _SUCCEEDING.values(item=None, inputs=None)
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
    succeeded = [one.id for one in ended if one.error is None]
    pending = _lock_pending(connection, [one.id for one in changing])
    if failed := [_failed_row(one.id, one.error, now) for one in ended if one.error is not None]:
        _FAILING.execute(connection, failed)
    if succeeded:
        _succeed(connection, now, loop, succeeded, keep_payloads=keep_payloads)
    if not keep_payloads:  # also of one that failed here, after another process had it succeed
        forget_results(connection, [one.id for one in ended])
    for one in changing:
        if one.id in pending:
            store_changes(connection, one.changes)


def end_with_calls(connection: Connection, now: float, calls: Sequence[LastCall]) -> set[str]:
    """Store the ends of iterations whose last calls are settled in this transaction.

    Returns the items that had not ended before. The others ended in another process.
    """
    items_by_loop: dict[tuple[tuple[str, int], bool], list[str]] = {}
    for one in calls:
        items_by_loop.setdefault((one.loop, one.keeps_results), []).append(one.item)
    ended: set[str] = set()
    for (loop, keeps_results), of_loop in sorted(items_by_loop.items()):
        ended |= _succeed(connection, now, loop, of_loop, keep_payloads=keeps_results)
    return ended


def forget_results(connection: Connection, ids: Sequence[str]) -> None:
    """Delete the results of those of these items that have succeeded."""
    connection.execute(_EMPTYING, {"ids": ids})


def _succeed(
    connection: Connection, now: float, loop: tuple[str, int], ids: Sequence[str], *, keep_payloads: bool
) -> set[str]:
    """End iterations of a loop, and count them; those that had not ended before."""
    wanted = {"ids": sorted(ids), "now": now}
    ended = set(connection.execute(_SUCCEEDING if keep_payloads else _FORGETTING, wanted).scalars())
    if ended:
        connection.execute(_COUNTING, {"of_run": loop[0], "of_ordinal": loop[1], "new": len(ended)})
    return ended


def _failed_row(item: str, error: Mapping[str, Any], now: float) -> dict[str, Any]:
    return {
        "id": item,
        "state": UNKNOWN if error["outcomeUnknown"] else FAILED,
        "code": failure_code(error)[:100],
        "error": to_json(error),
        "finished_at": now,
    }


def _lock_pending(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these items that have not ended; they end in this transaction only."""
    if not ids:
        return set()
    return set(connection.execute(_LOCKED_PENDING, {"ids": ids}).scalars())
