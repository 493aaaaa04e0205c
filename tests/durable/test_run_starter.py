"""When runs are started that have been stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from twilio_component.durable.execution import run_starter
from twilio_component.durable.execution.run_starter import RunStarter

BURST = [f"run-{number}" for number in range(run_starter._BURST)]


class Started:
    """Notes which runs were started together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.starters = RunStarter(self.start)

    async def start(self, runs: Sequence[str]) -> None:
        self.batches.append(list(runs))

    async def until(self, number: int) -> None:
        while sum(len(batch) for batch in self.batches) < number:  # noqa: ASYNC110 - the less they share the better
            await asyncio.sleep(0.005)


async def run(scenario: Callable[[Started], Awaitable[None]]) -> Started:
    started = Started()
    starting = asyncio.create_task(started.starters.run())
    await asyncio.wait_for(scenario(started), 30)
    await started.starters.drain()
    starting.cancel()
    return started


async def test_a_run_by_itself_is_started_before_anything_else_happens() -> None:
    async def scenario(started: Started) -> None:
        for name in ("first", "second"):
            await started.starters.submit(name)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert started.batches == [["first"], ["second"]]

    await run(scenario)


@pytest.mark.parametrize(
    ("longest_wait", "burst_seconds"), [(60, 0.05), (0.05, 60)], ids=["once it is over", "when it does not end"]
)
async def test_those_of_a_burst_are_started_together_and_wait_for_no_longer_than_a_moment(
    monkeypatch: pytest.MonkeyPatch, longest_wait: float, burst_seconds: float
) -> None:
    monkeypatch.setattr(run_starter, "_LONGEST_WAIT", longest_wait)
    monkeypatch.setattr(run_starter, "_BURST_SECONDS", burst_seconds)

    async def scenario(started: Started) -> None:
        for name in BURST:
            await started.starters.submit(name)
        await started.until(len(BURST))

    assert (await run(scenario)).batches == [BURST]


async def test_one_that_somebody_waits_for_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_starter, "_LONGEST_WAIT", 60)
    monkeypatch.setattr(run_starter, "_BURST_SECONDS", 0.2)

    async def scenario(started: Started) -> None:
        for name in BURST:
            await started.starters.submit(name)
        await started.starters.submit("awaited", immediately=True)
        await started.until(len(BURST) + 1)
        assert started.starters._is_bursting()

    assert (await run(scenario)).batches == [[*BURST, "awaited"]]


async def test_what_cannot_be_started_is_reported_and_those_after_it_are_started(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(started: Started) -> None:
        async def failing(_: Sequence[str]) -> None:
            raise RuntimeError("no")

        working, started.starters._start = started.starters._start, failing
        await started.starters.submit("first")
        await started.starters.drain()
        started.starters._start = working
        await started.starters.submit("second")
        await started.until(1)

    assert (await run(scenario)).batches == [["second"]]
    assert "stored runs could not be started now (1)" in caplog.text
