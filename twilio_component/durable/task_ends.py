"""Ending background tasks: within a bound, and for certain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

_PAUSE = 1.0
_LONGEST_WAIT = 10.0
_LOGGER = logging.getLogger("twilio_component.durable")


async def end_tasks(tasks: Iterable[asyncio.Task[Any]], seconds: float = _LONGEST_WAIT) -> None:
    """Cancel the tasks and wait until they have ended, at most for so many seconds.

    Their results and errors are dropped. A task may miss a cancellation, when a library that it waits for loses it; so
    each is cancelled again. What has not ended in time is left and named in the log: a process that was told to stop
    must stop.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    tasks = list(tasks)
    left = {task for task in tasks if not task.done()}
    while left and loop.time() < deadline:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=min(_PAUSE, max(0.0, deadline - loop.time())))
    for task in left:
        _LOGGER.warning("%s did not end within %g s; it is left", _name(task), seconds)
    for task in tasks:
        if task not in left and not task.cancelled():
            task.exception()  # nobody else wants to know it


def _name(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", task.get_name())
