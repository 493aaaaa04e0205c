"""A loop's rounds, side by side in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.interpreter.iterations import Round, Tally, part_done

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Done, FanOut
    from twilio_component.flows.runner.item_sources import Page, Sources


async def run_rounds(
    effect: FanOut, sources: Sources, run: Callable[[Round], Awaitable[Done]]
) -> dict[str, Any] | Failure:
    """Run all rounds, ``effect.concurrency`` at a time; what the loop is answered with.

    Items are taken as they are needed: however many there are, only a page or two of them are here. When a page cannot
    be had, the rounds that have begun are ended first.
    """
    tally = Tally()
    async with aclosing(sources.ahead(effect.source)) as pages:
        rounds = _Rounds(pages, effect)

        async def lane() -> None:
            while (round_ := await rounds.next()) is not None:
                tally.add(round_.number, (await run(round_)).error)

        async with asyncio.TaskGroup() as group:
            for _ in range(effect.concurrency):
                group.create_task(lane())
    data = tally.as_data()
    return {"data": data} if rounds.failure is None else part_done(rounds.failure, data["count"])


class _Rounds:
    """The rounds in their order, each given once."""

    def __init__(self, pages: AsyncIterator[Page | Failure], effect: FanOut) -> None:
        self.failure: Failure | None = None
        self._pages = pages
        self._effect = effect
        self._items: list[Any] = []
        self._at = 0
        self._number = 0
        self._turn = asyncio.Lock()

    async def next(self) -> Round | None:
        """The next round; None after the last, and after a page that could not be had."""
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
            round_ = Round(self._effect.seen, self._effect.loop, self._number, item)
            self._at += 1
            self._number += 1
            return round_
