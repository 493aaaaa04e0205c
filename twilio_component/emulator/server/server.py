"""The emulator over HTTP, on the loopback interface unless told otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from aiohttp import web
from anyio.from_thread import start_blocking_portal

from twilio_component.emulator.api.unsupported import NOT_EMULATED
from twilio_component.emulator.emulator import Emulator
from twilio_component.emulator.http import ConnectionFault, Request, Response, json_response
from twilio_component.emulator.server.host_check import Guard
from twilio_component.emulator.webhooks.transports import is_loopback

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

_Result = TypeVar("_Result")

# A self-signed certificate, with its key, for a host that is not this one. It protects nothing.
WRONG_CERTIFICATE = Path(__file__).with_name("wrong_certificate.pem")
# Seconds that open connections get when the server ends.
_GRACE = 0.2


class Server:
    """Serves one emulator while its context is open: ``async with Server(emulator) as server: server.url``.

    ``port`` 0 takes a free one. A request whose ``Host`` is a name other than localhost or one of ``allowed_hosts``
    is refused. While it serves, the emulator's clock runs in real time, unless ``real_time`` is false.
    """

    def __init__(
        self,
        emulator: Emulator,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        allowed_hosts: Iterable[str] = (),
        real_time: bool = True,
    ) -> None:
        self._emulator = emulator
        self._host = host
        self._port = port
        self._guard = Guard([*allowed_hosts, host])
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
        """The same over TLS, with a certificate for another host: a client that verifies refuses to talk to it.

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
        self._tls_listener = await self._loop.create_server(self._connections, self._host, 0, ssl=_wrong_context())
        self._tls_port = self._tls_listener.sockets[0].getsockname()[1]
        self._emulator.world.base_url = self.url
        self._emulator.faults.on_refusal = self._refuse_from_any_thread
        if self._real_time:
            self._start(self._emulator.clock.run())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._emulator.faults.on_refusal = None
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
            # Whoever is being answered (perhaps the request that asked for this) still gets the answer.
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
            return await self._answer(request)
        finally:
            self._busy.discard(request.protocol)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, _, query = request.raw_path.partition("?")
        objection = self._guard.objection(headers, is_page=path == "/" and request.method == "GET")
        if objection is not None:
            return _response(json_response(403, {"code": 403, "message": objection, "more_info": None, "status": 403}))
        base_url = f"{request.scheme}://{headers['host']}"
        received = Request(request.method, path, query, headers, await request.read(), base_url)
        answer = await self._emulator.handle(received)
        if answer.stream is not None:
            # Whoever watches keeps the connection busy and gets no answer: when connections are refused it is closed.
            self._busy.discard(request.protocol)
            return await _streamed(request, answer, answer.stream)
        if answer.mishap is not None:
            return await _after_mishap(request, answer, answer.mishap)
        response = _response(answer)
        if not self._listener.is_serving():
            # Its client shall notice that connections are refused, and not go on with this one.
            response.force_close()
        return response


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


def run(
    *,
    host: str = "127.0.0.1",
    port: int = 8010,
    allowed_hosts: Iterable[str] = (),
    webhook_hosts: Iterable[str] = (),
) -> None:
    """Serve a fresh emulator until Ctrl-C or SIGTERM; where, and what it does not do, is said on stderr.

    ``allowed_hosts`` are names that requests may use for this machine, ``webhook_hosts`` other machines that webhooks
    may go to. Raises OSError where the port is taken.
    """
    emulator = Emulator(webhook_hosts=webhook_hosts)
    asyncio.run(_run_until_signal(emulator.serve(host, port, allowed_hosts=allowed_hosts)))


async def _run_until_signal(server: Server) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        # Windows' loop has no signal handlers: Ctrl-C interrupts `asyncio.run` there.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, stop.set)
    async with server:
        sys.stderr.write(_greeting(server.url, is_local=server.is_local))
        sys.stderr.flush()
        await stop.wait()


def _greeting(url: str, *, is_local: bool) -> str:
    lines = [
        f"Twilio emulator at {url} (Ctrl-C ends it)",
        f"Its inbox, with every message as a conversation that you can answer: {url}/",
        "It listens to this machine only."
        if is_local
        else "OTHER MACHINES CAN REACH IT: whoever does can read every message and send in everybody's name.",
        "Any Account SID or API key with any secret works; nothing is sent to anyone, and nothing is kept.",
        f"Direct it over {url}/_emulator: time, failures, faults, inbound messages, and what happened",
        "It does not emulate:",
        *(f"  - {sentence}" for sentence in NOT_EMULATED),
    ]
    return "\n".join(lines) + "\n"


def _response(answer: Response) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


async def _streamed(
    request: web.BaseRequest, answer: Response, stream: AsyncGenerator[bytes, None]
) -> web.StreamResponse:
    """Send an answer that goes on until its reader leaves, who is waited for where he is slow."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    # A reader who has left is no error, and the stream ends all the same.
    with contextlib.suppress(ConnectionResetError):
        async with contextlib.aclosing(stream):
            await response.prepare(request)
            await response.write(answer.body)
            async for piece in stream:
                await response.write(piece)
    return response


async def _after_mishap(request: web.BaseRequest, answer: Response, mishap: ConnectionFault) -> web.StreamResponse:
    """Let an answer meet its mishap on the wire; its reader may leave before."""
    response = web.StreamResponse(status=answer.status or 200, headers=answer.headers)
    response.content_length = len(answer.body)
    with contextlib.suppress(ConnectionResetError):
        if mishap.kind == "slow":
            pieces = _pieces(answer.body, mishap.pieces)
            await asyncio.sleep(mishap.seconds / mishap.pieces)
            await response.prepare(request)
            for number, piece in enumerate(pieces):
                await asyncio.sleep(mishap.seconds / mishap.pieces if number else 0)
                await response.write(piece)
            await response.write_eof()
            return response
        if mishap.kind == "cut":
            await response.prepare(request)
            await response.write(answer.body[: int(len(answer.body) * mishap.share)])
    request.protocol.force_close()
    return response


def _pieces(body: bytes, count: int) -> list[bytes]:
    size = max(1, -(-len(body) // count))
    return [body[start : start + size] for start in range(0, len(body), size)] or [b""]


def _wrong_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(WRONG_CERTIFICATE)
    return context
