"""The loops of a run with their progress, and their items page by page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, tuple_

from twilio_component.durable.fanout.store import LoopKey
from twilio_component.durable.operator.loop_views import loop_progress
from twilio_component.durable.operator.times import format_time
from twilio_component.durable.store.item_ends import PENDING
from twilio_component.durable.store.run_status import SUCCEEDED
from twilio_component.durable.store.schema import intents, items, loops, runs

if TYPE_CHECKING:
    from sqlalchemy import Row, Select

    from twilio_component.durable.store.reader import Reader

MOST_ITEMS = 100
_MOST_LOOPS = 50
_WITHOUT_CODE = (PENDING, SUCCEEDED)


class ItemPages:
    """Reads loops and items for the page of operations. Its methods raise ``StoreUnavailableError``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def loops(self, run: str) -> list[dict[str, Any]]:
        """The run's loops (at most fifty, the last begun first), as ``LoopViews.loops``, with their ``ordinal``."""

        def work(connection: Connection) -> list[dict[str, Any]]:
            now = self._reader.now(connection)
            chosen = select(loops, runs.c.state).join(runs, runs.c.id == loops.c.run).where(loops.c.run == run)
            found = connection.execute(chosen.order_by(loops.c.ordinal.desc()).limit(_MOST_LOOPS)).all()
            return [{**loop_progress(connection, loop, now), "ordinal": loop.ordinal} for loop in found]

        return await self._reader.run(work)

    async def items(
        self, run: str, ordinal: int, *, state: str, code: str | None = None, after: str | None = None, limit: int = 50
    ) -> dict[str, Any]:
        """``{"items", "next"}``: the items of a loop in a state, those of one failure ``code`` after each other.

        An item has its ``index``, ``state``, ``code``, ``message``, ``finished`` and ``effects``, the ids of what its
        calls created. The item itself is what people are called and how they are reached, so it is not among them.
        """
        limit = min(max(limit, 1), MOST_ITEMS)
        position = None if after is None else _position(after)
        chosen = page_of_items(LoopKey(run, ordinal), state, code=code, after=position, limit=limit + 1)

        def work(connection: Connection) -> dict[str, Any]:
            rows = connection.execute(chosen).all()
            shown = rows[:limit]
            effects: dict[str, list[str]] = {row.id: [] for row in shown}
            made = select(intents.c.item, intents.c.resource_id).where(
                intents.c.item.in_(effects), intents.c.resource_id.is_not(None)
            )
            for item, resource in connection.execute(made.order_by(intents.c.key)):
                effects[item].append(resource)
            return {
                "items": [{**_item(row), "effects": effects[row.id]} for row in shown],
                "next": f"{shown[-1].number} {shown[-1].code or ''}" if len(rows) > limit else None,
            }

        return await self._reader.run(work)


def page_of_items(
    key: LoopKey, state: str, *, code: str | None, after: tuple[str, int] | None, limit: int
) -> Select[Any]:
    """The next ``limit`` items of a loop in a state, by code and, within a code, in their order, as the index is."""
    chosen = select(items).where(items.c.run == key.run, items.c.ordinal == key.ordinal, items.c.state == state)
    chosen = chosen.order_by(items.c.code, items.c.number).limit(limit)
    if state in _WITHOUT_CODE:
        chosen = chosen.where(items.c.code.is_(None))
        return chosen if after is None else chosen.where(items.c.number > after[1])
    if code is not None:
        chosen = chosen.where(items.c.code == code)
    return chosen if after is None else chosen.where(tuple_(items.c.code, items.c.number) > after)


def _position(text: str) -> tuple[str, int]:
    number, _, code = text.partition(" ")
    if not (number.isascii() and number.isdigit()):
        raise ValueError("after has to be the next of a page")
    return code, int(number)


def _item(row: Row[Any]) -> dict[str, Any]:
    error = json.loads(row.error) if row.error else {}
    return {
        "index": row.number,
        "state": row.state,
        "code": row.code,
        "message": error.get("message"),
        "step": error.get("step"),
        "finished": format_time(row.finished_at),
    }
