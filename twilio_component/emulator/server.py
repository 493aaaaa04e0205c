"""The emulator over HTTP, on the loopback interface unless told otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Any, Self, TypeVar

from aiohttp import web
from anyio.from_thread import start_blocking_portal

from twilio_component.emulator.core import Emulator
from twilio_component.emulator.guard import Guard
from twilio_component.emulator.limits import NOT_EMULATED
from twilio_component.emulator.wire import Answer, Request, json_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from anyio.from_thread import BlockingPortal

_Result = TypeVar("_Result")


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
        self._runner: web.ServerRunner | None = None
        self._time: asyncio.Task[None] | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """Where it listens: ``http://127.0.0.1:8010``, no slash at the end."""
        return self._url

    async def __aenter__(self) -> Self:
        runner = web.ServerRunner(web.Server(self._serve, access_log=None))
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        host, port = runner.addresses[0][:2]
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        if self._real_time:
            self._time = asyncio.create_task(self._emulator.clock.run())
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._time is not None:
            self._time.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._time
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        objection = self._guard.objection(headers)
        if objection is not None:
            return _response(json_answer(403, {"code": 403, "message": objection, "more_info": None, "status": 403}))
        path, _, query = request.raw_path.partition("?")
        received = Request(request.method, path, query, headers, await request.read())
        return _response(await self._emulator.handle(received))


class ServerInThread:
    """A server that runs in a background thread, at ``url``."""

    def __init__(self, url: str, portal: BlockingPortal) -> None:
        self.url = url
        self._portal = portal

    def call(self, function: Callable[..., Awaitable[_Result]], *arguments: Any) -> _Result:
        """Call an async function in the server's thread and wait for it: ``server.call(emulator.clock.advance, 5)``."""
        return self._portal.call(function, *arguments)


@contextlib.contextmanager
def serve_in_thread(server: Server) -> Iterator[ServerInThread]:
    """Run ``server`` in a thread of its own while the context is open."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server):
        yield ServerInThread(server.url, portal)


def run(*, host: str = "127.0.0.1", port: int = 8010, allowed_hosts: Iterable[str] = ()) -> None:
    """Serve a fresh emulator until Ctrl-C or SIGTERM; where, and what it does not do, is said on stderr.

    Raises OSError where the port is taken.
    """
    asyncio.run(_run_until_signal(host, port, allowed_hosts))


async def _run_until_signal(host: str, port: int, allowed_hosts: Iterable[str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        # Windows' loop has no signal handlers: Ctrl-C interrupts `asyncio.run` there.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, stop.set)
    async with Emulator().serve(host, port, allowed_hosts=allowed_hosts) as server:
        sys.stderr.write(_greeting(server.url))
        sys.stderr.flush()
        await stop.wait()


def _greeting(url: str) -> str:
    lines = [
        f"Twilio emulator at {url} (Ctrl-C ends it)",
        "Any Account SID or API key with any secret works; nothing is sent to anyone, and nothing is kept.",
        "It does not emulate:",
        *(f"  - {sentence}" for sentence in NOT_EMULATED),
    ]
    return "\n".join(lines) + "\n"


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
