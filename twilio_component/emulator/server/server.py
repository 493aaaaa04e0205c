"""The emulator over HTTP, on the loopback interface by default."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from aiohttp import web
from anyio.from_thread import start_blocking_portal

from twilio_component.emulator.http import ConnectionFault, Request, Response, json_response
from twilio_component.emulator.server.host_check import HostCheck
from twilio_component.emulator.webhooks.transports import is_loopback

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from twilio_component.emulator.clock import Clock
    from twilio_component.emulator.http import Handler

_Result = TypeVar("_Result")

# A self-signed certificate, with its key, for a host that is not this one. It protects nothing.
WRONG_CERTIFICATE = Path(__file__).with_name("wrong_certificate.pem")
# Seconds that open connections get when the server ends.
_GRACE = 0.2


class ListeningAt(Protocol):
    """Takes note of a server's URL while it listens, and of how to make it refuse connections."""

    def __call__(self, url: str | None, *, refuse: Callable[[float], None] | None = None) -> None:
        """``url`` is None when the server has ended."""


class Server:
    """Serves one handler while its context is open: ``async with Server(handler, clock) as server: server.url``.

    ``port`` 0 takes a free one. A request whose ``Host`` is a name other than localhost or one of ``allowed_hosts``
    is refused. While it serves, ``clock`` runs in real time, unless ``real_time`` is false. ``listening_at`` is called
    with the URL and a function that refuses connections for so many seconds, and with None when the server ends.
    """

    def __init__(
        self,
        handler: Handler,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        allowed_hosts: Iterable[str] = (),
        real_time: bool = True,
        listening_at: ListeningAt | None = None,
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._listening_at = listening_at or _tell_nobody
        self._host = host
        self._port = port
        self._host_check = HostCheck([*allowed_hosts, host])
        self._real_time = real_time
        self._tasks: set[asyncio.Task[None]] = set()
        self._reopening: asyncio.Task[None] | None = None
        self._busy: set[web.RequestHandler] = set()

    @property
    def url(self) -> str:
        """Where it listens: ``http://127.0.0.1:8010``, no slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def wrong_certificate_url(self) -> str:
        """The URL over TLS, with a certificate for another host: a client that verifies refuses to talk to it.

        ``WRONG_CERTIFICATE`` is the file with that certificate, for clients that trust it and still have to notice.
        """
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"https://{host}:{self._tls_port}"

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine can reach it."""
        return is_loopback(self._host)

    async def __aenter__(self) -> Self:
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._connections = web.Server(self._serve, access_log=None)
        self._listener = await self._listen(self._port)
        self._port = self._listener.sockets[0].getsockname()[1]
        self._tls_listener = await self._loop.create_server(self._connections, self._host, 0, ssl=_wrong_tls_context())
        self._tls_port = self._tls_listener.sockets[0].getsockname()[1]
        self._listening_at(self.url, refuse=self._refuse_from_any_thread)
        if self._real_time:
            self._start(self._clock.run())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._listening_at(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()
        self._tls_listener.close()
        await self._connections.shutdown(_GRACE)

    async def _listen(self, port: int) -> asyncio.Server:
        return await self._loop.create_server(self._connections, self._host, port, reuse_address=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _refuse_from_any_thread(self, seconds: float) -> None:
        """Refuse connections from the moment this returns."""
        if threading.get_ident() == self._thread:
            self._refuse(seconds)
            return
        closed = threading.Event()

        def refuse() -> None:
            self._refuse(seconds)
            # Sockets are closed in the loop's next round, which this follows.
            self._loop.call_soon(closed.set)

        self._loop.call_soon_threadsafe(refuse)
        closed.wait()

    def _refuse(self, seconds: float) -> None:
        self._listener.close()
        for connection in self._connections.connections:
            # A client whose request is being handled (perhaps the one that asked for this) still gets the response.
            if connection not in self._busy:
                connection.force_close()
        if self._reopening is not None:
            self._reopening.cancel()
        self._reopening = self._start(self._listen_again(seconds))

    async def _listen_again(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._listener = await self._listen(self._port)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self._busy.add(request.protocol)
        try:
            return await self._respond(request)
        finally:
            self._busy.discard(request.protocol)

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, _, query = request.raw_path.partition("?")
        objection = self._host_check.objection(headers, is_page=path == "/" and request.method == "GET")
        if objection is not None:
            return _web_response(
                json_response(403, {"code": 403, "message": objection, "more_info": None, "status": 403})
            )
        base_url = f"{request.scheme}://{headers['host']}"
        received = Request(request.method, path, query, headers, await request.read(), base_url)
        response = await self._handler.handle(received)
        if response.stream is not None:
            # A stream keeps its connection busy and never ends: when connections are refused it is closed.
            self._busy.discard(request.protocol)
            return await _stream_response(request, response, response.stream)
        if response.connection_fault is not None:
            return await _apply_connection_fault(request, response, response.connection_fault)
        sent = _web_response(response)
        if not self._listener.is_serving():
            # The client must notice that connections are refused, and not keep using this one.
            sent.force_close()
        return sent


class ServerInThread:
    """A server that runs in a background thread; ``url`` and ``wrong_certificate_url`` are those of `Server`."""

    def __init__(self, server: Server, portal: BlockingPortal) -> None:
        self.url = server.url
        self.wrong_certificate_url = server.wrong_certificate_url
        self._portal = portal

    def call(self, function: Callable[..., Awaitable[_Result]], *arguments: Any) -> _Result:
        """Call an async function in the server's thread and wait for it: ``server.call(emulator.clock.advance, 5)``."""
        return self._portal.call(function, *arguments)


@contextlib.contextmanager
def serve_in_thread(server: Server) -> Iterator[ServerInThread]:
    """Run ``server`` in a thread of its own while the context is open."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server):
        yield ServerInThread(server, portal)


def _web_response(response: Response) -> web.Response:
    return web.Response(status=response.status, body=response.body, headers=response.headers)


async def _stream_response(
    request: web.BaseRequest, response: Response, stream: AsyncGenerator[bytes, None]
) -> web.StreamResponse:
    """Stream a response until its reader leaves, at the pace of the reader."""
    sent = web.StreamResponse(status=response.status, headers=response.headers)
    # A reader that leaves is not an error: it ends the stream.
    with contextlib.suppress(ConnectionResetError):
        async with contextlib.aclosing(stream):
            await sent.prepare(request)
            await sent.write(response.body)
            async for piece in stream:
                await sent.write(piece)
    return sent


async def _apply_connection_fault(
    request: web.BaseRequest, response: Response, fault: ConnectionFault
) -> web.StreamResponse:
    """Send as much of a response as its connection fault lets through; its reader may leave before."""
    sent = web.StreamResponse(status=response.status or 200, headers=response.headers)
    sent.content_length = len(response.body)
    with contextlib.suppress(ConnectionResetError):
        if fault.kind == "slow":
            pieces = _pieces(response.body, fault.pieces)
            await asyncio.sleep(fault.seconds / fault.pieces)
            await sent.prepare(request)
            for number, piece in enumerate(pieces):
                await asyncio.sleep(fault.seconds / fault.pieces if number else 0)
                await sent.write(piece)
            await sent.write_eof()
            return sent
        if fault.kind == "cut":
            await sent.prepare(request)
            await sent.write(response.body[: int(len(response.body) * fault.share)])
    request.protocol.force_close()
    return sent


def _pieces(body: bytes, count: int) -> list[bytes]:
    size = max(1, -(-len(body) // count))
    return [body[start : start + size] for start in range(0, len(body), size)] or [b""]


def _tell_nobody(url: str | None, *, refuse: Callable[[float], None] | None = None) -> None:
    """Take no note of where a server listens."""


def _wrong_tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(WRONG_CERTIFICATE)
    return context
