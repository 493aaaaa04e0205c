"""The emulator as an httpx transport: requests are answered in process, without sockets and without waiting."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING

import httpx

from twilio_component.emulator.http import ConnectionFault, Request, Response

if TYPE_CHECKING:
    from twilio_component.emulator.emulator import Emulator


class EmulatorTransport(httpx.AsyncBaseTransport):
    """Answers every request, whatever its host, as the emulator's API would."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; raises what httpx raises where the connection fails."""
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        received = Request(
            method=request.method,
            path=path,
            query=query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.aread(),
            base_url=f"{request.url.scheme}://{request.url.netloc.decode('ascii')}",
        )
        answer = await self._emulator.handle(received)
        if answer.stream is not None:
            stream = _Endless(answer.body, answer.stream)
            return httpx.Response(answer.status, headers=answer.headers, stream=stream, request=request)
        if answer.mishap is None:
            return httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)
        return await self._after_mishap(request, answer, answer.mishap)

    async def _after_mishap(self, request: httpx.Request, answer: Response, mishap: ConnectionFault) -> httpx.Response:
        if mishap.kind == "refused":
            cause = ConnectionRefusedError(111, "Connection refused")
            raise httpx.ConnectError("All connection attempts failed", request=request) from cause
        if mishap.kind == "certificate":
            reason = f"certificate verify failed: Hostname mismatch, certificate is not valid for '{request.url.host}'"
            raise httpx.ConnectError(f"[SSL: CERTIFICATE_VERIFY_FAILED] {reason}", request=request) from (
                ssl.SSLCertVerificationError(1, reason)
            )
        if mishap.kind == "dropped":
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        if mishap.kind == "slow":
            await self._pass_time(request, mishap)
            return httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)
        headers = {**answer.headers, "Content-Length": str(len(answer.body))}
        return httpx.Response(answer.status, headers=headers, stream=_CutOff(answer.body, mishap), request=request)

    async def _pass_time(self, request: httpx.Request, mishap: ConnectionFault) -> None:
        patience = request.extensions.get("timeout", {}).get("read")
        piece = mishap.seconds / mishap.pieces
        if patience is not None and patience < piece:
            await self._emulator.clock.advance(patience)
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        await self._emulator.clock.advance(mishap.seconds)


class _Endless(httpx.AsyncByteStream):
    """A body that goes on for as long as somebody reads it."""

    def __init__(self, beginning: bytes, rest: AsyncGenerator[bytes, None]) -> None:
        self._beginning = beginning
        self._rest = rest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._beginning
        async for piece in self._rest:
            yield piece

    async def aclose(self) -> None:
        await self._rest.aclose()


class _CutOff(httpx.AsyncByteStream):
    """A body that ends too early."""

    def __init__(self, body: bytes, mishap: ConnectionFault) -> None:
        self._expected = len(body)
        self._part = body[: int(len(body) * mishap.share)]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._part
        received = f"received {len(self._part)} bytes, expected {self._expected}"
        raise httpx.RemoteProtocolError(f"peer closed connection without sending complete message body ({received})")
