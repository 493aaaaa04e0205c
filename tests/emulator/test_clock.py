"""The clock that a test moves, and that runs by itself as a server's."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest

from twilio_component.emulator.clock import Clock

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_started_clock_stands_still_until_it_is_moved() -> None:
    clock = Clock(START)
    assert clock.now() == START.timestamp()
    await clock.advance(90)
    assert clock.now() == START.timestamp() + 90


async def test_without_a_start_the_time_of_day_is_the_machines_plus_what_was_moved() -> None:
    clock = Clock()
    assert clock.now() == pytest.approx(time.time(), abs=1)
    await clock.advance(1000)
    assert clock.now() == pytest.approx(time.time() + 1000, abs=1)


async def test_events_happen_in_the_order_of_their_times_and_see_those_times() -> None:
    clock = Clock(START)
    seen: list[tuple[str, float]] = []

    def note(name: str) -> None:
        seen.append((name, clock.now() - START.timestamp()))

    clock.schedule(5, lambda: note("late"))
    clock.schedule(1, lambda: note("early"))
    clock.schedule(1, lambda: note("early too"))
    await clock.advance(4)
    assert seen == [("early", 1), ("early too", 1)]
    assert clock.pending == 1
    await clock.advance(1)
    assert seen[2:] == [("late", 5)]


async def test_an_event_that_schedules_another_within_the_span_sees_it_happen() -> None:
    clock = Clock(START)
    seen: list[float] = []
    clock.schedule(1, lambda: clock.schedule(1, lambda: seen.append(clock.now())))
    await clock.advance(3)
    assert seen == [START.timestamp() + 2]


async def test_advance_waits_for_events_that_are_asynchronous() -> None:
    clock = Clock(START)
    seen: list[str] = []

    async def event() -> None:
        await asyncio.sleep(0)
        seen.append("done")

    clock.schedule(1, event)
    await clock.advance(1)
    assert seen == ["done"]


async def test_time_does_not_move_backwards() -> None:
    with pytest.raises(ValueError, match="forward only"):
        await Clock().advance(-1)


async def test_a_running_clock_lets_events_happen_in_real_time_without_waiting_for_slow_ones() -> None:
    clock = Clock(START)
    seen: list[str] = []
    finished = asyncio.Event()

    async def slow() -> None:
        seen.append("slow begins")
        await asyncio.sleep(60)

    def last() -> None:
        seen.append("last")
        finished.set()

    running = asyncio.create_task(clock.run())
    await asyncio.sleep(0)
    clock.schedule(0.02, last)
    clock.schedule(0.01, slow)
    time.sleep(0.03)  # both are due when the clock looks
    await asyncio.wait_for(finished.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert clock.now() >= START.timestamp() + 0.02

    assert seen == ["slow begins", "last"]


async def test_a_running_clock_can_still_be_advanced() -> None:
    clock = Clock(START)
    running = asyncio.create_task(clock.run())
    await asyncio.sleep(0)
    seen: list[float] = []
    clock.schedule(3600, lambda: seen.append(clock.now()))
    await clock.advance(3600)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert seen[0] == pytest.approx(START.timestamp() + 3600, abs=1)


async def test_an_event_that_fails_is_logged_and_time_continues(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    finished = asyncio.Event()

    async def fail() -> None:
        raise LookupError("nothing here")

    running = asyncio.create_task(clock.run())
    await asyncio.sleep(0)
    clock.schedule(0, fail)
    clock.schedule(0.01, finished.set)
    await asyncio.wait_for(finished.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    (record,) = caplog.records
    assert record.message == "an event of the emulator failed"
    assert record.exc_info is not None
    assert record.exc_info[0] is LookupError
