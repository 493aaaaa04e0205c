"""Starts runs that have been stored, a little later: whoever stored one need not wait until it has been started too.

A run that nobody lives to start is found by the stragglers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

_MOST = 100  # at once
_MOST_WAITING = 1_000
# Of a burst everything is stored first. Whoever sends a request waits, and gives up after a while; a run does not.
_BURST = 10
_BURST_SECONDS = 0.2
_LONGEST_WAIT = 1.0
_PAUSE = 0.05
_LOGGER = logging.getLogger("twilio_component.durable")


class RunStarter:
    """Starts runs, at most a hundred at once, the first to come among the first; ``start`` starts some."""

    def __init__(self, start: Callable[[Sequence[str]], Awaitable[object]]) -> None:
        self._start = start
        self._waiting: asyncio.Queue[tuple[str, float]] = asyncio.Queue(_MOST_WAITING)
        self._hurried: set[str] = set()
        self._latest: deque[float] = deque(maxlen=_BURST)

    async def submit(self, run: str, *, immediately: bool = False) -> None:
        """Have the run started, ``immediately`` also in a burst; waits only when very many are to be."""
        self._latest.append(_now())
        await self._waiting.put((run, _now()))
        if immediately:
            self._hurried.add(run)

    async def run(self) -> None:
        """Start what comes, until cancelled."""
        while True:
            run, came_at = await self._waiting.get()
            while self._is_bursting() and not self._hurried and _now() < came_at + _LONGEST_WAIT:  # noqa: ASYNC110 - it is over when nothing happens
                await asyncio.sleep(_PAUSE)
            runs = [run]
            while len(runs) < _MOST and not self._waiting.empty():
                runs.append(self._waiting.get_nowait()[0])
            self._hurried.difference_update(runs)
            try:
                await self._start(runs)
            except Exception:
                _LOGGER.exception("stored runs could not be started now (%d); they are started later", len(runs))
            finally:
                for _ in runs:
                    self._waiting.task_done()

    async def drain(self) -> None:
        """Wait until everything that has come has been started."""
        await self._waiting.join()

    def _is_bursting(self) -> bool:
        return len(self._latest) == _BURST and _now() - self._latest[0] < _BURST_SECONDS


def _now() -> float:
    return asyncio.get_running_loop().time()
