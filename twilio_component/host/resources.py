"""What stays open between invocations: the HTTP transport and the clients that components build upon it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import httpx

Sleep = Callable[[float], Awaitable[None]]

_Made = TypeVar("_Made")
_MOST_KEPT = 1_000


class Resources:
    """Belongs to one host, and with it to one process and one event loop.

    ``transport`` carries every HTTP request: the one that the host's caller injected, or else ``AiohttpTransport``,
    made when it is first asked for. ``sleep`` is how components wait (seconds): a test may let time fly.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None, sleep: Sleep = asyncio.sleep) -> None:
        self.sleep = sleep
        self._injected = transport
        self._own: httpx.AsyncBaseTransport | None = None
        self._kept: dict[Hashable, Any] = {}

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """The transport; an injected one stays its owner's to close."""
        if self._injected is not None:
            return self._injected
        if self._own is None:
            from twilio_component.host.transport import AiohttpTransport  # aiohttp costs 200 ms to import

            self._own = AiohttpTransport()
        return self._own

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What ``make`` returned when ``key`` was first asked for; the oldest of more than a thousand is forgotten."""
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = make()
        made: _Made = self._kept[key]
        return made

    async def aclose(self) -> None:
        """Close what this host opened itself."""
        self._kept.clear()
        own, self._own = self._own, None
        if own is not None:
            await own.aclose()
