"""A Twilio for the simulation, which knows the truth: every message, and the call whose request made it.

It shares nothing with the emulator. Requests take time on both ways; a request that has been written is processed even
when its sender dies or freezes meanwhile. The list lags, and is sorted by the date of sending.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from simulation.loop import PROCESS

from twilio_component.host.errors import PerformError
from twilio_component.twilio.errors import NotSentError, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from simulation.loop import SimulatedLoop


class ThrottledError(PerformError):
    """429: not processed."""

    code = "throttled"
    retryable = True

    def __init__(self, retry_after: float | None) -> None:
        self.throttled = "sender"
        self.retry_after = retry_after
        super().__init__("too many requests")


class RefusedError(PerformError):
    """400: it will never be accepted."""

    code = "refused"
    permanent = True

    def __init__(self, concerns: Literal["connection", "sender"] | None) -> None:
        self.concerns = concerns
        super().__init__("no")


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How likely a request meets each fault, and how long things take, in seconds."""

    throttled: float = 0.0
    retry_after: tuple[float, ...] = (0.5,)
    refused_connection: float = 0.0
    error_before: float = 0.0  # 5xx, and no message
    error_after: float = 0.0  # 5xx, and a message all the same
    lost_response: float = 0.0
    no_name: float = 0.0  # a 2xx that names nothing
    refused: float = 0.0  # for good
    refused_for: Literal["connection", "sender"] | None = None  # what such a refusal is about, if not the call alone
    latency: tuple[float, float] = (0.01, 0.3)
    slow: float = 0.0  # how likely a way takes up to `slowest`
    slowest: float = 1.5
    list_error: float = 0.0


@dataclass(kw_only=True)
class Message:
    """A message that exists. ``call`` is the key of the call whose request made it: nobody else knows that."""

    sid: str
    call: str
    text: str
    created_at: float
    sent_at: float
    visible_at: float
    is_blurred: bool  # the list shows it in a way that may or may not be what was asked for


@dataclass(kw_only=True)
class SimulatedTwilio:
    """Accepts messages and lists them.

    ``lag_bound`` is how long a message may be missing from the list, ``within`` how long after it was begun a request
    is processed at the latest, ``ahead`` how far Twilio's clock is ahead of the database's. ``told`` is
    called with each message that is accepted: whatever has its status callbacks.
    """

    loop: SimulatedLoop
    random: Random
    lag_bound: float
    within: float
    ahead: float = 0.0
    faults: Faults = field(default_factory=Faults)
    blurred: float = 0.0
    told: Callable[[Message], None] = lambda _: None
    messages: list[Message] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def now(self) -> float:
        """Return the time by Twilio's clock."""
        return self.loop.time() + self.ahead

    async def send(self, call: str, text: str) -> str | None:
        """Send a message; return its SID, or None for a response that names nothing."""
        faults, latest = self.faults, self.loop.time() + self.within
        await asyncio.sleep(self._way())
        if self._happens(faults.refused_connection):
            raise NotSentError("no connection")
        # From here on the request is written: what becomes of it is Twilio's doing, whatever becomes of the client.
        response: asyncio.Future[str | Exception | None] = self.loop.create_future()
        token = PROCESS.set("")
        try:
            self.loop.create_task(self._process(call, text, response, latest))
        finally:
            PROCESS.reset(token)
        result = await response
        await asyncio.sleep(self._way())
        if isinstance(result, Exception):
            raise result
        return result

    async def _process(
        self, call: str, text: str, response: asyncio.Future[str | Exception | None], latest: float
    ) -> None:
        faults = self.faults
        await asyncio.sleep(max(0.0, min(self._way(), latest - self.loop.time())))
        self.arrivals.append(self.loop.time())
        result: str | Exception | None
        if self._happens(faults.throttled):
            result = ThrottledError(self.random.choice((None, *faults.retry_after)))
        elif self._happens(faults.refused):
            self.refused.append(call)
            result = RefusedError(faults.refused_for)
        elif self._happens(faults.error_before):
            result = OutcomeUnknownError("HTTP 500", status=500)
        else:
            result = self._accept(call, text)
            if self._happens(faults.error_after):
                result = OutcomeUnknownError("HTTP 500", status=500)
            elif self._happens(faults.no_name):
                result = None
        if not self._happens(faults.lost_response) and not response.done():
            response.set_result(result)

    def _accept(self, call: str, text: str) -> str:
        now = self.loop.time()
        message = Message(
            sid=f"SM{len(self.messages):032x}",
            call=call,
            text=text,
            created_at=self.now(),
            sent_at=self.now() + self.random.choice((0.0, 0.0, 5.0, 40.0)),
            is_blurred=self._happens(self.blurred),
            visible_at=now + self.random.uniform(0.0, self.lag_bound) * self.random.choice((0.0, 0.1, 1.0)),
        )
        self.messages.append(message)
        self.told(message)
        return message.sid

    async def list_messages(self) -> list[Message]:
        """Return what the list shows, newest by date of sending first; raise ``PerformError`` when it fails."""
        await asyncio.sleep(self._way())
        if self._happens(self.faults.list_error):
            raise NotSentError("no connection")
        shown = [message for message in self.messages if message.visible_at <= self.loop.time()]
        await asyncio.sleep(self._way())
        return sorted(shown, key=lambda message: message.sent_at, reverse=True)

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def _way(self) -> float:
        if self._happens(self.faults.slow):
            return self.random.uniform(0.0, self.faults.slowest)
        return self.random.uniform(*self.faults.latency)
