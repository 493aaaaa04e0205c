"""A network on which the first message takes long to reach Twilio."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator


class SlowFirstMessage(httpx.AsyncBaseTransport):
    """Carries requests to an emulator; the first one that sends a message is under way for some ``seconds``.

    It arrives earlier when ``arrive`` is set.
    """

    def __init__(self, emulator: Emulator, seconds: float = 20.0) -> None:
        self._inner = emulator.transport
        self._seconds = seconds
        self.arrive = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/Messages.json"):
            seconds, self._seconds = self._seconds, 0.0
            with suppress(TimeoutError):
                await asyncio.wait_for(self.arrive.wait(), seconds)
        return await self._inner.handle_async_request(request)
