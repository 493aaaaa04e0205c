"""Waiting for a condition, with a deadline, where sleeping for a fixed time would race."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

PATIENCE = 90.0
_STEP = 0.02


def until(met: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """What ``met`` returns, as soon as it is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := met():
            return found
        time.sleep(_STEP)
    raise AssertionError(f"not within {seconds:g} s: {what}")


async def until_async(met: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """What ``met`` returns, or what it awaits, as soon as it is something; meanwhile the event loop goes on."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = met()
        if isawaitable(found):
            found = await found
        if found:
            return found
        await asyncio.sleep(_STEP)
    raise AssertionError(f"not within {seconds:g} s: {what}")
