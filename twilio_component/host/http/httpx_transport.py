"""The transport over an httpx transport that a caller injects, such as a mock or an application in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import httpx

from twilio_component.host.http.bodies import read_body
from twilio_component.host.http.messages import NotWrittenError, Request, Response, ResponseLostError

_NOT_WRITTEN = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
# Errors that aiohttp raises before there is a connection.
_AIOHTTP_CONNECTING = frozenset(
    {"ClientConnectorError", "ConnectionTimeoutError", "InvalidURL", "NonHttpUrlClientError"}
)


class HttpxTransport:
    """The transport over an injected httpx transport, which the caller closes.

    A request counts as written unless its error, or what httpx reports of its connections, proves that it was not.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(self, request: Request) -> Response:
        """Send a request and return its response; raises ``NotWrittenError`` or ``ResponseLostError``."""
        seconds = request.seconds
        timeout = {"connect": request.connect_seconds, "pool": seconds, "read": seconds, "write": seconds}
        trace = _Trace()
        sent = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.content,
            extensions={"timeout": timeout, "trace": trace},
        )
        try:
            async with asyncio.timeout(seconds):
                response = await self._transport.handle_async_request(sent)
                try:
                    # The stream, not the response, which would unpack it without a bound.
                    stream = cast("httpx.AsyncByteStream", response.stream)
                    content = await read_body(stream, response.status_code, response.headers, request)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            if trace.proves_unwritten:
                raise NotWrittenError(f"no connection within {seconds:g} s") from error
            raise ResponseLostError(f"no complete response within {seconds:g} s") from error
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            if trace.proves_unwritten or never_written(error):
                raise NotWrittenError(reason, transient=_is_transient(error)) from error
            raise ResponseLostError(reason) from error
        finally:
            request.written = not trace.proves_unwritten
        return Response(response.status_code, response.headers, content)

    async def aclose(self) -> None:
        """Do nothing: the caller closes the injected transport."""


class _Trace:
    """Follows the events of httpx's own transports: was the request begun, or only connections and a proxy's tunnel?

    A transport without events proves nothing.
    """

    def __init__(self) -> None:
        self._events = False
        self._begun = False

    @property
    def proves_unwritten(self) -> bool:
        """Whether there were events, and none of them is of the request itself."""
        return self._events and not self._begun

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        self._events = True
        if event.endswith("send_request_headers.started"):
            self._begun = self._begun or info["request"].method != b"CONNECT"


def never_written(error: httpx.TransportError) -> bool:
    """Whether the error proves that no byte of the request was written.

    Some transports over aiohttp report a connection that was lost later as a connect error too; the cause tells.
    """
    if not isinstance(error, _NOT_WRITTEN):
        return False
    cause = error.__cause__
    if cause is None or not type(cause).__module__.startswith("aiohttp"):
        return True
    return any(kind.__name__ in _AIOHTTP_CONNECTING for kind in type(cause).__mro__)


def _is_transient(error: httpx.TransportError) -> bool:
    wrong = isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError))
    return not wrong and "certificate" not in str(error).lower()
