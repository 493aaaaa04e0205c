"""Time, as the protocol of sends uses it. A test passes another clock to run the protocol under virtual time."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

_WALL, _MONOTONIC = time.time(), time.monotonic()


class Clock:
    """The time of this machine, in seconds."""

    def now(self) -> float:
        """Seconds since 1970. Within a process this does not step when the system's clock is set."""
        return _WALL + time.monotonic() - _MONOTONIC

    def wall(self) -> float:
        """Seconds since 1970 by the system's clock, which may be set while the process runs."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment; only differences within one process mean anything."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """A block that is cancelled with ``TimeoutError`` after ``seconds``."""
        return asyncio.timeout(seconds)

    def jitter(self) -> float:
        """A random number between 0 and 1, to spread what would come back at the same moment."""
        return random.random()  # noqa: S311 - spreads load, keeps no secret
