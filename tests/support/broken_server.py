"""A server on a loopback socket that behaves as badly as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

# Reacts to the n-th request (from 1) of a server; the connection is closed when it returns False.
Reaction = Callable[[asyncio.StreamWriter, int], Awaitable[bool]]


@dataclass
class BrokenServer:
    """A server on a loopback socket that counts what it reads; its reaction is free to misbehave."""

    reaction: Reaction
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    handlers: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if handler := asyncio.current_task():
            self.handlers.add(handler)
            handler.add_done_callback(self.handlers.discard)
        try:
            while head := await _head(reader):
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
                )
                self.requests.append(head + await reader.readexactly(length))
                if not await self.reaction(writer, len(self.requests)):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def http_response(status: str, body: bytes, *headers: str) -> bytes:
    """An HTTP response as bytes."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def serve_broken(reaction: Reaction) -> AsyncIterator[BrokenServer]:
    """Open the server; in the end its reactions are cut short."""
    served = BrokenServer(reaction)
    server = await asyncio.start_server(served.handle, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for handler in served.handlers:
            handler.cancel()
        await asyncio.gather(*served.handlers, return_exceptions=True)
        await server.wait_closed()
