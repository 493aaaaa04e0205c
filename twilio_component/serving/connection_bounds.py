"""Bounds on connections: strangers that open many of them, or send nothing, must not keep webhooks away."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

# A request's head fits into one packet or two; nobody needs longer for it.
HEAD_SECONDS = 8.0
MAX_CONNECTIONS = 800
MAX_CONNECTIONS_PER_ADDRESS = 100
# Files, sockets to Twilio and to the database, and those that the interpreter has open.
_RESERVED_FILES = 200
_WANTED_FILES = 4096


class BoundedProtocol(H11Protocol):
    """HTTP with bounds on connections.

    A connection that does not send the head of a request within ``HEAD_SECONDS`` is closed, and so is one too many: of
    all of them, or of one address.
    """

    limit = MAX_CONNECTIONS
    is_exempt: Callable[[str], bool] = staticmethod(lambda _address: False)
    _waiting_for_head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close a connection that is one too many, and wait for the head of a request on any other."""
        super().connection_made(transport)
        if len(self.connections) > self.limit or self._has_too_many():
            transport.abort()
            return
        self._wait_for_head()

    def handle_events(self) -> None:
        """Handle what was received; once a head is complete, the request has its own time limits."""
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the head of the next request."""
        super().on_response_complete()
        if self.cycle.response_complete:  # else the next request was there already
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._waiting_for_head = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting_for_head is not None:
            self._waiting_for_head.cancel()
            self._waiting_for_head = None

    def _has_too_many(self) -> bool:
        address = self.client[0] if self.client else ""
        if not address or is_loopback(address) or self.is_exempt(address):
            return False
        clients = (getattr(other, "client", None) for other in self.connections)
        return sum(1 for client in clients if client and client[0] == address) > MAX_CONNECTIONS_PER_ADDRESS


def bounded_protocol(is_exempt: Callable[[str], bool]) -> type[BoundedProtocol]:
    """Return the protocol of one server.

    ``is_exempt`` tells of an address whether it may have any number of connections, as a trusted proxy may; this
    machine's own addresses always may.
    """
    attributes = {"limit": max_connections(), "is_exempt": staticmethod(is_exempt)}
    return type("BoundedProtocol", (BoundedProtocol,), attributes)


def max_connections() -> int:
    """Return how many connections this process may have, and raise its limit of open files where it can."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = _WANTED_FILES if hard == unlimited else min(_WANTED_FILES, hard)
    if soft != unlimited and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return MAX_CONNECTIONS if soft == unlimited else max(1, min(MAX_CONNECTIONS, soft - _RESERVED_FILES))


def is_loopback(address: str) -> bool:
    """Return whether the address is one of this machine that no other one reaches."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def bounds(is_exempt: Callable[[str], bool]) -> dict[str, Any]:
    """Return the options of ``uvicorn.Config`` that bound what strangers can take."""
    return {
        "http": bounded_protocol(is_exempt),
        "h11_max_incomplete_event_size": 32 * 1024,
        "limit_concurrency": 500,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 20,
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,  # what uvicorn says goes where everything else goes
        "log_level": "warning",
        "ws": "none",
    }
