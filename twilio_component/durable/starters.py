"""Starts runs that have been stored, a little later: whoever stored one need not wait until it has been started too.

A run that nobody lives to start is found by the stragglers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

_SIDE_BY_SIDE = 4
_MOST_WAITING = 1_000
_LOGGER = logging.getLogger("twilio_component.durable")


class Starters:
    """Starts runs in the order in which they come; ``start`` starts one, unless somebody else has."""

    def __init__(self, start: Callable[[str], Awaitable[object]]) -> None:
        self._start = start
        self._waiting: asyncio.Queue[str] = asyncio.Queue(_MOST_WAITING)

    async def soon(self, run: str) -> None:
        """Have the run started; waits only when very many are to be."""
        await self._waiting.put(run)

    async def keep_starting(self) -> None:
        """Start what comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_SIDE_BY_SIDE):
                group.create_task(self._lane())

    async def drained(self) -> None:
        """Wait until everything that has come has been started."""
        await self._waiting.join()

    async def _lane(self) -> None:
        while True:
            run = await self._waiting.get()
            try:
                await self._start(run)
            except Exception:
                _LOGGER.exception("%s is stored; it could not be started now and is started later", run)
            finally:
                self._waiting.task_done()
