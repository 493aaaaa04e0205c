"""Runs the iterations of a concurrent loop in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.interpreter.iterations import Iteration, Tally, partial_failure

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Done, FanOut
    from twilio_component.flows.runner.item_sources import Page, Sources


async def run_iterations(
    effect: FanOut, sources: Sources, run: Callable[[Iteration], Awaitable[Done]]
) -> dict[str, Any] | Failure:
    """Run all iterations, ``effect.concurrency`` at a time, and return the loop's envelope or failure.

    Items are taken as they are needed: however many there are, only a page or two of them are here. When a page
    cannot be read, the iterations that have started come to their end first.
    """
    tally = Tally()
    async with aclosing(sources.pages(effect.source)) as pages:
        iterations = _Iterations(pages, effect)

        async def worker() -> None:
            while (iteration := await iterations.next()) is not None:
                tally.add(iteration.number, (await run(iteration)).error)

        async with asyncio.TaskGroup() as group:
            for _ in range(effect.concurrency):
                group.create_task(worker())
    data = tally.as_data()
    return {"data": data} if iterations.failure is None else partial_failure(iterations.failure, data["count"])


class _Iterations:
    """The iterations in their order, each returned once."""

    def __init__(self, pages: AsyncIterator[Page | Failure], effect: FanOut) -> None:
        self.failure: Failure | None = None
        self._pages = pages
        self._effect = effect
        self._items: list[Any] = []
        self._at = 0
        self._number = 0
        self._turn = asyncio.Lock()

    async def next(self) -> Iteration | None:
        """The next iteration; None after the last one, and after a page that could not be read."""
        async with self._turn:
            while self._at == len(self._items):
                page = await anext(self._pages, None)
                if page is None:
                    return None
                if isinstance(page, Failure):
                    self.failure = page
                    return None
                self._items, self._at = page["items"], 0
            item = self._items[self._at]
            iteration = Iteration(self._effect.captured, self._effect.loop, self._number, item)
            self._at += 1
            self._number += 1
            return iteration
