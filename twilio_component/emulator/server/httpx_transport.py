"""The emulator as a transport of httpx and httpx2: requests in process, without sockets and without waiting."""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import httpx

from twilio_component.emulator.http import ConnectionFault, Request, Response

if TYPE_CHECKING:
    from twilio_component.emulator.clock import Clock
    from twilio_component.emulator.http import Handler


class EmulatorTransport(httpx.AsyncBaseTransport):
    """Hands every request, to any host, to the emulator. ``clock`` moves where a slow response takes time.

    Clients of httpx and of httpx2 may use it: a response, and an error, is of the library that the request is of.
    """

    def __init__(self, handler: Handler, clock: Clock) -> None:
        self._handler = handler
        self._clock = clock

    async def handle_async_request(self, request: Any) -> Any:
        """Return the response to one request; raises what its library raises where the connection fails."""
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        received = Request(
            method=request.method,
            path=path,
            query=query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.aread(),
            base_url=f"{request.url.scheme}://{request.url.netloc.decode('ascii')}",
        )
        response = await self._handler.handle(received)
        if response.stream is not None:
            library = _library_of(request)
            stream = _streams(library)[0](response.body, response.stream)
            return library.Response(response.status, headers=response.headers, stream=stream, request=request)
        if response.connection_fault is None:
            return _complete_response(response, request)
        return await self._apply_connection_fault(request, response, response.connection_fault)

    async def _apply_connection_fault(self, request: Any, response: Response, fault: ConnectionFault) -> Any:
        library = _library_of(request)
        if fault.kind == "refused":
            cause = ConnectionRefusedError(111, "Connection refused")
            raise library.ConnectError("All connection attempts failed", request=request) from cause
        if fault.kind == "certificate":
            reason = f"certificate verify failed: Hostname mismatch, certificate is not valid for '{request.url.host}'"
            raise library.ConnectError(f"[SSL: CERTIFICATE_VERIFY_FAILED] {reason}", request=request) from (
                ssl.SSLCertVerificationError(1, reason)
            )
        if fault.kind == "dropped":
            raise library.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        if fault.kind == "slow":
            await self._pass_time(request, fault)
            return _complete_response(response, request)
        headers = {**response.headers, "Content-Length": str(len(response.body))}
        stream = _streams(library)[1](response.body, fault)
        return library.Response(response.status, headers=headers, stream=stream, request=request)

    async def _pass_time(self, request: Any, fault: ConnectionFault) -> None:
        read_timeout = request.extensions.get("timeout", {}).get("read")
        piece = fault.seconds / fault.pieces
        if read_timeout is not None and read_timeout < piece:
            await self._clock.advance(read_timeout)
            raise _library_of(request).ReadTimeout("The read operation timed out", request=request)
        await self._clock.advance(fault.seconds)


def _library_of(request: Any) -> Any:
    """Return the module that the request is of, httpx or httpx2."""
    return sys.modules[type(request).__module__.partition(".")[0]]


def _complete_response(response: Response, request: Any) -> Any:
    return _library_of(request).Response(
        response.status, headers=response.headers, content=response.body, request=request
    )


@lru_cache
def _streams(library: Any) -> tuple[Any, Any]:
    """Return two kinds of bodies for a library, which insists on streams of its own class."""

    class Endless(library.AsyncByteStream):  # type: ignore[misc]  # of whichever library
        """A body without an end, sent for as long as its reader stays."""

        def __init__(self, beginning: bytes, rest: AsyncGenerator[bytes, None]) -> None:
            self._beginning = beginning
            self._rest = rest

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield self._beginning
            async for piece in self._rest:
                yield piece

        async def aclose(self) -> None:
            await self._rest.aclose()

    class CutOff(library.AsyncByteStream):  # type: ignore[misc]  # its base is Any too
        """A body that ends too early."""

        def __init__(self, body: bytes, fault: ConnectionFault) -> None:
            self._expected = len(body)
            self._part = body[: int(len(body) * fault.share)]

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield self._part
            received = f"received {len(self._part)} bytes, expected {self._expected}"
            raise library.RemoteProtocolError(
                f"peer closed connection without sending complete message body ({received})"
            )

    return Endless, CutOff
