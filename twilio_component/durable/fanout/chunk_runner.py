"""Executes a chunk of a loop: its iterations run concurrently, each an execution of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twilio_component.durable.clock import Clock
from twilio_component.durable.errors import CallHeld, ResultOvertaken, RunStopped
from twilio_component.durable.fanout.ends import EndedIteration
from twilio_component.durable.fanout.store import HeldIteration
from twilio_component.durable.fanout.waiting_items import WaitingItems

if TYPE_CHECKING:
    from twilio_component.durable.fanout.refusals import Refusals
    from twilio_component.durable.fanout.store import Item, LoopKey, LoopStore, ParallelLoop
    from twilio_component.durable.store.journal import JournalEntry

_LOOK_SECONDS = 0.5
_MAX_UNSTORED = 200
_GATHER_SECONDS = 0.2

Cause = tuple["EndedIteration", Mapping[str, Any]]
"""An iteration that has met a reason to stop the list, and its error."""
IterationRunner = Callable[["ParallelLoop", "Item", Mapping[int, "JournalEntry"]], Awaitable[EndedIteration]]


class ChunkRunner:
    """Executes chunks; ``keep_payloads`` is the setting of this name.

    ``refusals`` says when a list stops by itself, and ``stop`` stops the run of a loop because of an error that the
    rest of its items would meet as well.
    """

    def __init__(
        self,
        store: LoopStore,
        stop: Callable[[ParallelLoop, Mapping[str, Any]], Awaitable[object]],
        *,
        refusals: Refusals,
        keep_payloads: bool,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self._store = store
        self._stop = stop
        self._keep_payloads = keep_payloads
        self._refusals = refusals

    async def run(
        self, key: LoopKey, chunk: int, runner: Callable[[asyncio.Event], Awaitable[IterationRunner]]
    ) -> None:
        """Run the iterations of a chunk that have not ended; a pause or cancellation leaves the rest as it is stored.

        ``runner`` makes the function that runs one iteration, given the event that tells iterations to stop.
        """
        while await self._run_once(key, chunk, runner):  # noqa: ASYNC110 - an operator has resumed the run
            await asyncio.sleep(_LOOK_SECONDS)

    async def _run_once(
        self, key: LoopKey, chunk: int, runner: Callable[[asyncio.Event], Awaitable[IterationRunner]]
    ) -> bool:
        """Run them; whether one of them has been told to stop although the run continues, having been resumed."""
        loop = await self._store.load(key)
        if loop is None or not await self._store.is_running(key.run):
            return False
        found, journals = await self._store.pending(loop, chunk)
        waiting = WaitingItems(found, self._clock.now())
        stopping, causes, stopped = asyncio.Event(), list[Cause](), set[str]()
        all_ended = asyncio.Event()
        run_iteration, rule = await runner(stopping), self._refusals.rule_of(loop)
        ended: asyncio.Queue[EndedIteration | HeldIteration] = asyncio.Queue(_MAX_UNSTORED)

        async def run_iterations() -> None:
            while not stopping.is_set() and (item := waiting.take(self._clock.now())) is not None:
                journal = await self._results_of(item, journals)
                try:
                    end = await self._run_iteration(run_iteration, loop, item, journal)
                    if not end.is_replayed and (cause := rule.reason_to_stop(end.error)) is not None:
                        # Now, and not when the database says so: each further request would be refused as well.
                        stopping.set()
                        causes.append((end, cause))
                    if not end.is_stored:
                        await ended.put(end)
                except CallHeld as hold:
                    # Its place is another one's now: what waits for the morning must not hold up the rest.
                    until = hold.until or self._clock.now()
                    waiting.put_back(item, until)
                    await ended.put(HeldIteration(item.id, until))
                except RunStopped:
                    stopped.add(item.id)
                    return

        # Iterations are not workflows: their calls must not see this one's context, whose steps are numbered.
        async with asyncio.TaskGroup() as background:
            watching = background.create_task(self._watch(key, stopping), context=Context())
            storing = background.create_task(
                self._store_ended(loop, ended, causes, stopping, all_ended), context=Context()
            )
            for item in waiting.items_on_hold():
                await ended.put(HeldIteration(item.id, item.held_until or 0.0))
            async with asyncio.TaskGroup() as group:
                for _ in range(min(loop.concurrency_of(chunk), len(found))):
                    group.create_task(run_iterations(), context=Context())
            all_ended.set()
            await ended.join()
            watching.cancel()
            storing.cancel()
        return bool(stopped) and not stopping.is_set()

    async def _run_iteration(
        self, run_iteration: IterationRunner, loop: ParallelLoop, item: Item, journal: Mapping[int, JournalEntry]
    ) -> EndedIteration:
        while True:
            try:
                end = await run_iteration(loop, item, journal)
            except ResultOvertaken:
                journal = await self._store.journal_of(item.id)
            else:
                return end if end.is_stored else replace(end, ended_at=self._clock.monotonic())

    async def _results_of(self, item: Item, journals: dict[str, dict[int, JournalEntry]]) -> Mapping[int, JournalEntry]:
        """What an iteration has done before this: read with its chunk, or since it was held."""
        known = journals.pop(item.id, None)
        if known is not None:
            return known
        return await self._store.journal_of(item.id) if item.held_until is not None else {}

    async def _watch(self, key: LoopKey, stopping: asyncio.Event) -> None:
        while await self._store.is_running(key.run):  # noqa: ASYNC110 - an operator changes it in the database
            await asyncio.sleep(_LOOK_SECONDS)
        stopping.set()

    async def _store_ended(
        self,
        loop: ParallelLoop,
        ended: asyncio.Queue[EndedIteration | HeldIteration],
        causes: list[Cause],
        stopping: asyncio.Event,
        all_ended: asyncio.Event,
    ) -> None:
        """Store the ends and holds of iterations, those of a moment at once; what is not stored is only replayed.

        Once there is a cause to stop the list, here or in all processes together, and the iteration that met it is
        stored, the list is stopped.
        """
        key = loop.key
        while True:
            batch = [await ended.get()]
            with suppress(TimeoutError):
                async with self._clock.timeout(_GATHER_SECONDS):
                    await all_ended.wait()
            while not ended.empty():
                batch.append(ended.get_nowait())
            ends = [one for one in batch if isinstance(one, EndedIteration)]
            if holds := [one for one in batch if isinstance(one, HeldIteration)]:
                await self._store.hold_iterations(key, holds)
            if ends:
                await self._store.end_iterations(key, ends, keep_payloads=self._keep_payloads)
            found = next((cause for end, cause in causes if any(end is one for one in ends)), None)
            news = [one.error for one in ends if not one.is_replayed]
            cause = found or await self._refusals.reason_to_stop(key, news)
            if cause is not None:
                stopping.set()
                await self._stop(loop, cause)
            for _ in batch:
                ended.task_done()
