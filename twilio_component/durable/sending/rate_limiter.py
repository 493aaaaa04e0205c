"""Rate limits: a sender with a rate needs a token for each request, and all processes share its tokens.

A sender with ten requests a second has ten tokens. A token is free again a second after its request was *answered*. So
two requests with one token arrive at least a second apart, however long each took on its way, and in no second do more
than ten arrive.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, bindparam, func, select, update

from twilio_component.durable.clock import Clock
from twilio_component.durable.store.schema import rate_tokens
from twilio_component.durable.store.upsert import insert_once

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

_SHORTEST_WAIT = 0.01
_NO_TOKEN = nullcontext(math.inf)  # there is nothing that could be another's by now

# Built once: building a statement costs as much as executing it.
_OF_KEY = (rate_tokens.c.key == bindparam("of_key"), rate_tokens.c.number < bindparam("tokens"))
_FIRST = (
    select(rate_tokens.c.number)
    .where(*_OF_KEY, rate_tokens.c.free_at <= bindparam("now"))
    .limit(1)
    .with_for_update(skip_locked=True)
)
_TAKING = (
    update(rate_tokens)
    .where(rate_tokens.c.key == bindparam("of_key"), rate_tokens.c.number == _FIRST.scalar_subquery())
    .values(free_at=bindparam("until"))
    .returning(rate_tokens.c.number)
)
_SOONEST = select(func.min(rate_tokens.c.free_at)).where(*_OF_KEY)
_OF_TOKEN = (rate_tokens.c.key == bindparam("of_key"), rate_tokens.c.number == bindparam("of_number"))
_GIVING_BACK = (
    update(rate_tokens)
    # One that was kept for too long may be another's by now, who has stored until when it is: that stays.
    .where(*_OF_TOKEN, rate_tokens.c.free_at == bindparam("kept_until"))
    .values(free_at=bindparam("until"))
)


class _Token(NamedTuple):
    """A token in use, and until when it is kept if it is not given back, which tells who uses it."""

    number: int
    kept_until: float


class RateLimiter:
    """Hands out tokens; ``rates`` are requests per second by sender.

    ``most_seconds`` is how long a token may be kept: one whose process has died is free again after that.
    """

    def __init__(
        self, database: Database, rates: Mapping[str, float], *, most_seconds: float, clock: Clock | None = None
    ) -> None:
        self._database = database
        self._rates = rates
        self._most_seconds = most_seconds
        self._clock = clock or Clock()
        self._turns: dict[str, asyncio.Lock] = {}
        self._made: set[tuple[str, int]] = set()

    def token(self, key: str, sender: str) -> AbstractAsyncContextManager[float]:
        """Wait for a token and keep it for the block; yields when it was taken, by the monotonic clock, or infinity.

        ``key`` tells the sender from those of the same name in other accounts. A sender without a rate needs no token.
        """
        rate = self._rates.get(sender)
        return _NO_TOKEN if rate is None else self._token(key, rate)

    @asynccontextmanager
    async def _token(self, key: str, rate: float) -> AsyncIterator[float]:
        tokens = math.ceil(rate)
        period = tokens / rate
        # In the order of asking; and only one caller asks the database.
        async with self._turns.setdefault(key, asyncio.Lock()):
            taken_at, token = await self._take(key, tokens, period)
        try:
            yield taken_at
        finally:
            await self._give_back(key, token, period)

    async def _take(self, key: str, tokens: int, period: float) -> tuple[float, _Token]:
        if (key, tokens) not in self._made:
            await self._database.run_until_available(lambda connection: _make(connection, key, tokens))
            self._made.add((key, tokens))
        while True:
            taken_at = self._clock.monotonic()
            token, wait = await self._database.run_until_available(
                lambda connection: self._try_take(connection, key, tokens, period)
            )
            if token is not None:
                return taken_at, token
            # A token in use is free a period after it is given back, which may be any moment now.
            await self._clock.sleep(min(max(wait, _SHORTEST_WAIT), period))

    def _try_take(self, connection: Connection, key: str, tokens: int, period: float) -> tuple[_Token | None, float]:
        """A token, or None and in how many seconds there may be one."""
        now = self._database.now(connection)
        until = now + self._most_seconds + period
        wanted = {"of_key": key, "tokens": tokens, "now": now, "until": until}
        number = connection.execute(_TAKING, wanted).scalar_one_or_none()
        if number is not None:
            return _Token(number, until), 0.0
        soonest = connection.execute(_SOONEST, {"of_key": key, "tokens": tokens}).scalar_one()
        return None, soonest - now

    async def _give_back(self, key: str, token: _Token, period: float) -> None:
        of_token = {"of_key": key, "of_number": token.number, "kept_until": token.kept_until}

        def work(connection: Connection) -> None:
            free_at = self._database.now(connection) + period
            connection.execute(_GIVING_BACK, {**of_token, "until": free_at})

        await self._database.run_until_available(work)


def _make(connection: Connection, key: str, tokens: int) -> None:
    for number in range(tokens):
        insert_once(connection, rate_tokens, {"key": key, "number": number, "free_at": 0.0})
