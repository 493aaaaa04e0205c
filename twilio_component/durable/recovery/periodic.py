"""What a process does again and again beside its runs: each time anew, whatever became of the time before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

_LOGGER = logging.getLogger("twilio_component.durable")


async def run_periodically(work: Callable[[], Awaitable[object]], seconds: float, trouble: str) -> None:
    """Do the work, and so many seconds after it was done again, until cancelled; ``trouble`` says what has failed."""
    while True:
        try:
            await work()
        except Exception:
            _LOGGER.exception(trouble)
        await asyncio.sleep(seconds)
