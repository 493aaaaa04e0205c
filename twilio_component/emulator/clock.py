"""The emulator's time: moved by the test in process, real time as a server.

In process nothing happens by itself: events (a message is sent, a webhook goes out) wait until `advance` moves the
clock past them, in their order and without sleeping. As a server `run` lets time pass as it does outside, and
`advance` still jumps ahead.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    Event = Callable[[], Awaitable[None] | None]


_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    """The clock's state while real time passes."""

    since: float
    loop: asyncio.AbstractEventLoop
    wake: asyncio.Event
    wakes_at: float = math.inf


class Clock:
    """Time that can be moved forward.

    ``start`` freezes the time of day there until `advance` moves it; without it the time of day is the machine's,
    plus every second that was moved, so that dates agree with those of the program under test.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start.timestamp() if start else None
        self._moved = 0.0
        self._events: list[tuple[float, int, Event]] = []
        self._order = itertools.count()
        self._running: _Running | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        if self._start is not None:
            return self._start + self._position()
        return time.time() + self._moved

    @property
    def pending(self) -> int:
        """How many events wait for their time."""
        return len(self._events)

    def schedule(self, seconds: float, event: Event) -> None:
        """Run ``event`` in so many seconds; an awaitable that it returns is awaited."""
        due = self._position() + seconds
        heapq.heappush(self._events, (due, next(self._order), event))
        running = self._running
        if running is not None and due < running.wakes_at:
            running.loop.call_soon_threadsafe(running.wake.set)

    def forget_events(self) -> None:
        """Drop every scheduled event."""
        self._events.clear()

    async def advance(self, seconds: float) -> None:
        """Move ``seconds`` forward; returns when every event that is due by then has happened, webhooks included."""
        if seconds < 0:
            raise ValueError(f"time moves forward only, not by {seconds} s")
        target = self._position() + seconds
        while self._events and self._events[0][0] <= target:
            due, _, event = heapq.heappop(self._events)
            self._moved += max(0.0, due - self._position())
            await _happen(event)
        self._moved += max(0.0, target - self._position())

    async def wait(self, seconds: float) -> None:
        """Wait while real time passes; in process, where it does not pass by itself, move forward without waiting.

        What else is due by then happens at the next `advance`.
        """
        if self._running is None:
            self._moved += seconds
        else:
            await asyncio.sleep(seconds)

    async def run(self) -> None:
        """Let real time pass until cancelled; events that take long do not hold up the others."""
        running = _Running(time.monotonic(), asyncio.get_running_loop(), asyncio.Event())
        self._running = running
        try:
            while True:
                running.wake.clear()
                await self._start_due()
                running.wakes_at = self._events[0][0] if self._events else math.inf
                pause = running.wakes_at - self._position()
                try:
                    async with asyncio.timeout(None if pause == math.inf else max(0.0, pause)):
                        await running.wake.wait()
                except TimeoutError:
                    continue
        finally:
            self._moved = self._position() if self._start is not None else self._moved
            self._running = None
            await self._finish_tasks()

    def _position(self) -> float:
        """Return the position on the timeline of events, in seconds."""
        return self._moved + (time.monotonic() - self._running.since if self._running else 0.0)

    async def _start_due(self) -> None:
        while self._events and self._events[0][0] <= self._position():
            _, _, event = heapq.heappop(self._events)
            outcome = event()
            if outcome is not None:
                task = asyncio.ensure_future(_finish(outcome))
                self._tasks.add(task)
                task.add_done_callback(self._forget_task)
                await asyncio.sleep(0)  # it begins before the next event, which may be due as well by now

    def _forget_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Nothing awaits the task, and time must not stop.
            _LOGGER.error("an event of the emulator failed", exc_info=task.exception())

    async def _finish_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _happen(event: Event) -> None:
    outcome = event()
    if outcome is not None:
        await outcome


async def _finish(outcome: Awaitable[None]) -> None:
    await outcome
