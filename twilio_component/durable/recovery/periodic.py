"""Background tasks that run periodically; a failed run does not stop the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

_LOGGER = logging.getLogger("twilio_component.durable")


async def run_periodically(work: Callable[[], Awaitable[object]], seconds: float, trouble: str) -> None:
    """Do the work now, and again ``seconds`` after its end, until cancelled; ``trouble`` is logged when it fails."""
    while True:
        try:
            await work()
        except Exception:
            _LOGGER.exception(trouble)
        await asyncio.sleep(seconds)
