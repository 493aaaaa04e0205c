"""Carries out a piece of a loop: its rounds side by side, each an execution of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import TYPE_CHECKING

from twilio_component.durable.errors import RunStopped
from twilio_component.durable.fanout.store import Ended

if TYPE_CHECKING:
    from twilio_component.durable.fanout.store import Fan, FanStore, Item, Place
    from twilio_component.durable.store.journal import Kept

_LOOK_SECONDS = 0.5
_MOST_UNWRITTEN = 200

RoundRunner = Callable[["Fan", "Item", Mapping[int, "Kept"]], Awaitable[Ended]]


class ChunkRunner:
    """Carries out pieces; ``keep_payloads`` as in the settings."""

    def __init__(self, store: FanStore, *, keep_payloads: bool) -> None:
        self._store = store
        self._keep_texts = keep_payloads

    async def run(self, place: Place, piece: int, rounds: Callable[[asyncio.Event], Awaitable[RoundRunner]]) -> None:
        """Run the rounds of a piece that have not ended; those that a pause or a cancellation stops stay as they are.

        ``rounds`` makes what runs one, given the event that tells it to stop.
        """
        fan = await self._store.load(place)
        if fan is None or not await self._store.is_running(place.run):
            return
        waiting, kept = await self._store.pending(fan, piece)
        stopping = asyncio.Event()
        run = await rounds(stopping)
        ended: asyncio.Queue[Ended] = asyncio.Queue(_MOST_UNWRITTEN)
        waiting.reverse()

        async def lane() -> None:
            while waiting and not stopping.is_set():
                item = waiting.pop()
                try:
                    await ended.put(await run(fan, item, kept.pop(item.id, {})))
                except RunStopped:
                    return

        # Rounds are no workflows: what they call must not find itself in this one, whose steps have an order.
        async with asyncio.TaskGroup() as chores:
            watching = chores.create_task(self._watch(place, stopping), context=Context())
            writing = chores.create_task(self._write(ended), context=Context())
            async with asyncio.TaskGroup() as group:
                for _ in range(min(fan.share(piece), len(waiting))):
                    group.create_task(lane(), context=Context())
            await ended.join()
            watching.cancel()
            writing.cancel()

    async def _watch(self, place: Place, stopping: asyncio.Event) -> None:
        while await self._store.is_running(place.run):  # noqa: ASYNC110 - an operator says so in the database
            await asyncio.sleep(_LOOK_SECONDS)
        stopping.set()

    async def _write(self, ended: asyncio.Queue[Ended]) -> None:
        """Store how rounds have ended, all that are there at once: what is not yet stored is only looked at again."""
        while True:
            batch = [await ended.get()]
            while not ended.empty():
                batch.append(ended.get_nowait())
            await self._store.end_rounds(batch, keep_payloads=self._keep_texts)
            for _ in batch:
                ended.task_done()
