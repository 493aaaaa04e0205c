"""Opening connections: to a server, or through a proxy; until one is open, nothing of a request has been written."""

from __future__ import annotations

import asyncio
import base64
import ssl
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from twilio_component.host.http.connection import Connection
from twilio_component.host.http.messages import NotWrittenError, Request, ResponseLostError

if TYPE_CHECKING:
    from collections.abc import Callable

_PORTS = {"http": 80, "https": 443}
# After this time a second address of a server is tried beside the first (RFC 8305).
_NEXT_ADDRESS_SECONDS = 0.25
_SUCCESSES = range(200, 300)
_PROXY_AUTHENTICATION = 407


class Route(NamedTuple):
    """Where connections lead: requests of one route may share them. ``proxy`` is the URL of a proxy, or None."""

    scheme: str
    host: str
    port: int
    proxy: str | None = None

    @property
    def authority(self) -> str:
        """The host and the port, as the Host header and CONNECT have them, without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url: str) -> tuple[SplitResult, int]:
    """Return the parts of an ``http`` or ``https`` URL, and its port; raises ``NotWrittenError`` for any other text."""
    # `urlsplit` drops line ends and tabs, which a URL that is sent must not have had.
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise NotWrittenError("the URL has characters that must be encoded", transient=False)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotWrittenError(f"the URL cannot be read: {error}", transient=False) from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise NotWrittenError("the URL must start with http:// or https:// and name a host", transient=False)
    return parts, port or _PORTS[parts.scheme]


def credentials_of(parts: SplitResult) -> str | None:
    """Return the user and the password of a URL as the value of an Authorization header; None if it has none."""
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


async def open_connection(route: Route, tls: Callable[[], ssl.SSLContext], request: Request) -> Connection:
    """Return a new connection for a request; the caller limits the whole time.

    Raises ``NotWrittenError`` and ``TimeoutError``.
    """
    try:
        if route.proxy is None:
            return await _connect(route.host, route.port, tls() if route.scheme == "https" else None, request)
        return await _connect_through(route, tls, request)
    except ssl.SSLCertVerificationError as error:
        raise NotWrittenError(f"the certificate is not valid: {error.verify_message}", transient=False) from error
    except TimeoutError:
        raise
    except OSError as error:
        raise NotWrittenError(error.strerror or str(error) or type(error).__name__) from error
    except UnicodeError as error:
        raise NotWrittenError("the URL's host is not a valid host name", transient=False) from error


async def _connect(host: str, port: int, tls: ssl.SSLContext | None, request: Request) -> Connection:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(request.connect_seconds):
        _, connection = await loop.create_connection(
            lambda: Connection(loop),
            host,
            port,
            ssl=tls,
            server_hostname=host if tls else None,
            happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS,
        )
    return connection


async def _connect_through(route: Route, tls: Callable[[], ssl.SSLContext], request: Request) -> Connection:
    """Return a connection to the route's proxy, with a tunnel through it for ``https``."""
    try:
        proxy, port = parse_url(str(route.proxy))
    except NotWrittenError as error:
        raise NotWrittenError("the proxy must be given as an http:// or https:// URL", transient=False) from error
    connection = await _connect(str(proxy.hostname), port, tls() if proxy.scheme == "https" else None, request)
    if route.scheme == "http":
        return connection
    try:
        await _open_tunnel(connection, route, credentials_of(proxy), request)
        transport = await asyncio.get_running_loop().start_tls(
            connection.transport, connection, tls(), server_hostname=route.host
        )
    except BaseException as error:
        connection.abort()
        if isinstance(error, (OSError, ResponseLostError)) and not _is_final(error):
            words = str(error) or type(error).__name__
            raise NotWrittenError(f"the proxy made no connection ({words})") from error
        raise
    if transport is None:  # the proxy closed the connection in this moment
        raise NotWrittenError("the proxy made no connection (it closed the tunnel)")
    connection.secure(transport)
    return connection


async def _open_tunnel(connection: Connection, route: Route, authorization: str | None, request: Request) -> None:
    authority = f"[{route.host}]:{route.port}" if ":" in route.host else f"{route.host}:{route.port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if authorization:
        lines.append(f"Proxy-Authorization: {authorization}")
    head = "\r\n".join([*lines, "", ""]).encode("ascii")
    deadline = asyncio.get_running_loop().time() + request.seconds
    asking = Request("CONNECT", authority, {}, seconds=request.seconds)
    response = await connection.exchange(head, asking, deadline)
    if response.status not in _SUCCESSES:
        raise NotWrittenError(
            f"the proxy made no connection (HTTP {response.status})",
            transient=response.status != _PROXY_AUTHENTICATION,
        )


def _is_final(error: BaseException) -> bool:
    """Whether the error says all by itself: a time limit, or a certificate of the server behind the tunnel."""
    return isinstance(error, (TimeoutError, ssl.SSLCertVerificationError))
