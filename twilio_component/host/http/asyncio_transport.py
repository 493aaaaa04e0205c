"""The host's default transport: HTTP/1.1 over asyncio's own connections, with llhttp as its parser.

One call sends one request: there are no cookies, no redirects, no repetition. Proxies and certificate authorities come
from the environment (``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE``, ``REQUESTS_CA_BUNDLE`` …). A client for every
purpose costs more in a call than everything else that the host does, and half of the time of a start.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from twilio_component.host.http.connecting import Route, credentials_of, open_connection, parse_url
from twilio_component.host.http.environment import proxy_for, tls_context
from twilio_component.host.http.messages import NotWrittenError, Request, Response, ResponseLostError

if TYPE_CHECKING:
    import ssl

    from twilio_component.host.http.connection import Connection

# Shorter than the idle time after which servers and load balancers close a connection (60 s and more): a request
# written into a connection that is just being closed is one whose outcome nobody knows.
_IDLE_SECONDS = 10.0
_MOST_CONNECTIONS = 256
_WITH_A_BODY = frozenset({"POST", "PUT", "PATCH"})
# What follows from the request itself.
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding"})


class _Target(NamedTuple):
    """What a URL says: where to connect, and how its requests begin."""

    route: Route
    path: str
    fixed_headers: str
    authorization: str | None


class AsyncioTransport:
    """The transport over asyncio; belongs to the event loop in which it is first used.

    ``tls`` replaces the environment's certificate authorities.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._proxies: dict[tuple[str, str], str | None] = {}
        self._idle: dict[Route, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._slots = asyncio.Semaphore(_MOST_CONNECTIONS)
        self._sweep: asyncio.TimerHandle | None = None

    async def send(self, request: Request) -> Response:
        """Send a request and return its response; raises ``NotWrittenError`` or ``ResponseLostError``."""
        request.written = False
        target = self._target(request.url)
        data = _encode(request, target)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + request.seconds
        connection = self._reuse(target.route, loop.time()) if not self._slots.locked() else None
        if connection is not None:
            await self._slots.acquire()  # it does not wait
        else:
            connection = await self._connect(target.route, request, deadline)
        if not connection.is_usable:
            self._slots.release()
            self._drop(connection)
            raise NotWrittenError("the server closed the connection before anything was written")
        request.written = True
        try:
            response = await connection.exchange(data, request, deadline)
        except TimeoutError as error:
            raise ResponseLostError(f"no complete response within {request.seconds:g} s") from error
        finally:
            self._slots.release()
            self._release(target.route, connection, loop)
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        open_now, self._open = self._open, set()
        for connection in open_now:
            connection.abort()
        await asyncio.gather(*(connection.closed for connection in open_now))

    def _target(self, url: str) -> _Target:
        """Where the URL leads, with the proxy that the environment names for it."""
        target = _parse(url)
        place = target.route[:2]
        if place not in self._proxies:
            self._proxies[place] = proxy_for(*place)
        proxy = self._proxies[place]
        return target if proxy is None else _through(target, proxy)

    def _reuse(self, route: Route, now: float) -> Connection | None:
        """Take the connection that was used last, unless it is too old; None if there is none."""
        idle = self._idle.get(route)
        while idle:
            connection = idle.pop()
            if connection.is_usable and now - connection.idle_since < _IDLE_SECONDS:
                return connection
            self._drop(connection)
        return None

    async def _connect(self, route: Route, request: Request, deadline: float) -> Connection:
        """Wait for a free place and open a connection, or take one that has become idle meanwhile."""
        acquired = False
        try:
            async with asyncio.timeout_at(deadline):
                acquired = await self._slots.acquire()
                connection = self._reuse(route, asyncio.get_running_loop().time())
                if connection is None:
                    connection = await open_connection(route, self._tls_context, request)
        except BaseException as error:
            if acquired:
                self._slots.release()
            if isinstance(error, TimeoutError):
                seconds = min(request.connect_seconds, request.seconds)
                raise NotWrittenError(f"no connection within {seconds:g} s") from error
            raise
        self._open.add(connection)
        return connection

    def _release(self, route: Route, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        if not connection.is_usable or connection not in self._open:
            self._drop(connection)
            return
        connection.idle_since = loop.time()
        self._idle.setdefault(route, []).append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(_IDLE_SECONDS, self._close_idle, loop)

    def _close_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what has been idle for too long, and look again later if anything is left."""
        oldest = loop.time() - _IDLE_SECONDS
        for route, idle in [*self._idle.items()]:
            self._idle[route] = [one for one in idle if one.is_usable and one.idle_since > oldest]
            for connection in idle:
                if connection not in self._idle[route]:
                    self._drop(connection)
            if not self._idle[route]:
                del self._idle[route]
        self._sweep = loop.call_later(_IDLE_SECONDS / 2, self._close_idle, loop) if self._idle else None

    def _drop(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.abort()

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = tls_context()
        return self._tls


@lru_cache(maxsize=256)
def _parse(url: str) -> _Target:
    parts, port = parse_url(url)
    route = Route(parts.scheme, str(parts.hostname), port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(route, path, f"Host: {route.authority}\r\n", credentials_of(parts))


@lru_cache(maxsize=256)
def _through(target: _Target, proxy: str) -> _Target:
    """The same target through a proxy, which is told the whole URL of a request to plain ``http``."""
    route = target.route._replace(proxy=proxy)
    if route.scheme == "https":
        return target._replace(route=route)
    fixed = target.fixed_headers
    try:
        authorization = credentials_of(parse_url(proxy)[0])
    except NotWrittenError:
        authorization = None  # connecting to it says what is wrong
    if authorization:
        fixed += f"Proxy-Authorization: {authorization}\r\n"
    return target._replace(route=route, path=f"http://{route.authority}{target.path}", fixed_headers=fixed)


def _encode(request: Request, target: _Target) -> bytes:
    """Return the request as it is written; raises ``NotWrittenError`` for a header that would become two."""
    head, names = _head_of(tuple(request.headers.items()))
    fixed = target.fixed_headers
    if "host" in names:
        fixed = fixed.partition("\r\n")[2]
    if target.authorization and "authorization" not in names:
        fixed += f"Authorization: {target.authorization}\r\n"
    if "accept-encoding" not in names:
        fixed += "Accept-Encoding: gzip, deflate\r\n"
    body = request.content
    if body is not None or request.method in _WITH_A_BODY:
        fixed += f"Content-Length: {len(body or b'')}\r\n"
    return f"{request.method} {target.path} HTTP/1.1\r\n{fixed}{head}\r\n".encode() + (body or b"")


@lru_cache(maxsize=64)
def _head_of(headers: tuple[tuple[str, str], ...]) -> tuple[str, frozenset[str]]:
    """The lines of these headers, which most requests of a client share, and their names in lower case."""
    lines = [f"{name}: {value}\r\n" for name, value in headers if name.lower() not in _OWN_HEADERS]
    head = "".join(lines)
    if head.count("\n") != len(lines) or head.count("\r") != len(lines) or "\0" in head:
        raise NotWrittenError("a header must be on one line", transient=False)
    return head, frozenset(name.lower() for name, _ in headers)
