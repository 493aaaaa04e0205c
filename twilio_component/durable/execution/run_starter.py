"""Starts stored runs a little later, so that storing one need not wait until it has been started too.

A run that no process lives to start is found by ``UnstartedRuns``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

_MAX_BATCH = 100
_MAX_WAITING = 1_000
# During a burst, storing comes first: the sender of a request waits and may give up, a run does not.
_BURST = 10
_BURST_SECONDS = 0.2
_LONGEST_WAIT = 1.0
_PAUSE = 0.05
_LOGGER = logging.getLogger("twilio_component.durable")


class RunStarter:
    """Hands the ids of stored runs to ``start``, at most a hundred at once, in the order of submission."""

    def __init__(self, start: Callable[[Sequence[str]], Awaitable[object]]) -> None:
        self._start = start
        self._waiting: asyncio.Queue[tuple[str, float]] = asyncio.Queue(_MAX_WAITING)
        self._urgent: set[str] = set()
        self._latest: deque[float] = deque(maxlen=_BURST)

    async def submit(self, run: str, *, immediately: bool = False) -> None:
        """Have the run started, with ``immediately`` also during a burst; waits only while very many are waiting."""
        self._latest.append(_now())
        await self._waiting.put((run, _now()))
        if immediately:
            self._urgent.add(run)

    async def run(self) -> None:
        """Start what is submitted, until cancelled."""
        while True:
            run, submitted_at = await self._waiting.get()
            while self._is_bursting() and not self._urgent and _now() < submitted_at + _LONGEST_WAIT:  # noqa: ASYNC110 - a burst ends when nothing happens
                await asyncio.sleep(_PAUSE)
            runs = [run]
            while len(runs) < _MAX_BATCH and not self._waiting.empty():
                runs.append(self._waiting.get_nowait()[0])
            self._urgent.difference_update(runs)
            try:
                await self._start(runs)
            except Exception:
                _LOGGER.exception("stored runs could not be started now (%d); they are started later", len(runs))
            finally:
                for _ in runs:
                    self._waiting.task_done()

    async def drain(self) -> None:
        """Wait until everything that was submitted has been started."""
        await self._waiting.join()

    def _is_bursting(self) -> bool:
        return len(self._latest) == _BURST and _now() - self._latest[0] < _BURST_SECONDS


def _now() -> float:
    return asyncio.get_running_loop().time()
