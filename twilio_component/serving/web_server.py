"""uvicorn, run until a signal stops it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket


async def serve_until_stopped(
    config: uvicorn.Config, listening: socket.socket, on_started: Callable[[], None] = lambda: None
) -> None:
    """Serve on the socket until SIGINT or SIGTERM, and return when the requests under way are done.

    ``on_started`` is called when requests are taken and signals end the server in order.
    """
    server = _Server(config, on_started)
    # From now on, and not only once uvicorn sets the same handler: a signal must not get lost in between. uvicorn
    # raises what it has captured again when it has shut down; that must not end the process.
    before = {number: signal.signal(number, server.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        # An interrupt of a moment ago cancels this task here, and not in the middle of uvicorn's start.
        await asyncio.sleep(0)
        await server.serve(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()
