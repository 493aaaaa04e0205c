"""The emulator: one object that answers requests, in process or over a socket."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from twilio_component.emulator.accounts import Accounts
from twilio_component.emulator.clock import Clock
from twilio_component.emulator.life import Life
from twilio_component.emulator.routes import respond
from twilio_component.emulator.sids import new_sid
from twilio_component.emulator.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from datetime import datetime

    import httpx

    from twilio_component.emulator.message import Message
    from twilio_component.emulator.server import Server, ServerInThread
    from twilio_component.emulator.wire import Answer, Request


class Emulator:
    """Twilio's Messages API on this machine.

    Any well-formed Account SID or API key with any secret works until `accounts.declare` is called. ``start``
    freezes the clock there; without it dates are those of the machine.

    In process, hand `transport` to an `httpx.AsyncClient`; for other programs, `serve` or `serve_in_thread`.
    """

    def __init__(self, *, start: datetime | None = None) -> None:
        self.clock = Clock(start)
        self.accounts = Accounts(self.clock)
        self.life = Life(self.clock)
        self._world = World(self.clock, self.accounts, self.life)

    async def handle(self, request: Request) -> Answer:
        """Answer one request."""
        answer = respond(self._world, request)
        answer.headers.setdefault("Twilio-Request-Id", new_sid("RQ"))
        return answer

    @property
    def messages(self) -> list[Message]:
        """Every message of every account, each account's in their order."""
        return [message for account in self.accounts for message in account.messages]

    @cached_property
    def transport(self) -> httpx.AsyncBaseTransport:
        """The way in without sockets: ``httpx.AsyncClient(transport=emulator.transport)``, whatever the base URL."""
        from twilio_component.emulator.transport import EmulatorTransport  # loads httpx

        return EmulatorTransport(self)

    def serve(
        self, host: str = "127.0.0.1", port: int = 0, *, allowed_hosts: Iterable[str] = (), real_time: bool = True
    ) -> Server:
        """Serve over HTTP: ``async with emulator.serve() as server: server.url``. See `server.Server`."""
        from twilio_component.emulator.server import Server  # loads aiohttp

        return Server(self, host, port, allowed_hosts=allowed_hosts, real_time=real_time)

    def serve_in_thread(
        self, host: str = "127.0.0.1", port: int = 0, *, allowed_hosts: Iterable[str] = (), real_time: bool = True
    ) -> AbstractContextManager[ServerInThread]:
        """Serve from a background thread, for programs without an event loop: ``with emulator.serve_in_thread() …``."""
        from twilio_component.emulator.server import serve_in_thread  # loads aiohttp

        return serve_in_thread(self.serve(host, port, allowed_hosts=allowed_hosts, real_time=real_time))
