"""Who carries webhooks to the application: a function, an httpx transport, or real HTTP to this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode, urlsplit

from twilio_component.emulator.http import FORM, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import httpx
    from yarl import URL


class UndeliverableError(Exception):
    """A webhook that found no answer; ``kind`` is ``ct`` where the connection failed, ``rt`` where it broke later."""

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
    """Carries a webhook to its URL. Raises `UndeliverableError`."""

    async def deliver(self, letter: WebhookRequest) -> Response:
        """The application's answer."""


class FunctionPostman:
    """Hands webhooks to a function, which returns a `Response` or something that becomes one when awaited."""

    def __init__(self, function: Callable[[WebhookRequest], Response | Awaitable[Response]]) -> None:
        self._function = function

    async def deliver(self, letter: WebhookRequest) -> Response:
        """The function's answer; what it raises goes through to the test."""
        answer = self._function(letter)
        return answer if isinstance(answer, Response) else await answer


class TransportPostman:
    """Hands webhooks to an httpx transport, such as ``httpx.ASGITransport(app)`` or ``httpx.MockTransport(…)``."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def deliver(self, letter: WebhookRequest) -> Response:
        """The answer that the transport brings."""
        import httpx

        timeout = httpx.Timeout(letter.read_seconds, connect=letter.connect_seconds)
        request = httpx.Request(
            letter.method,
            letter.url,
            headers=letter.all_headers,
            content=letter.body if letter.method == "POST" else None,
            extensions={"timeout": timeout.as_dict()},
        )
        try:
            response = await self._transport.handle_async_request(request)
            content = await response.aread()
            await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise UndeliverableError("ct", str(error) or type(error).__name__) from error
        except httpx.TransportError as error:
            raise UndeliverableError("rt", str(error) or type(error).__name__) from error
        return Response(response.status_code, content, dict(response.headers))


class HttpPostman:
    """Goes out over HTTP, to this machine only, and to ``allowed_hosts``; ``*`` among them allows every host."""

    def __init__(self, allowed_hosts: Iterable[str] = ()) -> None:
        self._allowed = frozenset(host.lower() for host in allowed_hosts)

    async def deliver(self, letter: WebhookRequest) -> Response:
        """The answer from the network; redirects are not followed."""
        import aiohttp

        self._refuse_other_hosts(letter.url)
        timeout = aiohttp.ClientTimeout(total=letter.read_seconds, connect=letter.connect_seconds)
        body = letter.body if letter.method == "POST" else None
        # The URL is signed byte for byte: yarl must not tidy it up.
        url = _as_it_stands(letter.url)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, skip_auto_headers=("Accept-Encoding",)) as session,
                session.request(
                    letter.method, url, data=body, headers=letter.all_headers, allow_redirects=False
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
    """Whether a host name or address means this machine, seen from itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
