"""Who may go on, and when: requests in flight are limited, and whoever is told to slow down does.

Twilio tells one process, and means all of them. So a hold is in the database, where a process that is about to enter a
call sees it in the same transaction (`intent_store`); what this process knows of it keeps it from asking in vain.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from sqlalchemy import Connection, Exists, exists, select, update

from twilio_component.durable.store.schema import throttles
from twilio_component.durable.store.upsert import insert_once

_FIRST, _LONGEST = 0.5, 30.0


class Throttle:
    """The turns of one process; ``in_flight`` requests at the most go out at the same time."""

    def __init__(self, in_flight: int) -> None:
        self._slots = asyncio.Semaphore(in_flight)
        self._until: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, keys: Mapping[str, str]) -> AsyncIterator[None]:
        """Wait until none of the keys is held, as far as this process knows, and a slot is free; keep the slot."""
        while True:
            await asyncio.sleep(self._left(keys))
            async with self._slots:
                if self._left(keys) <= 0:
                    yield
                    return

    def hold(self, key: str, seconds: float) -> None:
        """Hold whoever has this key back for so long, and a little longer."""
        # They must not all come back in the same moment.
        until = time.monotonic() + seconds * random.uniform(1.0, 1.25)  # noqa: S311 - spreads load, keeps no secret
        self._until[key] = max(until, self._until.get(key, 0.0))

    def _left(self, keys: Mapping[str, str]) -> float:
        left = 0.0
        for key in keys.values():
            until = self._until.get(key, 0.0) - time.monotonic()
            if until > 0:
                left = max(left, until)
            else:
                self._until.pop(key, None)
        return left


def throttle(connection: Connection, key: str, seconds: float | None, now: float) -> float:
    """Hold whoever has this key back, in all processes: for ``seconds``, or, where that is not known, longer each time.

    How long it is held from now on.
    """
    insert_once(connection, throttles, {"key": key, "throttled_until": 0.0, "pause": 0.0})
    last = connection.execute(select(throttles).where(throttles.c.key == key).with_for_update()).one()
    if last.throttled_until > now:
        # Requests that were under way when it was held are told the same, and that is no reason to hold it longer.
        pause, until = last.pause, max(last.throttled_until, now + (seconds or 0.0))
    else:
        # Where it has gone well for a while, the next pause is a short one again.
        grown = _FIRST if now - last.throttled_until > _LONGEST else min(max(2 * last.pause, _FIRST), _LONGEST)
        pause = grown if seconds is None else seconds
        until = now + pause
    connection.execute(update(throttles).where(throttles.c.key == key).values(throttled_until=until, pause=pause))
    return float(until - now)


def held(keys: Iterable[str], now: float) -> Exists:
    """The condition that one of the keys is held."""
    return exists().where(throttles.c.key.in_(list(keys)), throttles.c.throttled_until > now)


def time_left(connection: Connection, keys: Iterable[str], now: float) -> dict[str, float]:
    """Those of the keys that are held, and for how many seconds."""
    found = connection.execute(
        select(throttles).where(throttles.c.key.in_(list(keys)), throttles.c.throttled_until > now)
    )
    return {row.key: row.throttled_until - now for row in found}
