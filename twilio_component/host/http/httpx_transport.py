"""The transport over a transport of httpx or httpx2 that a caller injects, such as a mock or an application."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from twilio_component.host.http.bodies import read_body
from twilio_component.host.http.injected import InjectedTransport, library_of
from twilio_component.host.http.messages import NotWrittenError, Request, Response, ResponseLostError

# The names of the errors that come before the first byte; both libraries have them.
_NOT_WRITTEN = (
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    "ProxyError",
    "UnsupportedProtocol",
    "LocalProtocolError",
)
_PERMANENT = ("UnsupportedProtocol", "LocalProtocolError")
# Errors that aiohttp raises before there is a connection.
_AIOHTTP_CONNECTING = frozenset(
    {"ClientConnectorError", "ConnectionTimeoutError", "InvalidURL", "NonHttpUrlClientError"}
)


class HttpxTransport:
    """The transport over an injected transport of httpx or httpx2, which the caller closes.

    A request counts as written unless its error, or what the library reports of its connections, proves that it was
    not. Raises ``TypeError`` for anything else than an asynchronous transport of one of the two.
    """

    def __init__(self, transport: InjectedTransport) -> None:
        self._transport = transport
        self._library = library_of(transport)

    async def send(self, request: Request) -> Response:
        """Send a request and return its response; raises ``NotWrittenError`` or ``ResponseLostError``."""
        trace = _Trace()
        outgoing = self._outgoing(request, trace)
        try:
            async with asyncio.timeout(request.seconds):
                response = await self._transport.handle_async_request(outgoing)
                try:
                    # The stream, not the response, which would unpack it without a bound.
                    content = await read_body(response.stream, response.status_code, response.headers, request)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            if trace.proves_unwritten:
                raise NotWrittenError(f"no connection within {request.seconds:g} s") from error
            raise ResponseLostError(f"no complete response within {request.seconds:g} s") from error
        except (self._library.TransportError, OSError) as error:
            reason = str(error) or type(error).__name__
            if trace.proves_unwritten or never_written(error, self._library):
                raise NotWrittenError(reason, transient=_is_transient(error, self._library)) from error
            raise ResponseLostError(reason) from error
        finally:
            request.written = not trace.proves_unwritten
        return Response(response.status_code, response.headers, content)

    async def aclose(self) -> None:
        """Do nothing: the caller closes the injected transport."""

    def _outgoing(self, request: Request, trace: _Trace) -> Any:
        seconds = request.seconds
        timeout = {"connect": request.connect_seconds, "pool": seconds, "read": seconds, "write": seconds}
        try:
            return self._library.Request(
                request.method,
                request.url,
                headers=request.headers,
                content=request.content,
                extensions={"timeout": timeout, "trace": trace},
            )
        except self._library.InvalidURL as error:
            raise NotWrittenError(str(error), transient=False) from error


class _Trace:
    """Follows the events of the library's own transports: did the request begin, or only a proxy's tunnel?

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


def never_written(error: Exception, library: Any) -> bool:
    """Whether an error of ``library`` proves that no byte of the request was written.

    Some transports over aiohttp report a connection that was lost later as a connect error too; the cause tells.
    """
    if not isinstance(error, _errors(library, _NOT_WRITTEN)):
        return False
    cause = error.__cause__
    if cause is None or not type(cause).__module__.startswith("aiohttp"):
        return True
    return any(kind.__name__ in _AIOHTTP_CONNECTING for kind in type(cause).__mro__)


def _is_transient(error: Exception, library: Any) -> bool:
    """Whether a later attempt may succeed: an invalid certificate or URL stays invalid."""
    return not isinstance(error, _errors(library, _PERMANENT)) and "certificate" not in str(error).lower()


def _errors(library: Any, names: tuple[str, ...]) -> tuple[type[Exception], ...]:
    return tuple(getattr(library, name) for name in names)
