"""Throttling and slots: who may send, and when."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, event

from twilio_component.durable.clock import Clock
from twilio_component.durable.errors import StoreBusyError
from twilio_component.durable.sending.throttle import Throttle, throttle
from twilio_component.durable.store.database import Database, transaction
from twilio_component.durable.store.schema import throttles

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection


class SteppedClock(Clock):
    """A clock that stands still until a test sets it."""

    seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds


async def test_no_more_requests_than_allowed_are_in_flight() -> None:
    throttle, now, most = Throttle(2), 0, 0

    async def request() -> None:
        nonlocal now, most
        async with throttle.slot():
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.01)
            now -= 1

    await asyncio.gather(*(request() for _ in range(6)))

    assert most == 2


async def test_whoever_is_told_to_slow_down_waits_and_others_do_not() -> None:
    throttle, begun = Throttle(5), time.monotonic()
    throttle.remember("throttled", 0.1)
    assert await throttle.wait(["free"], 10)
    free = time.monotonic() - begun
    assert not await throttle.wait(["free", "throttled"], 0.01)
    assert await throttle.wait(["throttled"], 10)
    throttled = time.monotonic() - begun
    assert free < 0.1 <= throttled


def test_a_throttle_that_an_operator_lifts_at_the_same_moment_is_stored(new_database: Callable[[], str]) -> None:
    database, lifted = Database(new_database()), list[bool]()
    database.create()
    with database.engine.begin() as connection:
        throttle(connection, "sender", None, "why", 100.0)

    def lift(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = 50")
        connection.execute(delete(throttles))

    def lift_after_the_first_statement(*_: Any) -> None:
        if not lifted:
            lifted.append(True)
            with suppress(StoreBusyError):  # it waits for the transaction
                transaction(database._request_engine, lift)

    event.listen(database.engine, "after_cursor_execute", lift_after_the_first_statement)
    with database.engine.begin() as connection:
        assert throttle(connection, "sender", 5.0, "why", 200.0) == 5.0
    database.close()


def test_a_pause_grows_when_it_was_too_short_and_not_because_many_were_told_at_once(database: Database) -> None:
    pauses = []

    def told(now: float, seconds: float | None = None) -> None:
        with database.engine.begin() as connection:
            pauses.append(round(throttle(connection, "sender", seconds, "why", now), 3))

    told(100.0)
    told(100.1)  # it was under way when the first was told
    told(100.1, 2.0)  # this one says how long
    told(102.2)
    told(103.3)
    told(200.0)  # it has gone well for a while
    told(201.0, 40.0)
    told(241.5)
    # A date that is past, by our clock, or no time at all: asked again and again it would refuse as often.
    told(400.0, 0.0)
    told(400.6, 0.0)

    assert pauses == [0.5, 0.4, 2.0, 1.0, 2.0, 0.5, 40.0, 30.0, 0.5, 1.0]


@pytest.mark.parametrize(("asked", "pause"), [(math.inf, 3600.0), (1e9, 3600.0), (math.nan, 0.5), (-5.0, 0.5)])
def test_nobody_is_throttled_for_ever_whatever_a_server_asks_for(
    database: Database, asked: float, pause: float
) -> None:
    with database.engine.begin() as connection:
        assert throttle(connection, "sender", asked, "why", 100.0) == pause


def test_a_throttle_that_an_operator_lifts_is_soon_forgotten_by_every_process() -> None:
    throttle = Throttle(5)
    throttle.remember("sender", 3600.0)
    assert throttle.seconds_left(["sender"]) < 10


def test_a_pause_is_short_again_once_something_has_got_through(database: Database) -> None:
    def told(now: float, since_success: float = math.inf) -> float:
        with database.engine.begin() as connection:
            return round(throttle(connection, "sender", None, "why", now, since_success=since_success), 3)

    assert [told(100.0), told(101.0), told(103.0)] == [0.5, 1.0, 2.0]
    assert told(105.5, since_success=2.6) == 4.0, "what got through before the pause began says nothing of it"
    assert told(110.0, since_success=0.1) == 0.5
    assert told(111.0) == 1.0


def test_a_process_knows_when_something_last_got_through() -> None:
    throttle = Throttle(5)
    assert throttle.seconds_since_success("sender") == math.inf
    throttle.note_success(["connection", "sender"])
    assert throttle.seconds_since_success("sender") < 60
    assert throttle.seconds_since_success("other") == math.inf


async def slots_of(throttle: Throttle) -> int:
    """How many blocks have a slot at a time."""
    async with AsyncExitStack() as stack:
        count = 0
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0):
                    await stack.enter_async_context(throttle.slot())
                count += 1
        return count


async def test_there_are_fewer_slots_while_requests_do_not_begin_in_time_and_all_again_when_they_do() -> None:
    clock = SteppedClock()
    throttle, found = Throttle(8, clock), []
    for _ in range(4):
        throttle.narrow()
        throttle.narrow()  # it was late at the same moment
        clock.seconds += 1
        found.append(await slots_of(throttle))
    assert found == [4, 2, 1, 1], "one is left, so that something goes on"
    for _ in range(20):
        throttle.note_success(["sender"])
    assert await slots_of(throttle) == 8


async def test_slots_that_are_in_use_when_there_are_fewer_are_not_handed_on_and_who_gives_up_asking_gets_none() -> None:
    throttle = Throttle(2, SteppedClock())
    async with throttle.slot():
        async with throttle.slot():
            throttle.narrow()
            asking = asyncio.create_task(throttle.slot().__aenter__())
            patient = asyncio.create_task(slots_of(throttle))
            await asyncio.sleep(0)
        assert await slots_of(throttle) == 0
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert await slots_of(throttle) == throttle.in_flight == 1
    await patient
