"""Refusals in a row in a list, in this process and in all processes that work at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from twilio_component.durable.store.run_status import FAILED
from twilio_component.durable.store.schema import items, loops, runs
from twilio_component.flows.interpreter.iterations import failure_code
from twilio_component.flows.interpreter.stop_rule import StopRule, concerns_sender

if TYPE_CHECKING:
    from twilio_component.durable.fanout.store import LoopKey, ParallelLoop
    from twilio_component.durable.store.database import Database

_MOST_RULES = 1_000


class Refusals:
    """Says when the iterations of a list are refused so often in a row that the list stops: ``stop_after`` times.

    This process notices its own refusals before they are stored, and those of all processes once they are.
    """

    def __init__(self, database: Database, stop_after: int) -> None:
        self._database = database
        self._stop_after = stop_after
        # Of each loop, and not of each chunk: the chunks of a short list are shorter than the rule. One that is resumed
        # has another generation, and a new chance.
        self._rules: dict[tuple[LoopKey, int], StopRule] = {}

    def rule_of(self, loop: ParallelLoop) -> StopRule:
        """The rule that the iterations of this process are told to."""
        key = (loop.key, loop.generation)
        while len(self._rules) >= _MOST_RULES and key not in self._rules:
            del self._rules[next(iter(self._rules))]
        return self._rules.setdefault(key, StopRule(self._stop_after))

    async def reason_to_stop(
        self, key: LoopKey, errors: Iterable[Mapping[str, Any] | None]
    ) -> Mapping[str, Any] | None:
        """The error for which a list stops after iterations with these ``errors`` were stored, if there is one.

        Reads as many rows as the rule has refusals, and only if one of the errors is a refusal of the sender. Retries
        until the database is available.
        """
        refused = [error for error in errors if error is not None and concerns_sender(error)]
        if not refused:
            return None
        error = refused[-1]
        ends = await self._database.run_until_available(lambda connection: self._last_ends(connection, key))
        is_long = len(ends) == self._stop_after
        return error if is_long and set(ends) == {(FAILED, failure_code(error))} else None

    def _last_ends(self, connection: Connection, key: LoopKey) -> list[tuple[str, str]]:
        """The state and code of the iterations that ended last since the list was begun, resumed or retried."""
        of_loop = select(runs.c.created_at, func.coalesce(loops.c.renewed_at, loops.c.created_at))
        of_loop = of_loop.join(loops, loops.c.run == runs.c.id)
        begun = connection.execute(of_loop.where(loops.c.run == key.run, loops.c.ordinal == key.ordinal)).one_or_none()
        if begun is None:
            return []
        ended = (items.c.run == key.run, items.c.ordinal == key.ordinal, items.c.finished_at > max(*begun))
        # Those of one time are in the order of the list.
        order = (items.c.finished_at.desc(), items.c.number.desc())
        last = select(items.c.state, items.c.code).where(*ended).order_by(*order)
        return [(row.state, row.code) for row in connection.execute(last.limit(self._stop_after))]
