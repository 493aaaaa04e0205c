"""How iterations end that succeed, many of them in one transaction: also in that of their last calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select, update

from twilio_component.durable.store.many_rows import is_among
from twilio_component.durable.store.run_status import SUCCEEDED
from twilio_component.durable.store.schema import items, journal, loops

PENDING = "pending"
"""The state of an item whose iteration has not ended; the others have the states of runs."""


@dataclass(frozen=True, slots=True)
class LastCall:
    """What ends when a call has its result: an iteration that succeeds and changes no state, of a loop (run, ordinal).

    Nobody reads the result then; it is stored nevertheless if the deployment ``keeps_results``.
    """

    loop: tuple[str, int]
    item: str
    keeps_results: bool


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


def end_with_calls(connection: Connection, now: float, calls: Sequence[LastCall]) -> set[str]:
    """Store the ends of iterations whose last calls are settled in this transaction.

    Returns the items that had not ended before. The others ended in another process.
    """
    items_by_loop: dict[tuple[tuple[str, int], bool], list[str]] = {}
    for one in calls:
        items_by_loop.setdefault((one.loop, one.keeps_results), []).append(one.item)
    ended: set[str] = set()
    for (loop, keeps_results), of_loop in sorted(items_by_loop.items()):
        ended |= end_successfully(connection, now, loop, of_loop, keep_payloads=keeps_results)
    return ended


def forget_results(connection: Connection, ids: Sequence[str]) -> None:
    """Delete the results of those of these items that have succeeded."""
    connection.execute(_EMPTYING, {"ids": ids})


def end_successfully(
    connection: Connection, now: float, loop: tuple[str, int], ids: Sequence[str], *, keep_payloads: bool
) -> set[str]:
    """End iterations of a loop, and count them; those that had not ended before."""
    wanted = {"ids": sorted(ids), "now": now}
    ended = set(connection.execute(_SUCCEEDING if keep_payloads else _FORGETTING, wanted).scalars())
    if ended:
        connection.execute(_COUNTING, {"of_run": loop[0], "of_ordinal": loop[1], "new": len(ended)})
    return ended
