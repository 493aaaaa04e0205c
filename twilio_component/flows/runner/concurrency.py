"""Runs the iterations of a concurrent loop in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.interpreter.iterations import Iteration, Tally, failure_code, partial_failure
from twilio_component.flows.interpreter.stop_rule import LIST_STOPPED, stop_reason
from twilio_component.host.cancellation import is_cancelled

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Done, FanOut
    from twilio_component.flows.interpreter.stop_rule import StopRule
    from twilio_component.flows.runner.item_sources import Page, Sources


async def run_iterations(
    effect: FanOut, sources: Sources, run: Callable[[Iteration], Awaitable[Done]], rule: StopRule
) -> dict[str, Any] | Failure:
    """Run all iterations, ``effect.concurrency`` at a time, and return the loop's envelope or failure.

    Items are taken as they are needed: however many there are, only a page or two of them are here. When a page
    cannot be read, or the ``rule`` stops the list, the iterations that have started come to their end first. When the
    task is cancelled no further item is taken, and the loop fails if iterations had ended by then.
    """
    tally, causes = Tally(), list[Mapping[str, Any]]()
    async with aclosing(sources.pages(effect.source)) as pages:
        iterations = _Iterations(pages, effect)

        async def worker() -> None:
            # A call that is cancelled fails, its outcome unknown, and its cancellation ends there.
            while not causes and not is_cancelled() and (iteration := await iterations.next()) is not None:
                error = (await run(iteration)).error
                tally.add(iteration.number, error)
                if (cause := rule.reason_to_stop(error)) is not None:
                    causes.append(cause)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(effect.concurrency):
                    group.create_task(worker())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None  # the first one has ended the others
        except asyncio.CancelledError:
            data = tally.as_data()
            if not data["count"]:
                raise
            return _cancelled_failure(data)
        is_stopped = bool(causes) and await iterations.next() is not None
    data = tally.as_data()
    if is_stopped:
        return _stop_failure(causes[0], data)
    return {"data": data} if iterations.failure is None else partial_failure(iterations.failure, data["count"])


def _cancelled_failure(data: Mapping[str, Any]) -> Failure:
    """The failure of a loop that was cancelled: nobody remembers which of its items have been done."""
    return Failure(
        code="loop-cancelled",
        message=f"the loop was cancelled; {_summary(data)}, and the outcome of {data['unknown']:,} is unknown",
        permanent=True,
        outcome_unknown=True,
    )


def _summary(data: Mapping[str, Any]) -> str:
    return f"{data['count']:,} items were tried, of which {data['succeeded']:,} succeeded"


def _stop_failure(cause: Mapping[str, Any], data: Mapping[str, Any]) -> Failure:
    """The failure of a loop that stopped by itself: nobody remembers which of its items have been done."""
    return Failure(
        code=LIST_STOPPED,
        reason=failure_code(cause),
        message=f"{stop_reason(cause)}; {_summary(data)}. A served flow could be resumed",
        permanent=True,
        outcome_unknown=data["count"] > data["failed"],
    )


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
