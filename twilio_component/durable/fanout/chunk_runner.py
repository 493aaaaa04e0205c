"""Carries out a chunk of a loop: its rounds side by side, each an execution of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import TYPE_CHECKING

from twilio_component.durable.errors import RunStopped
from twilio_component.durable.fanout.store import EndedIteration

if TYPE_CHECKING:
    from twilio_component.durable.fanout.store import Item, LoopKey, LoopStore, ParallelLoop
    from twilio_component.durable.store.journal import JournalEntry

_LOOK_SECONDS = 0.5
_MOST_UNWRITTEN = 200

IterationRunner = Callable[["ParallelLoop", "Item", Mapping[int, "JournalEntry"]], Awaitable[EndedIteration]]


class ChunkRunner:
    """Carries out chunks; ``keep_payloads`` as in the settings."""

    def __init__(self, store: LoopStore, *, keep_payloads: bool) -> None:
        self._store = store
        self._keep_texts = keep_payloads

    async def run(
        self, key: LoopKey, chunk: int, rounds: Callable[[asyncio.Event], Awaitable[IterationRunner]]
    ) -> None:
        """Run the rounds of a chunk that have not ended; those that a pause or a cancellation stops stay as they are.

        ``rounds`` makes what runs one, given the event that tells it to stop.
        """
        loop = await self._store.load(key)
        if loop is None or not await self._store.is_running(key.run):
            return
        waiting, kept = await self._store.pending(loop, chunk)
        stopping = asyncio.Event()
        run = await rounds(stopping)
        ended: asyncio.Queue[EndedIteration] = asyncio.Queue(_MOST_UNWRITTEN)
        waiting.reverse()

        async def partition() -> None:
            while waiting and not stopping.is_set():
                item = waiting.pop()
                try:
                    await ended.put(await run(loop, item, kept.pop(item.id, {})))
                except RunStopped:
                    return

        # Rounds are no workflows: what they call must not find itself in this one, whose steps have an order.
        async with asyncio.TaskGroup() as chores:
            watching = chores.create_task(self._watch(key, stopping), context=Context())
            writing = chores.create_task(self._write(ended), context=Context())
            async with asyncio.TaskGroup() as group:
                for _ in range(min(loop.concurrency_of(chunk), len(waiting))):
                    group.create_task(partition(), context=Context())
            await ended.join()
            watching.cancel()
            writing.cancel()

    async def _watch(self, key: LoopKey, stopping: asyncio.Event) -> None:
        while await self._store.is_running(key.run):  # noqa: ASYNC110 - an operator says so in the database
            await asyncio.sleep(_LOOK_SECONDS)
        stopping.set()

    async def _write(self, ended: asyncio.Queue[EndedIteration]) -> None:
        """Store how rounds have ended, all that are there at once: what is not yet stored is only looked at again."""
        while True:
            batch = [await ended.get()]
            while not ended.empty():
                batch.append(ended.get_nowait())
            await self._store.end_iterations(batch, keep_payloads=self._keep_texts)
            for _ in batch:
                ended.task_done()
