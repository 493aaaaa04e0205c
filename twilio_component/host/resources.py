"""What stays open between invocations: the HTTP transport and the clients that components build on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from twilio_component.host.http.injected import InjectedTransport, library_of
from twilio_component.host.http.messages import SECONDS

if TYPE_CHECKING:
    from twilio_component.host.http.messages import HttpTransport

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]

_Made = TypeVar("_Made")
_MOST_KEPT = 1_000


class Resources:
    """Belongs to one host, and with it to one process and one event loop.

    ``transport`` sends every HTTP request: over the transport of httpx or httpx2 that the host's caller injected, or
    else over asyncio. ``sleep`` is how components wait (seconds), and ``clock`` is what they measure time by: a test
    may let it fly. ``request_seconds`` is the time limit of a component's request, where nothing else gives one.
    """

    def __init__(
        self,
        transport: InjectedTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
        request_seconds: float = SECONDS,
    ) -> None:
        if not request_seconds > 0:
            raise ValueError(f"request_seconds must be a positive number of seconds, not {request_seconds}")
        self.sleep = sleep
        self.clock = clock
        self.request_seconds = request_seconds
        if transport is not None:
            library_of(transport)  # refuses what cannot send before anything is built upon it
        self._injected = transport
        self._kept: dict[Hashable, Any] = {}

    @cached_property
    def transport(self) -> HttpTransport:
        """The transport, made when it is first used: both libraries cost time to import."""
        if self._injected is not None:
            from twilio_component.host.http.httpx_transport import HttpxTransport

            return HttpxTransport(self._injected)
        from twilio_component.host.http.asyncio_transport import AsyncioTransport

        return AsyncioTransport()

    def wrap_transport(self, wrap: Callable[[HttpTransport], HttpTransport]) -> None:
        """From now on send over what ``wrap`` makes of the transport."""
        vars(self)["transport"] = wrap(self.transport)

    def get_or_create(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """Return what ``make`` returned for ``key`` the first time; the oldest of more than a thousand is dropped."""
        made: _Made | None = self._kept.get(key)
        if made is None:
            if len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            made = self._kept[key] = make()
        return made

    async def aclose(self) -> None:
        """Close what this host opened itself."""
        self._kept.clear()
        if "transport" in vars(self):
            await self.transport.aclose()
