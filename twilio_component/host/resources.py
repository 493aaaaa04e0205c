"""What stays open between invocations: the carrier of HTTP and the clients that components build upon it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import httpx

    from twilio_component.host.http.messages import HttpTransport

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]

_Made = TypeVar("_Made")
_MOST_KEPT = 1_000


class Resources:
    """Belongs to one host, and with it to one process and one event loop.

    ``carrier`` carries every HTTP request: over the httpx transport that the host's caller injected, or else over
    aiohttp. ``sleep`` is how components wait (seconds), and ``clock`` what they measure time by: a test may let it fly.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self.sleep = sleep
        self.clock = clock
        self._transport = transport
        self._kept: dict[Hashable, Any] = {}

    @cached_property
    def carrier(self) -> HttpTransport:
        """Made when it is first asked for: either way costs time to import."""
        if self._transport is not None:
            from twilio_component.host.http.httpx_transport import HttpxTransport

            return HttpxTransport(self._transport)
        from twilio_component.host.http.aiohttp_transport import AiohttpTransport

        return AiohttpTransport()

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What ``make`` returned when ``key`` was first asked for; the oldest of more than a thousand is forgotten."""
        made: _Made | None = self._kept.get(key)
        if made is None:
            if len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            made = self._kept[key] = make()
        return made

    async def aclose(self) -> None:
        """Close what this host opened itself."""
        self._kept.clear()
        if "carrier" in vars(self):
            await self.carrier.aclose()
