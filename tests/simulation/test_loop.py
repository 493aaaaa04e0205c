"""The simulated loop keeps asyncio's promises, and lets processes freeze and die between two awaits."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from simulation.loop import DeadlockError, OverdueError, SimulatedLoop


def make_loop(seed: int = 1) -> SimulatedLoop:
    return SimulatedLoop(Random(seed))  # type: ignore[abstract]  # noqa: S311 - a seed to replay


def test_time_jumps_to_the_next_timer() -> None:
    loop = make_loop()

    async def sleep_for_a_day() -> float:
        await asyncio.sleep(86_400)
        return loop.time()

    assert loop.run(sleep_for_a_day(), within=100_000) == 86_400


def test_a_frozen_process_runs_nothing_and_continues_when_it_is_thawed() -> None:
    loop, seen = make_loop(), []

    async def tick() -> None:
        for number in range(3):
            await asyncio.sleep(1)
            seen.append((number, loop.time()))

    async def main() -> None:
        with loop.process("a"):
            task = loop.create_task(tick())
        await asyncio.sleep(1.5)
        loop.freeze("a")
        await asyncio.sleep(10)
        loop.thaw("a")
        await task

    loop.run(main(), within=100)
    assert seen == [(0, 1.0), (1, 11.5), (2, 12.5)]


def test_a_killed_process_never_runs_another_line_not_even_a_finally() -> None:
    loop, seen = make_loop(), []

    async def work() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            seen.append("finally")

    async def main() -> list[str]:
        with loop.process("a"):
            loop.create_task(work())
        await asyncio.sleep(1)
        loop.kill("a")
        await asyncio.sleep(10)
        return [*seen]

    assert loop.run(main(), within=100) == []
    loop.close()  # only then, so that no coroutine is left over


def test_a_time_limit_cancels_in_virtual_time() -> None:
    async def wait() -> None:
        async with asyncio.timeout(3):
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        make_loop().run(wait(), within=5)


def test_what_can_never_end_is_a_deadlock_and_what_takes_too_long_is_overdue() -> None:
    async def wait_for_nobody() -> None:
        await asyncio.Event().wait()

    for wait, error in ((wait_for_nobody(), DeadlockError), (asyncio.sleep(10), OverdueError)):
        loop = make_loop()
        with pytest.raises(error):
            loop.run(wait, within=5)
        loop.close()


def test_equal_seeds_take_equal_steps() -> None:
    async def main(loop: SimulatedLoop, seen: list[str]) -> None:
        async def work(name: str) -> None:
            for _ in range(5):
                await asyncio.sleep(0)
                seen.append(name)

        tasks = []
        for name in "abc":
            with loop.process(name):
                tasks.append(loop.create_task(work(name)))
        await asyncio.gather(*tasks)

    orders = []
    for seed in (1, 1, 2):
        loop, seen = make_loop(seed), list[str]()
        loop.run(main(loop, seen), within=1)
        orders.append("".join(seen))
    assert orders[0] == orders[1] != orders[2]
