"""How webhooks reach the application: through a function, an httpx transport, or real HTTP to this machine."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode, urlsplit

from twilio_component.emulator.http import FORM, Response
from twilio_component.host.http.injected import InjectedTransport, SynchronousTransport, library_of
from twilio_component.host.portable_error import PortableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from yarl import URL

AnyHttpxTransport = InjectedTransport | SynchronousTransport


class UndeliverableError(PortableError):
    """A webhook without a response; ``kind`` is ``ct`` where the connection failed, ``rt`` where it broke later."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook, ready to go: for GET the parameters stand in ``url`` already, and ``form`` is empty."""

    method: str
    url: str
    form: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    connect_seconds: float
    read_seconds: float

    @property
    def body(self) -> bytes:
        """The form, encoded."""
        return urlencode(self.form).encode()

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers with the one that the body needs."""
        return {**self.headers, **({"Content-Type": FORM} if self.method == "POST" else {})}


class WebhookTransport(Protocol):
    """Carries a webhook to its URL. Raises `UndeliverableError` where there is no response."""

    async def send(self, request: WebhookRequest) -> Response:
        """Return the application's response."""


class FunctionTransport:
    """Hands webhooks to a function, which returns a `Response` or something that becomes one when awaited."""

    def __init__(self, function: Callable[[WebhookRequest], Response | Awaitable[Response]]) -> None:
        self._function = function

    async def send(self, request: WebhookRequest) -> Response:
        """Return the function's response; what it raises goes through to the test."""
        response = self._function(request)
        return response if isinstance(response, Response) else await response


class HttpxTransport:
    """Hands webhooks to a transport of httpx or httpx2, such as ``ASGITransport(app)`` or ``WSGITransport(app)``.

    A synchronous transport runs in a thread of its own.
    """

    def __init__(self, transport: AnyHttpxTransport) -> None:
        self._transport: Any = transport
        self._library = library_of(transport, synchronous=True)

    async def send(self, request: WebhookRequest) -> Response:
        """Return the transport's response."""
        library = self._library
        timeout = library.Timeout(request.read_seconds, connect=request.connect_seconds)
        outgoing = library.Request(
            request.method,
            request.url,
            headers=request.all_headers,
            content=request.body if request.method == "POST" else None,
            extensions={"timeout": timeout.as_dict()},
        )
        try:
            status, content, headers = await self._exchange(outgoing)
        except (library.ConnectError, library.ConnectTimeout) as error:
            raise UndeliverableError("ct", str(error) or type(error).__name__) from error
        except library.TransportError as error:
            raise UndeliverableError("rt", str(error) or type(error).__name__) from error
        return Response(status, content, headers)

    async def _exchange(self, outgoing: Any) -> tuple[int, bytes, dict[str, str]]:
        if not hasattr(self._transport, "handle_async_request"):
            return await asyncio.to_thread(self._exchange_in_thread, outgoing)
        response = await self._transport.handle_async_request(outgoing)
        content = await response.aread()
        await response.aclose()
        return response.status_code, content, dict(response.headers)

    def _exchange_in_thread(self, outgoing: Any) -> tuple[int, bytes, dict[str, str]]:
        response = self._transport.handle_request(outgoing)
        content = response.read()
        response.close()
        return response.status_code, content, dict(response.headers)


class NetworkTransport:
    """Goes out over HTTP, to this machine only, and to ``allowed_hosts``; ``*`` among them allows every host."""

    def __init__(self, allowed_hosts: Iterable[str] = ()) -> None:
        self._allowed = frozenset(host.lower() for host in allowed_hosts)

    async def send(self, request: WebhookRequest) -> Response:
        """Return the response from the network; redirects are not followed."""
        import aiohttp

        self._refuse_other_hosts(request.url)
        timeout = aiohttp.ClientTimeout(total=request.read_seconds, connect=request.connect_seconds)
        body = request.body if request.method == "POST" else None
        # The URL is signed byte for byte: yarl must not tidy it up.
        url = _as_it_stands(request.url)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, skip_auto_headers=("Accept-Encoding",)) as session,
                session.request(
                    request.method, url, data=body, headers=request.all_headers, allow_redirects=False
                ) as response,
            ):
                return Response(response.status, await response.read(), dict(response.headers))
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.ConnectionTimeoutError) as error:
            raise UndeliverableError("ct", str(error) or type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UndeliverableError("rt", str(error) or type(error).__name__) from error

    def _refuse_other_hosts(self, url: str) -> None:
        host = (urlsplit(url).hostname or "").lower()
        if "*" in self._allowed or host in self._allowed or is_loopback(host):
            return
        raise UndeliverableError("ct", f"{host} is not this machine, and webhooks to it were not allowed")


def _as_it_stands(url: str) -> URL:
    from yarl import URL

    return URL(url, encoded=True)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine, seen from itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
