"""Who may go on, and when."""

from __future__ import annotations

import asyncio
import time

from twilio_component.durable.holds import Holds


def test_no_more_requests_than_allowed_are_in_flight() -> None:
    async def scenario() -> int:
        holds, now, most = Holds(2), 0, 0

        async def request() -> None:
            nonlocal now, most
            async with holds.turn({"sender": "s"}):
                now += 1
                most = max(most, now)
                await asyncio.sleep(0.01)
                now -= 1

        await asyncio.gather(*(request() for _ in range(6)))
        return most

    assert asyncio.run(scenario()) == 2


def test_whoever_is_told_to_slow_down_waits_and_others_do_not() -> None:
    async def scenario() -> tuple[float, float]:
        holds, begun = Holds(5), time.monotonic()
        holds.slow_down("held", 0.1)
        async with holds.turn({"connection": "free"}):
            free = time.monotonic() - begun
        async with holds.turn({"connection": "held"}):
            return free, time.monotonic() - begun

    free, held = asyncio.run(scenario())
    assert free < 0.1 <= held
