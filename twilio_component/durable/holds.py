"""Who may go on, and when: requests in flight are limited, and whoever is told to slow down does."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

_FIRST, _LONGEST = 0.5, 30.0


class Holds:
    """The turns of one process; ``in_flight`` requests at the most go out at the same time."""

    def __init__(self, in_flight: int) -> None:
        self._slots = asyncio.Semaphore(in_flight)
        self._until: dict[str, float] = {}
        self._pauses: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, keys: Mapping[str, str]) -> AsyncIterator[None]:
        """Wait until none of the keys is held and a slot is free, and keep the slot."""
        while True:
            await asyncio.sleep(self._left(keys))
            async with self._slots:
                if self._left(keys) <= 0:
                    yield
                    return

    def slow_down(self, key: str, seconds: float | None) -> None:
        """Hold whoever has this key back for ``seconds``, or, where that is not known, longer each time."""
        pause = seconds if seconds is not None else min(2 * self._pauses.get(key, _FIRST / 2), _LONGEST)
        self._pauses[key] = pause
        # They must not all come back in the same moment.
        until = time.monotonic() + pause * random.uniform(1.0, 1.25)  # noqa: S311 - spreads load, keeps no secret
        self._until[key] = max(until, self._until.get(key, 0.0))

    def _left(self, keys: Mapping[str, str]) -> float:
        now = time.monotonic()
        left = 0.0
        for key in keys.values():
            until = self._until.get(key)
            if until is None:
                continue
            if until > now:
                left = max(left, until - now)
            elif now - until > _LONGEST:
                # It has gone well for a while: the next pause is a short one again.
                del self._until[key]
                self._pauses.pop(key, None)
        return left
