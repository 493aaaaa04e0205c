"""Throttling: requests in flight are limited, and connections and senders that were told to slow down do.

A 429 reaches one process but applies to all. So throttles are stored in the database, where a process that is about to
claim a call sees them in the same transaction (see `intents`). What a process remembers of them only saves it from
asking in vain, so it forgets soon: an operator may lift a throttle.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager

from sqlalchemy import Connection, bindparam, select, update

from twilio_component.durable.clock import Clock
from twilio_component.durable.store.many_rows import is_among
from twilio_component.durable.store.schema import throttles
from twilio_component.durable.store.upsert import insert_or_lock

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LONGEST_THROTTLE = 3600.0  # whatever a Retry-After says: after this one request may find out
_LONGEST_MEMORY = 5.0

_OF_KEY = throttles.c.key == bindparam("of_key")
_CHANGE = (
    update(throttles)
    .where(_OF_KEY)
    .values(throttled_until=bindparam("new_until"), pause=bindparam("new_pause"), reason=bindparam("new_reason"))
)


class Throttle:
    """The throttles that this process knows of, and its slots: at most ``in_flight`` requests at a time.

    There are fewer slots for a while where so many requests do not begin in time, as on a machine that is too busy:
    each would be given up and claimed anew, again and again.
    """

    def __init__(self, in_flight: int, clock: Clock | None = None) -> None:
        self._in_flight = self._most = in_flight
        self._used = 0
        self._asking = deque[asyncio.Future[None]]()
        self._slot = _Slot(self._take_slot, self._give_back)
        self._narrowed_at = -math.inf
        self._clock = clock or Clock()
        self._until: dict[str, float] = {}
        self._got_through_at: dict[str, float] = {}

    def slot(self) -> AbstractAsyncContextManager[None]:
        """Wait for a slot and keep it for the block."""
        return self._slot

    async def _take_slot(self) -> None:
        if self._used < self._in_flight and not self._asking:
            self._used += 1
            return
        asking = asyncio.get_running_loop().create_future()
        self._asking.append(asking)
        try:
            await asking
        except asyncio.CancelledError:
            if not asking.cancelled():
                self._give_back()  # it was given at the same moment
            raise

    def _give_back(self) -> None:
        self._used -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        while self._asking and self._used < self._in_flight:
            asking = self._asking.popleft()
            if not asking.done():  # else who asked has given up
                self._used += 1
                asking.set_result(None)

    @property
    def in_flight(self) -> int:
        """How many slots there are now."""
        return self._in_flight

    def narrow(self) -> None:
        """Halve the slots, since a request did not begin in time; once for all that did not at the same moment."""
        now = self._clock.monotonic()
        if now - self._narrowed_at < _FIRST_PAUSE:
            return
        self._narrowed_at = now
        self._in_flight = max(1, self._in_flight // 2)

    def _widen(self) -> None:
        if self._in_flight < self._most:
            self._in_flight += 1
            self._hand_out()

    async def wait(self, keys: Collection[str], at_most: float) -> bool:
        """Wait until none of the keys is throttled, as far as this process knows; False after ``at_most`` seconds."""
        if not self._until:
            return True
        deadline = self._clock.monotonic() + at_most
        while (left := self.seconds_left(keys)) > 0:
            rest = deadline - self._clock.monotonic()
            if rest <= 0:
                return False
            await self._clock.sleep(min(left, rest))
        return True

    def remember(self, key: str, seconds: float) -> None:
        """Remember that this key is throttled for ``seconds``."""
        # A little longer, and not alike for all: they must not all come back at the same moment.
        until = self._clock.monotonic() + min(seconds, _LONGEST_MEMORY) * (1 + self._clock.jitter() / 4)
        self._until[key] = max(until, self._until.get(key, 0.0))

    def note_success(self, keys: Iterable[str]) -> None:
        """Note that a request with these keys has just been processed, so that there may be another slot again."""
        self._widen()
        self._got_through_at.update(dict.fromkeys(keys, self._clock.monotonic()))

    def seconds_since_success(self, key: str) -> float:
        """Seconds since this process last had a request with this key processed; infinite if it never had."""
        return self._clock.monotonic() - self._got_through_at.get(key, -math.inf)

    def seconds_left(self, keys: Collection[str]) -> float:
        """For how long one of the keys is throttled yet, as far as this process knows; 0 when none is."""
        if not self._until:
            return 0.0
        now = self._clock.monotonic()
        for key in keys:
            if self._until.get(key, math.inf) <= now:
                del self._until[key]
        return max((self._until[key] - now for key in keys if key in self._until), default=0.0)


class _Slot(AbstractAsyncContextManager[None]):
    """A block that keeps a slot. It knows nothing of the block, so that one serves all: each send has one."""

    def __init__(self, take: Callable[[], Awaitable[None]], give_back: Callable[[], None]) -> None:
        self._take = take
        self._give_back = give_back

    async def __aenter__(self) -> None:
        await self._take()

    async def __aexit__(self, *_: object) -> None:
        self._give_back()


def throttle(
    connection: Connection,
    key: str,
    seconds: float | None,
    reason: str,
    now: float,
    *,
    since_success: float = math.inf,
) -> float:
    """Throttle this key in all processes; for how many seconds.

    That is ``seconds``, but at most an hour. Where the provider did not say, or says to wait for no time, each pause is
    longer than the last, until something gets through: ``since_success`` is how many seconds ago that was.
    """
    last = insert_or_lock(connection, throttles, {"key": key, "throttled_until": 0.0, "pause": 0.0}, key="key")
    # Less than that may be a date, by clocks that differ; what is no number is not greater.
    asked = min(seconds, _LONGEST_THROTTLE) if seconds is not None and seconds >= _FIRST_PAUSE else None
    if last.throttled_until > now:
        # Requests that were under way are refused for the same reason: no cause to throttle for longer.
        pause, until = last.pause, max(last.throttled_until, now + (asked or 0.0))
    else:
        # Where nothing was refused for a while, or something got through since the last pause began, the next one is
        # short again: a provider that refuses one request of many must not stop the others for longer and longer.
        began = last.throttled_until - last.pause
        recovered = now - last.throttled_until > _LONGEST_PAUSE or now - since_success > began
        grown = _FIRST_PAUSE if recovered else min(max(2 * last.pause, _FIRST_PAUSE), _LONGEST_PAUSE)
        pause = grown if asked is None else asked
        until = now + pause
    connection.execute(_CHANGE, {"of_key": key, "new_until": until, "new_pause": pause, "new_reason": reason})
    return float(until - now)


_THROTTLED = select(throttles.c.key, throttles.c.throttled_until).where(
    is_among(throttles.c.key, "keys"), throttles.c.throttled_until > bindparam("now")
)


def time_left(connection: Connection, keys: Collection[str], now: float) -> dict[str, float]:
    """The keys that are throttled, and for how many seconds yet."""
    if not keys:
        return {}
    found = connection.execute(_THROTTLED, {"keys": sorted(keys), "now": now})
    return {row.key: row.throttled_until - now for row in found}
