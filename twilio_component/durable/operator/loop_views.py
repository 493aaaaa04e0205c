"""Loops with concurrent iterations, as an operator sees them: their progress, and how iterations ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, func, select

from twilio_component.durable.fanout.store import LoopKey, count_iterations
from twilio_component.durable.operator.item_strands import Strand, items_of_strand, strands_of
from twilio_component.durable.operator.times import format_time
from twilio_component.durable.sending.intents import IN_DOUBT, PLANNED
from twilio_component.durable.store.item_ends import PENDING
from twilio_component.durable.store.run_status import RUNNING
from twilio_component.durable.store.schema import UNCERTAIN, intents, items, loops, runs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from twilio_component.durable.store.database import Database

_RATE_SECONDS = 60.0
_BATCH = 500
_HOLDS_READ = 20


class LoopViews:
    """Reads loops. Its methods raise ``StoreUnavailableError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def loops(self, run: str) -> list[dict[str, Any]]:
        """The run's loops, in the order in which they began.

        ``{"loop", "taken", "isWhole", "succeeded", "failed": {code: count}, "unknown", "left", "perSecond",
        "expectedEnd"}``: how many items have been taken and whether there are no more, how their iterations ended, how
        many have not ended, how many ended per second in the last minute, and when the last one will at that rate.
        Where some must wait, for quiet hours for example, also ``held``, how many, ``heldUntil``, the first's time, and
        ``heldBy``, the kinds of what holds the first of them; they end at the earliest when the last may continue;
        where calls of iterations are looked for, since their outcome is not known yet, also ``inDoubt``, how many.
        """

        def work(connection: Connection) -> list[dict[str, Any]]:
            now = self._database.now(connection)
            chosen = select(loops, runs.c.state).join(runs, runs.c.id == loops.c.run).where(loops.c.run == run)
            found = connection.execute(chosen.order_by(loops.c.ordinal)).all()
            return [loop_progress(connection, loop, now) for loop in found]

        return await self._database.run(work)

    async def iterations(
        self, run: str, *, state: str | None = None, code: str | None = None, with_items: bool = False
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The iterations of the run's loops in their order, filtered by ``state`` and failure ``code``.

        ``{"loop", "index", "state", "code", "finished", "effects"}``: ``effects`` are the ids of what their calls
        created. With ``with_items`` also the ``item``, as long as it is stored.
        """
        for key, step in await self._database.run(partial(_loops_of, run=run)):
            strands = await self._database.run(partial(strands_of, key=key, state=state, code=code))
            after = -1
            while batch := await self._batch(key, strands, after):
                for row, effects in batch:
                    iteration = {
                        "loop": step,
                        "index": row.number,
                        "state": row.state,
                        "code": row.code,
                        "finished": format_time(row.finished_at),
                        "effects": effects,
                    }
                    yield {**iteration, "item": json.loads(row.item) if row.item else None} if with_items else iteration
                    after = row.number

    async def _batch(self, key: LoopKey, strands: Sequence[Strand], after: int) -> list[tuple[Row[Any], list[str]]]:
        def work(connection: Connection) -> list[tuple[Row[Any], list[str]]]:
            found = [
                row for strand in strands for row in connection.execute(items_of_strand(key, strand, after, _BATCH))
            ]
            rows = sorted(found, key=lambda row: row.number)[:_BATCH]
            done: dict[str, list[str]] = {row.id: [] for row in rows}
            effects = select(intents.c.item, intents.c.resource_id).where(intents.c.resource_id.is_not(None))
            for item, effect in connection.execute(effects.where(intents.c.item.in_(done)).order_by(intents.c.key)):
                done[item].append(effect)
            return [(row, done[row.id]) for row in rows]

        return await self._database.run(work)


def _loops_of(connection: Connection, run: str) -> list[tuple[LoopKey, str]]:
    chosen = select(loops.c.ordinal, loops.c.step_id).where(loops.c.run == run).order_by(loops.c.ordinal)
    return [(LoopKey(run, row.ordinal), row.step_id) for row in connection.execute(chosen)]


def _calls_in_doubt(run: str) -> Select[Any]:
    """How many calls of a run are looked for; while it executes a loop, they are its iterations'."""
    counting = select(func.count()).select_from(intents).where(UNCERTAIN, intents.c.state == IN_DOUBT)
    # By the index of uncertain calls, which are few, and not by that of all calls of a long list.
    return counting.where(intents.c.run.concat("") == run)


def loop_progress(connection: Connection, loop: Row[Any], now: float) -> dict[str, Any]:
    """One loop, as ``LoopViews.loops`` shows it; the row has the ``state`` of its run too."""
    count = count_iterations(connection, LoopKey(loop.run, loop.ordinal))
    lately = max(loop.created_at, now - _RATE_SECONDS)
    ended = (items.c.run == loop.run, items.c.ordinal == loop.ordinal, items.c.finished_at > lately)
    recent = connection.execute(select(func.count()).select_from(items).where(*ended)).scalar_one()
    per_second = recent / max(now - lately, 1.0)
    left = count.pop("pending")
    of_loop = (items.c.run == loop.run, items.c.ordinal == loop.ordinal)
    waits = (*of_loop, items.c.state == PENDING, items.c.held_until > now)
    counting = select(func.count(), func.min(items.c.held_until), func.max(items.c.held_until))
    held, until, latest = connection.execute(counting.where(*waits)).one()
    in_doubt = connection.execute(_calls_in_doubt(loop.run)).scalar_one() if left else 0
    end = None
    if loop.state == RUNNING and loop.is_whole and left and (per_second or left == held):
        end = max(latest or 0.0, now + ((left - held) / per_second if per_second else 0.0))
    return {
        "loop": loop.step_id,
        "taken": loop.taken,
        "isWhole": loop.is_whole,
        **count,
        "left": left,
        **({"held": held, "heldUntil": format_time(until), "heldBy": _holds(connection, waits)} if held else {}),
        **({"inDoubt": in_doubt} if in_doubt else {}),
        "perSecond": round(per_second, 1) if left else None,
        "expectedEnd": None if end is None else format_time(end),
    }


def _holds(connection: Connection, waits: Sequence[Any]) -> list[str]:
    """The kinds of what holds the calls of the iterations that may continue first."""
    first = select(items.c.id).where(*waits).order_by(items.c.held_until).limit(_HOLDS_READ)
    calls = intents.c.item.in_(list(connection.execute(first).scalars()))
    kinds = select(intents.c.hold_kind).where(calls, intents.c.state == PLANNED, intents.c.hold_kind.is_not(None))
    return sorted(connection.execute(kinds.distinct()).scalars())
