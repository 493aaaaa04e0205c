"""Ports for programs that must know theirs before they listen."""

from __future__ import annotations

import socket


def reserve_port() -> int:
    """A port of the loopback interface that nobody else gets until this process ends.

    A socket stays bound to it, without listening: the system gives the port to nobody who asks for any, refuses
    connections to it, and lets a program listen that asks for this very port, as servers of asyncio do.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port: int = held.getsockname()[1]
    held.detach()  # open as long as this process
    return port
