"""Watches over a loop whose rounds run side by side: takes its items, and has them carried out piece by piece.

Items are stored as they are taken, and rounds are carried out in pieces of a thousand, by whichever process takes them
up. Some pieces run at the same time, one on each *lane*: of four lanes the first has the pieces 0, 4, 8, the second 1,
5, 9. Each process takes two at a time, so that there are some for the others. All that is known stands in the store,
so that this may begin again at any time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from twilio_component.durable.errors import RunStopped
from twilio_component.durable.fanout.store import Fan, Place
from twilio_component.durable.store import run_status
from twilio_component.flows.interpreter.effects import Failure

if TYPE_CHECKING:
    from twilio_component.durable.fanout.store import FanStore, Status
    from twilio_component.flows.interpreter.effects import FanOut
    from twilio_component.flows.runner.item_sources import Page, Sources

LANES_OF_PROCESS, MOST_LANES = 2, 8
LARGEST_PIECE = 1_000
_PAGE_PAUSES = (1.0, 4.0, 15.0, 60.0)
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class FanOuts:
    """Watches over loops. ``enqueue`` starts a piece by its id, its place and its number, if nobody has done so."""

    def __init__(
        self,
        store: FanStore,
        enqueue: Callable[[str, Place, int], Awaitable[None]],
        go_on: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._enqueue = enqueue
        self._go_on = go_on

    async def run(self, place: Place, effect: FanOut, sources: Sources) -> dict[str, Any] | Failure:
        """What the loop is answered with: ``{"data": …}``, or why items could not be had.

        Raises ``RunStopped``.
        """
        fan = await self._store.begin(
            Fan(place=place, name=effect.id, loop=effect.loop, concurrency=effect.concurrency, captured=effect.captured)
        )
        failures: list[Failure] = []
        reading = asyncio.create_task(self._read(fan, effect, sources, failures))
        try:
            fan = await self._divided(fan, reading)
            await self._watch(fan, reading)
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if failures:
            # Whoever tries again goes on from here: what has been carried out is not begun again.
            await self._store.renew(fan.place)
            return failures[0]
        return {"data": await self._store.tally(fan)}

    async def _read(self, fan: Fan, effect: FanOut, sources: Sources, failures: list[Failure]) -> None:
        """Store all items; a page that cannot be had ends it, after what was taken before has been carried out."""
        while not fan.is_whole:
            await self._go_on()
            page = await self._page(effect, sources, fan.after)
            if isinstance(page, Failure):
                failures.append(page)
                return
            fan = await self._store.take(fan, page)

    async def _page(self, effect: FanOut, sources: Sources, after: Any) -> Page | Failure:
        # Others than this loop's step would have to wait for the loop to end before it is tried again.
        for pause in _PAGE_PAUSES:
            page = await sources.page(effect.source, after)
            if not isinstance(page, Failure) or page.permanent:
                return page
            await asyncio.sleep(pause)
        return await sources.page(effect.source, after)

    async def _divided(self, fan: Fan, reading: asyncio.Task[None]) -> Fan:
        """Wait for enough items to know how to divide them, and do."""
        if fan.lanes is not None:
            return fan
        enough = MOST_LANES * LARGEST_PIECE
        while not reading.done() and fan.taken < enough:
            await asyncio.wait([reading], timeout=_SHORTEST_PAUSE)
            fan = await self._stored(fan)
        fan = await self._stored(fan)
        lanes = min(LANES_OF_PROCESS * await self._store.processes(), MOST_LANES)
        lanes = max(1, min(lanes, fan.concurrency, fan.taken))
        # A few items are divided too, so that all lanes have some.
        size = LARGEST_PIECE if fan.taken >= enough else max(1, math.ceil(fan.taken / lanes))
        return await self._store.divide(fan, lanes, size)

    async def _stored(self, fan: Fan) -> Fan:
        stored = await self._store.load(fan.place)
        if stored is None:
            raise RunStopped
        return stored

    async def _watch(self, fan: Fan, reading: asyncio.Task[None]) -> None:
        assert fan.lanes is not None  # noqa: S101 - the items have been divided
        piece_of_lane = {lane: lane for lane in range(fan.lanes)}
        begun: set[int] = set()
        pause = _SHORTEST_PAUSE
        while piece_of_lane:
            await self._go_on()
            all_read = reading.done()
            status = await self._store.status(fan, list(piece_of_lane.values()))
            if status.run_state != run_status.RUNNING:
                raise RunStopped
            moved = await self._move(fan, status, piece_of_lane, begun, all_read=all_read)
            pause = _SHORTEST_PAUSE if moved else min(1.5 * pause, _LONGEST_PAUSE)
            if not moved:
                await asyncio.sleep(pause)

    async def _move(
        self, fan: Fan, status: Status, piece_of_lane: dict[int, int], begun: set[int], *, all_read: bool
    ) -> bool:
        """Begin the pieces that can be begun, and go on where one has ended; whether anything has changed."""
        assert fan.size is not None  # noqa: S101 - the items have been divided
        assert fan.lanes is not None  # noqa: S101 - likewise
        moved = False
        for lane, piece in list(piece_of_lane.items()):
            is_whole = all_read or status.taken >= (piece + 1) * fan.size
            if is_whole and piece * fan.size >= status.taken:
                del piece_of_lane[lane]
            elif is_whole and not status.pending.get(piece):
                piece_of_lane[lane] = piece + fan.lanes
            elif is_whole and piece not in begun:
                begun.add(piece)
                await self._enqueue(piece_id(fan.place, piece, status.generation), fan.place, piece)
            else:
                continue
            moved = True
        return moved


def piece_id(place: Place, piece: int, generation: int) -> str:
    """The id of the workflow that carries out a piece, in a generation."""
    return f"{place.run}.{place.ordinal}.{piece}.{generation}"
