"""Coordinates a loop with concurrent iterations: takes its items, and has them executed chunk by chunk.

Items are stored as they are taken. Iterations are executed in chunks of a thousand, by whichever process takes a chunk
from the queue. Several chunks are under way at a time, one in each *partition*: of four partitions the first has the
chunks 0, 4, 8, the second 1, 5, 9. Each process takes two at a time, so that some are left for the others. Everything
that is known is stored, so that this may start again at any time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twilio_component.durable.errors import RunStopped
from twilio_component.durable.fanout.store import LoopKey, ParallelLoop
from twilio_component.durable.store import run_status
from twilio_component.durable.task_ends import end_tasks
from twilio_component.flows.interpreter.effects import Failure

if TYPE_CHECKING:
    from twilio_component.durable.active_work import ActiveWork
    from twilio_component.durable.fanout.store import LoopStatus, LoopStore
    from twilio_component.flows.interpreter.effects import FanOut
    from twilio_component.flows.runner.item_sources import Page, Sources

PARTITIONS_PER_PROCESS, MAX_PARTITIONS = 2, 8
CHUNK_SIZE = 1_000
_PAGE_PAUSES = (1.0, 4.0, 15.0, 60.0)
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_HELD_PAUSE = 2.0

EnqueueChunk = Callable[[LoopKey, int, int], Awaitable[None]]
"""Enqueues a chunk of a loop (its number, its generation), unless that has been done."""


class LoopCoordinator:
    """Runs loops to their ends, each from the process that has its run."""

    def __init__(self, store: LoopStore, enqueue: EnqueueChunk, work: ActiveWork) -> None:
        self._store = store
        self._enqueue = enqueue
        self._work = work
        self._chunk_ends: dict[LoopKey, asyncio.Event] = {}

    def note_chunk_end(self, key: LoopKey) -> None:
        """Have the next chunk of this loop enqueued at once, if the loop is coordinated in this process."""
        if key in self._chunk_ends:
            self._chunk_ends[key].set()

    async def run(self, key: LoopKey, effect: FanOut, sources: Sources) -> dict[str, Any] | Failure:
        """The loop's result ``{"data": …}`` (a ``Tally``), or the failure to get its items.

        Raises ``RunStopped`` or ``EngineDraining``.
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
            loop = await self._partition(loop, reading)
            await self._watch(loop, reading)
            await reading
        finally:
            self._chunk_ends.pop(key, None)
            await end_tasks([reading])
        if failures:
            # A retry continues from here: what has been executed is not started again.
            await self._store.renew(loop.key)
            return failures[0]
        return {"data": await self._store.tally(loop)}

    async def _read(self, loop: ParallelLoop, effect: FanOut, sources: Sources, failures: list[Failure]) -> None:
        """Store all items. A page that cannot be had ends the loop after the items before it have been processed."""
        while not loop.is_whole:
            self._work.raise_if_draining()
            page = await self._page(effect, sources, loop.after)
            if isinstance(page, Failure):
                failures.append(page)
                return
            loop = await self._store.take(loop, page)

    async def _page(self, effect: FanOut, sources: Sources, after: Any) -> Page | Failure:
        # The retries of the loop's step would wait for all iterations to end first.
        for pause in _PAGE_PAUSES:
            page = await sources.page(effect.source, after)
            if not isinstance(page, Failure) or page.permanent:
                return page
            await asyncio.sleep(pause)
        return await sources.page(effect.source, after)

    async def _partition(self, loop: ParallelLoop, reading: asyncio.Task[None]) -> ParallelLoop:
        """Wait for enough items to know how to divide them, then divide them."""
        if loop.partitions is not None:
            return loop
        enough = MAX_PARTITIONS * CHUNK_SIZE
        while not reading.done() and loop.taken < enough:
            await asyncio.wait([reading], timeout=_SHORTEST_PAUSE)
            loop = await self._load(loop)
        loop = await self._load(loop)
        partitions = min(PARTITIONS_PER_PROCESS * await self._store.processes(), MAX_PARTITIONS)
        partitions = max(1, min(partitions, loop.concurrency, loop.taken))
        # A few items are divided too, so that every partition has some.
        size = CHUNK_SIZE if loop.taken >= enough else max(1, math.ceil(loop.taken / partitions))
        return await self._store.assign_partitions(loop, partitions, size)

    async def _load(self, loop: ParallelLoop) -> ParallelLoop:
        stored = await self._store.load(loop.key)
        if stored is None:
            raise RunStopped
        return stored

    async def _watch(self, loop: ParallelLoop, reading: asyncio.Task[None]) -> None:
        """Have all items executed; what must wait is left out, and executed in a later pass when its time has come."""
        await self._pass_once(loop, reading)
        while await self._wait_for_held(loop):
            await self._store.renew(loop.key)
            await self._pass_once(loop, reading)

    async def _wait_for_held(self, loop: ParallelLoop) -> bool:
        """Wait until an iteration that was held can continue; False when no iteration is left."""
        while (seconds := await self._store.seconds_held(loop.key)) is not None:
            self._work.raise_if_draining()
            if (await self._store.status(loop, [])).run_state != run_status.RUNNING:
                raise RunStopped
            if seconds <= 0:
                return True
            # Not for longer: the run may be stopped, and the clock set.
            await asyncio.sleep(min(max(seconds, _SHORTEST_PAUSE), _HELD_PAUSE))
        return False

    async def _pass_once(self, loop: ParallelLoop, reading: asyncio.Task[None]) -> None:
        assert loop.partitions is not None  # noqa: S101 - the items have been divided
        chunk_of_partition = {partition: partition for partition in range(loop.partitions)}
        enqueued: set[int] = set()
        pause = _SHORTEST_PAUSE
        chunk_end = self._chunk_ends.setdefault(loop.key, asyncio.Event())
        while chunk_of_partition:
            self._work.raise_if_draining()
            all_read = reading.done()
            chunk_end.clear()
            status = await self._store.status(loop, list(chunk_of_partition.values()))
            if status.run_state != run_status.RUNNING:
                raise RunStopped
            moved = await self._advance(loop, status, chunk_of_partition, enqueued, all_read=all_read)
            pause = _SHORTEST_PAUSE if moved else min(1.5 * pause, _LONGEST_PAUSE)
            if not moved:
                with suppress(TimeoutError):  # chunks that other processes execute end without a word
                    async with asyncio.timeout(pause):
                        await chunk_end.wait()

    async def _advance(
        self,
        loop: ParallelLoop,
        status: LoopStatus,
        chunk_of_partition: dict[int, int],
        enqueued: set[int],
        *,
        all_read: bool,
    ) -> bool:
        """Enqueue the chunks that are complete, and advance where one has ended; whether anything has changed."""
        assert loop.size is not None  # noqa: S101 - the items have been divided
        assert loop.partitions is not None  # noqa: S101 - the items have been divided
        moved = False
        for partition, chunk in list(chunk_of_partition.items()):
            is_whole = all_read or status.taken >= (chunk + 1) * loop.size
            if is_whole and chunk * loop.size >= status.taken:
                del chunk_of_partition[partition]
            elif is_whole and not status.pending.get(chunk):
                chunk_of_partition[partition] = chunk + loop.partitions
            elif is_whole and chunk not in enqueued:
                enqueued.add(chunk)
                await self._enqueue(loop.key, chunk, status.generation)
            else:
                continue
            moved = True
        return moved
