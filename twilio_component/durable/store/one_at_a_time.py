"""Requests that need the same lock of the database, one after the other: they do not wait for it in many threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from twilio_component.durable.errors import StoreBusyError

_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Line:
    """Those who want the same lock: how many there are, and how many of them have not had it in time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    members: int = 0
    failures: int = 0


class OneAtATime:
    """Does the work of one request at a time for each key, in the order of submission."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    async def do(self, key: str, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """The result of ``work``. Raises what it raises, and ``StoreBusyError`` when that of one before it does."""
        line = self._lines.setdefault(key, _Line())
        line.members += 1
        failures = line.failures
        try:
            async with line.lock:
                if line.failures > failures:
                    # Its sender has waited as long as the one before it, for the same lock.
                    raise StoreBusyError("the database is busy (another transaction has locked what is needed)")
                try:
                    return await work()
                except StoreBusyError:
                    line.failures += 1
                    raise
        finally:
            line.members -= 1
            if not line.members:
                del self._lines[key]
