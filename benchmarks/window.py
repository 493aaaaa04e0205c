"""Measure the window that nothing closes: from the last check of a claim to the first byte of its request.

``PYTHONPATH=tests python benchmarks/window.py`` sends 400 messages, 20 at a time, through the engine to a local server.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from httpcore._backends.anyio import AnyIOStream
from support.engine import SEND, serving

from twilio_component.durable.sending.guard import Guard
from twilio_component.durable.settings import Settings

MESSAGES, AT_A_TIME = 400, 20
CHECKED: contextvars.ContextVar[float | None] = contextvars.ContextVar("checked", default=None)
windows: list[float] = []


def watch() -> None:
    """Note when a claim has been checked and when the first byte of its request is written."""
    write_request, write = Guard._write_request, AnyIOStream.write

    async def watched_request(self: Guard, *arguments: Any) -> Any:
        CHECKED.set(time.perf_counter())
        return await write_request(self, *arguments)

    async def watched_write(self: Any, *arguments: Any, **options: Any) -> None:
        checked = CHECKED.get()
        if checked is not None:
            windows.append(time.perf_counter() - checked)
            CHECKED.set(None)
        await write(self, *arguments, **options)

    Guard._write_request = watched_request  # type: ignore[assignment,method-assign]
    AnyIOStream.write = watched_write  # type: ignore[method-assign]


class ToLocalServer(httpx.AsyncHTTPTransport):
    """Sends every request to a port of this machine."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await super().handle_async_request(request)


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept every message of a connection."""
    for number in range(10**9):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
        body = json.dumps({"sid": f"SM{id(writer) % 10**9:016d}{number:016d}", "status": "queued"}).encode()
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()


async def main() -> None:
    """Send, and print what was measured."""
    logging.disable(logging.CRITICAL)
    watch()
    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder), SEND, transport=ToLocalServer(port), settings=Settings(timeout=15)) as served:
            for first in range(0, MESSAGES, AT_A_TIME):
                runs = [f"run{number}" for number in range(first, first + AT_A_TIME)]
                await asyncio.gather(*(served.begin(run) for run in runs))
                await asyncio.gather(*(served.engine.wait_for_outcome(run, 60) for run in runs))
    ordered = sorted(1000 * one for one in windows)
    median, late, most = statistics.median(ordered), ordered[len(ordered) * 99 // 100], ordered[-1]
    print(f"{len(ordered)} requests: median {median:.1f} ms, p99 {late:.1f} ms, most {most:.1f} ms")


asyncio.run(main())
