"""The emulator as an httpx transport: requests are answered in process, without sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from twilio_component.emulator.wire import Request

if TYPE_CHECKING:
    from twilio_component.emulator.core import Emulator


class EmulatorTransport(httpx.AsyncBaseTransport):
    """Answers every request, whatever its host, as the emulator's API would."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        answer = await self._emulator.handle(
            Request(
                method=request.method,
                path=path,
                query=query,
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.aread(),
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)
