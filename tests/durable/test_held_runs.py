"""A run whose message is held waits as a row: no task, timer or connection waits with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from durable.test_conversation_order import QUICK, flows, texts
from durable.test_quiet_hours import CAPPED, QUIET, SetClock, held_step
from sqlalchemy import select
from support.engine import START, TO, serving
from support.slow_transport import SlowFirstMessage
from support.waiting import until_async

from twilio_component.durable.observation import Observer
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.store.journal import FIRST_WAIT
from twilio_component.durable.store.schema import waits
from twilio_component.emulator import Emulator
from twilio_component.host.questions import EffectReport

if TYPE_CHECKING:
    from support.engine import Served

NAP = "      - {name: Nap, action: sleep.sleep, inputs: {ms: {type: value, value: 50}}}\n"
NIGHT = '    quietHours: {from: "21:00", to: "08:00", timeZone: America/New_York}\n'
FIRST_IS_QUIET = flows().replace("  - name: first\n", "  - name: first\n" + NIGHT, 1)
AFTER_DELIVERY = "{by: conversation, after: delivery, atMost: 600}"


async def until_parked(served: Served, *runs: str) -> list[str]:
    """Wait until the runs wait as rows and no process executes them; what they wait for."""
    found: dict[str, str] = {}

    async def are_parked() -> bool:
        chosen = select(waits.c.run, waits.c.reason).where(waits.c.run.in_(runs))
        rows = await served.engine.database.run(lambda connection: connection.execute(chosen).all())
        found.update({row.run: row.reason for row in rows})
        return found.keys() == {*runs} and not served.engine.work.workflow_ids & {*runs}

    await until_async(are_parked, f"{runs} wait as rows")
    return [found[run] for run in runs]


async def test_runs_in_quiet_hours_wait_as_rows_and_each_continues_once(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T23:00")
    runs = [f"run{number}" for number in range(5)]
    napping = QUIET.replace("      - name: Send\n", NAP + "      - name: Send\n", 1)
    async with serving(tmp_path, napping, emulator=emulator, clock=clock) as served:
        for run in runs:
            await served.begin(run)
        assert await until_parked(served, *runs) == ["quiet-hours"] * 5
        clock.set("2026-05-05T08:00:01")
        for run in runs:
            assert (await served.engine.wait_for_outcome(run, 20))["state"] == "succeeded"
            # What was slept before is not slept again: nothing had to be recorded for it.
            assert await served.engine.runs.entry_at(run, FIRST_WAIT - 1) is None
    assert len(emulator.messages) == len(runs)


CALLING = (
    START.replace("NAME", "Caller's caller").replace("STARTED", "Caller")
    + START.replace("NAME", "Caller").replace("STARTED", "Main").replace("      - {name: St", NAP + "      - {name: St")
    + QUIET.replace("    steps:\n", "    isSynchronous: true\n    steps:\n", 1).replace(
        "{type: reference, value: trigger.results.body.data.to}", f'{{type: value, value: "{TO}"}}'
    )
)
"""A flow that waits for another one, which waits for one that sends in the day only."""


def test_flows_that_wait_for_one_that_is_held_wait_as_rows_too(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T23:00")
    runs = {"run": "flow", "run.1": "flow", "run.1.1": "quiet-hours"}

    async def until_all_wait() -> None:
        async with serving(tmp_path, CALLING, emulator=emulator, clock=clock) as served:
            await served.begin("run", "Caller's caller")
            assert await until_parked(served, *runs) == [*runs.values()]

    async def to_the_end() -> None:
        async with serving(tmp_path, CALLING, emulator=emulator, clock=clock) as served:
            shown = await RunViews(served.engine.database).show("run")
            assert shown["waits"][0]["text"] == "waits for the end of the flow that it has started"
            clock.set("2026-05-05T08:00:01")
            for run in runs:
                assert (await served.engine.wait_for_outcome(run, 20))["state"] == "succeeded", run
            # What the caller slept before it was not slept again: nothing had to be recorded for it.
            assert await served.engine.runs.entry_at("run.1", FIRST_WAIT - 1) is None

    asyncio.run(until_all_wait())
    asyncio.run(to_the_end())
    assert len(emulator.messages) == 1


@pytest.mark.parametrize("stop", [Operations.cancel, Operations.pause])
async def test_a_flow_that_waits_for_one_that_is_stopped_continues(
    tmp_path: Path, stop: Callable[[Operations, str], Awaitable[None]]
) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T23:00")
    async with serving(tmp_path, CALLING, emulator=emulator, clock=clock) as served:
        await served.begin("run", "Caller's caller")
        await until_parked(served, "run", "run.1", "run.1.1")
        await stop(Operations(served.engine.database), "run.1.1")
        outcomes = [await served.engine.wait_for_outcome(run, 20) for run in ("run.1", "run")]
    assert all(outcome["error"]["code"] == "flow-failed" for outcome in outcomes)
    assert emulator.messages == []


class Waited(Observer):
    """What sends have waited for, without the turns that they take in any case."""

    def __init__(self) -> None:
        self.hours: list[tuple[str, int]] = []

    def send_waited(self, reason: str, seconds: float) -> None:
        if reason not in ("throttle", "rate", "in-flight"):
            self.hours.append((reason, round(seconds / 3600)))


def test_what_held_a_message_is_measured_once_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    emulator, clock, waited = Emulator(), SetClock("2026-05-04T23:00"), Waited()

    async def until_it_waits() -> None:
        async with serving(tmp_path, QUIET, emulator=emulator, clock=clock, observer=waited) as served:
            await served.begin("run")
            await until_parked(served, "run")

    async def to_the_end() -> None:
        async with serving(tmp_path, QUIET, emulator=emulator, clock=clock, observer=waited) as served:
            assert waited.hours == []
            clock.set("2026-05-05T08:00:01")
            assert (await served.engine.wait_for_outcome("run", 20))["state"] == "succeeded"

    asyncio.run(until_it_waits())
    asyncio.run(to_the_end())
    assert waited.hours == [("quiet-hours", 9)]


async def test_a_hold_that_another_one_follows_is_measured_by_itself(tmp_path: Path) -> None:
    emulator, clock, waited = Emulator(), SetClock("2026-05-04T22:00"), Waited()
    async with serving(
        tmp_path, FIRST_IS_QUIET, emulator=emulator, settings=QUICK, clock=clock, observer=waited
    ) as served:
        for run in ("first", "second"):
            await served.begin(run, run)
            await until_held(served, run)
        clock.set("2026-05-05T08:00:01")
        await until_async(lambda: len(emulator.messages) == 2, "both are sent")
    assert waited.hours == [("quiet-hours", 10), ("order", 10)]


def test_a_run_above_its_cap_waits_as_a_row_also_across_a_restart_and_a_pause(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T10:00")

    async def until_it_waits() -> None:
        async with serving(tmp_path, CAPPED, emulator=emulator, clock=clock) as served:
            await served.run("one")
            await served.begin("two")
            assert await until_parked(served, "two") == ["cap"]

    async def to_the_end() -> None:
        async with serving(tmp_path, CAPPED, emulator=emulator, clock=clock) as served:
            operations = Operations(served.engine.database)
            await operations.pause("two")
            await operations.resume("two")
            assert await until_parked(served, "two") == ["cap"]
            clock.set("2026-05-04T11:00:30")
            assert (await served.engine.wait_for_outcome("two", 20))["state"] == "succeeded"

    asyncio.run(until_it_waits())
    asyncio.run(to_the_end())
    assert len(emulator.messages) == 2


async def test_the_end_of_the_message_before_wakes_the_run_of_the_next_one(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T10:00")
    network = SlowFirstMessage(emulator, seconds=100)
    async with serving(tmp_path, flows(), transport=network, settings=QUICK, clock=clock) as served:
        for run in ("first", "second", "third"):
            await served.begin(run, run)
            if run == "first":
                await until_async(lambda: served.engine.guard.requests_under_way, "the first is being sent")
            else:
                await until_held(served, run)
        clock.set("2026-05-04T10:01")
        assert await until_parked(served, "second", "third") == ["order", "order"]
        network.arrive.set()
        await until_async(lambda: len(emulator.messages) == 3, "all are sent")
    assert texts(emulator) == ["first", "second", "third"]


async def test_the_delivery_of_the_message_before_wakes_the_run_of_the_next_one(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T10:00")
    async with serving(tmp_path, flows(AFTER_DELIVERY), emulator=emulator, settings=QUICK, clock=clock) as served:
        await served.run("first", "first")
        await served.begin("second", "second")
        await until_held(served, "second")
        clock.set("2026-05-04T10:01")
        assert await until_parked(served, "second") == ["order"]
        await served.engine.hear(EffectReport(effect=emulator.messages[0].sid, is_final=True))
        await until_async(lambda: texts(emulator) == ["first", "second"], "the second is sent")


async def test_a_message_behind_one_that_waits_for_the_morning_is_sent_after_it(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T22:00")
    async with serving(tmp_path, FIRST_IS_QUIET, emulator=emulator, settings=QUICK, clock=clock) as served:
        for run in ("first", "second", "third"):
            await served.begin(run, run)
            await until_held(served, run)
        clock.set("2026-05-05T03:00")
        assert await until_parked(served, "first", "second", "third") == ["quiet-hours", "order", "order"]
        assert emulator.messages == []
        clock.set("2026-05-05T08:00:01")
        await until_async(lambda: len(emulator.messages) == 3, "all are sent")
    assert texts(emulator) == ["first", "second", "third"]


@pytest.mark.parametrize("stop", [Operations.cancel, Operations.pause])
async def test_a_message_behind_one_of_a_run_that_is_stopped_is_sent_at_once(
    tmp_path: Path, stop: Callable[[Operations, str], Awaitable[None]]
) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T22:00")
    async with serving(tmp_path, FIRST_IS_QUIET, emulator=emulator, settings=QUICK, clock=clock) as served:
        for run in ("first", "second"):
            await served.begin(run, run)
            await until_held(served, run)
        clock.set("2026-05-05T03:00")
        assert await until_parked(served, "first", "second") == ["quiet-hours", "order"]
        await stop(Operations(served.engine.database), "first")
        await until_async(lambda: texts(emulator) == ["second"], "the second is sent")


async def until_held(served: Served, run: str) -> None:
    await until_async(lambda: held_step(served, run), f"{run} is held")
