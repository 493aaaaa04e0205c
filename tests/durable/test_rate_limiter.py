"""Senders with a rate."""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import select, update

from twilio_component.durable.sending.rate_limiter import RateLimiter
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.schema import rate_tokens


async def test_two_processes_together_keep_to_the_rate_however_long_requests_take(database: Database) -> None:
    processes = [RateLimiter(database, {"MyBrand": 8}, most_seconds=5) for _ in range(2)]
    arrived: list[float] = []

    async def request(number: int) -> None:
        async with processes[number % 2].token("key", "MyBrand"):
            await asyncio.sleep(0.03 * (number % 3))
            arrived.append(time.monotonic())

    await asyncio.gather(*(request(number) for number in range(17)))
    assert max(sum(1 for other in arrived if at <= other < at + 1) for at in arrived) == 8


async def test_senders_wait_for_themselves_only_and_without_a_rate_for_nothing(database: Database) -> None:
    rate_tokens, order = RateLimiter(database, {"slow": 0.5, "other": 0.5}, most_seconds=5), []

    async def request(sender: str) -> None:
        async with rate_tokens.token(sender, sender):
            order.append(sender)

    slow = [asyncio.create_task(request("slow")) for _ in range(2)]
    await asyncio.gather(request("other"), *(request("free") for _ in range(3)))
    assert not slow[1].done()
    slow[1].cancel()
    await asyncio.gather(*slow, return_exceptions=True)

    assert sorted(order) == ["free", "free", "free", "other", "slow"]


async def test_who_asks_while_every_token_is_in_use_gets_one_as_soon_as_it_may_be_used_again(
    database: Database,
) -> None:
    using, asking = (RateLimiter(database, {"one": 5}, most_seconds=30) for _ in range(2))
    in_use, given_back = asyncio.Barrier(6), asyncio.Event()

    async def use() -> None:
        async with using.token("one", "one"):
            await in_use.wait()
            await given_back.wait()

    users = [asyncio.create_task(use()) for _ in range(5)]
    await in_use.wait()
    begun = time.monotonic()
    asker = asyncio.create_task(asyncio.wait_for(asking.token("one", "one").__aenter__(), 20))
    await asyncio.sleep(0.1)
    given_back.set()
    await asyncio.gather(asker, *users)
    assert 1 <= time.monotonic() - begun < 5


async def test_a_token_that_a_dead_process_had_is_free_again_in_time(database: Database) -> None:
    begun = time.monotonic()
    async with RateLimiter(database, {"one": 10}, most_seconds=0.2).token("one", "one"):
        pass
    dead = RateLimiter(database, {"one": 1}, most_seconds=0.2)
    await dead._take("one", 1, 0.1)
    async with RateLimiter(database, {"one": 1}, most_seconds=0.2).token("one", "one") as taken_at:
        assert taken_at - begun > 0.3


async def test_a_token_that_is_given_back_too_late_stays_that_of_who_has_taken_it_since(url: str) -> None:
    database = Database(url)
    database.create()
    limiter = RateLimiter(database, {"MyBrand": 1}, most_seconds=30)

    async def free_at() -> float:
        return await database.run(lambda connection: connection.execute(select(rate_tokens.c.free_at)).scalar_one())

    late, next_one = limiter.token("key", "MyBrand"), limiter.token("key", "MyBrand")
    await late.__aenter__()
    await database.run(
        lambda connection: connection.execute(update(rate_tokens).values(free_at=0.0))
    )  # its time is over
    await next_one.__aenter__()
    until = await free_at()
    await late.__aexit__(None, None, None)
    assert await free_at() == until
    await next_one.__aexit__(None, None, None)
    assert await free_at() < until - 20
    database.close()
