"""Watches over a loop whose rounds run side by side: takes its items, and has them carried out chunk by chunk.

Items are stored as they are taken, and rounds are carried out in chunks of a thousand, by whichever process takes them
up. Some chunks run at the same time, one in each *partition*: of four partitions the first has the chunks 0, 4, 8,
the second 1, 5, 9. Each process takes two at a time, so that some are left for the others.
Everything that is known is stored, so that this may start again at any time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from twilio_component.durable.errors import RunStopped
from twilio_component.durable.fanout.store import LoopKey, ParallelLoop
from twilio_component.durable.store import run_status
from twilio_component.flows.interpreter.effects import Failure

if TYPE_CHECKING:
    from twilio_component.durable.fanout.store import LoopStore, Status
    from twilio_component.flows.interpreter.effects import FanOut
    from twilio_component.flows.runner.item_sources import Page, Sources

PARTITIONS_PER_PROCESS, MAX_PARTITIONS = 2, 8
CHUNK_SIZE = 1_000
_PAGE_PAUSES = (1.0, 4.0, 15.0, 60.0)
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class LoopCoordinator:
    """Watches over loops. ``enqueue`` starts a chunk by its id, its place and its number, if nobody has done so."""

    def __init__(
        self,
        store: LoopStore,
        enqueue: Callable[[str, LoopKey, int], Awaitable[None]],
        raise_if_draining: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._enqueue = enqueue
        self._raise_if_draining = raise_if_draining

    async def run(self, key: LoopKey, effect: FanOut, sources: Sources) -> dict[str, Any] | Failure:
        """What the loop is answered with: ``{"data": …}``, or why items could not be had.

        Raises ``RunStopped``.
        """
        loop = await self._store.begin(
            ParallelLoop(
                key=key,
                step_id=effect.id,
                loop_step=effect.loop,
                concurrency=effect.concurrency,
                captured=effect.captured,
            )
        )
        failures: list[Failure] = []
        reading = asyncio.create_task(self._read(loop, effect, sources, failures))
        try:
            loop = await self._divided(loop, reading)
            await self._watch(loop, reading)
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if failures:
            # Whoever tries again goes on from here: what has been carried out is not begun again.
            await self._store.renew(loop.key)
            return failures[0]
        return {"data": await self._store.tally(loop)}

    async def _read(self, loop: ParallelLoop, effect: FanOut, sources: Sources, failures: list[Failure]) -> None:
        """Store all items; a page that cannot be had ends it, after what was taken before has been carried out."""
        while not loop.is_whole:
            await self._raise_if_draining()
            page = await self._page(effect, sources, loop.after)
            if isinstance(page, Failure):
                failures.append(page)
                return
            loop = await self._store.take(loop, page)

    async def _page(self, effect: FanOut, sources: Sources, after: Any) -> Page | Failure:
        # Others than this loop's step would have to wait for the loop to end before it is tried again.
        for pause in _PAGE_PAUSES:
            page = await sources.page(effect.source, after)
            if not isinstance(page, Failure) or page.permanent:
                return page
            await asyncio.sleep(pause)
        return await sources.page(effect.source, after)

    async def _divided(self, loop: ParallelLoop, reading: asyncio.Task[None]) -> ParallelLoop:
        """Wait for enough items to know how to divide them, and do."""
        if loop.partitions is not None:
            return loop
        enough = MAX_PARTITIONS * CHUNK_SIZE
        while not reading.done() and loop.taken < enough:
            await asyncio.wait([reading], timeout=_SHORTEST_PAUSE)
            loop = await self._stored(loop)
        loop = await self._stored(loop)
        partitions = min(PARTITIONS_PER_PROCESS * await self._store.processes(), MAX_PARTITIONS)
        partitions = max(1, min(partitions, loop.concurrency, loop.taken))
        # A few items are divided too, so that all partitions have some.
        size = CHUNK_SIZE if loop.taken >= enough else max(1, math.ceil(loop.taken / partitions))
        return await self._store.assign_partitions(loop, partitions, size)

    async def _stored(self, loop: ParallelLoop) -> ParallelLoop:
        stored = await self._store.load(loop.key)
        if stored is None:
            raise RunStopped
        return stored

    async def _watch(self, loop: ParallelLoop, reading: asyncio.Task[None]) -> None:
        assert loop.partitions is not None  # noqa: S101 - the items have been divided
        chunk_of_partition = {partition: partition for partition in range(loop.partitions)}
        begun: set[int] = set()
        pause = _SHORTEST_PAUSE
        while chunk_of_partition:
            await self._raise_if_draining()
            all_read = reading.done()
            status = await self._store.status(loop, list(chunk_of_partition.values()))
            if status.run_state != run_status.RUNNING:
                raise RunStopped
            moved = await self._move(loop, status, chunk_of_partition, begun, all_read=all_read)
            pause = _SHORTEST_PAUSE if moved else min(1.5 * pause, _LONGEST_PAUSE)
            if not moved:
                await asyncio.sleep(pause)

    async def _move(
        self, loop: ParallelLoop, status: Status, chunk_of_partition: dict[int, int], begun: set[int], *, all_read: bool
    ) -> bool:
        """Begin the chunks that can be begun, and go on where one has ended; whether anything has changed."""
        assert loop.size is not None  # noqa: S101 - the items have been divided
        assert loop.partitions is not None  # noqa: S101 - likewise
        moved = False
        for partition, chunk in list(chunk_of_partition.items()):
            is_whole = all_read or status.taken >= (chunk + 1) * loop.size
            if is_whole and chunk * loop.size >= status.taken:
                del chunk_of_partition[partition]
            elif is_whole and not status.pending.get(chunk):
                chunk_of_partition[partition] = chunk + loop.partitions
            elif is_whole and chunk not in begun:
                begun.add(chunk)
                await self._enqueue(chunk_id(loop.key, chunk, status.generation), loop.key, chunk)
            else:
                continue
            moved = True
        return moved


def chunk_id(key: LoopKey, chunk: int, generation: int) -> str:
    """The id of the workflow that carries out a chunk, in a generation."""
    return f"{key.run}.{key.ordinal}.{chunk}.{generation}"
