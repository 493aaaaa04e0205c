"""What triggers remember: stored with their results, never with another run's, and right when runs race for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dbos import DBOS
from support.engine import serving

from twilio_component.durable.errors import StateConflictError
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.flow_state import StateChange, apply_changes
from twilio_component.durable.store.runs import RunStore
from twilio_component.emulator import Emulator
from twilio_component.host.hookspecs import hookimpl

if TYPE_CHECKING:
    from support.engine import Served

    from twilio_component.host.model import Trigger

POLL = """\
  - name: Main
    steps:
      - name: Poll
        isTrigger: true
        action: twilio.pollChangesTrigger
        schedule: {type: value, value: "0 4 1 1 *"}
        inputs: {connection: {type: configVar, value: Twilio}, showUpdatedRecords: {type: value, value: false}}
      - {name: Read, action: persist-data.listInstanceKeys}
"""
SCOPES = {"instanceState": "a", "crossFlowState": "b"}
NUMBER = "+15017122661"


class Gate:
    """Holds the results of polls back until it is opened; without one there is nothing to hold."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.waiting = 0

    @hookimpl(wrapper=True)
    def perform_trigger(
        self, trigger: Trigger
    ) -> Generator[None, Awaitable[dict[str, Any]], Awaitable[dict[str, Any]]]:
        inner = yield
        return self._held(inner) if trigger.key == "pollChangesTrigger" else inner

    async def _held(self, inner: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        envelope = await inner
        self.waiting += 1
        await self.open.wait()
        return envelope

    async def holds(self, count: int) -> None:
        while self.waiting < count:  # noqa: ASYNC110 - a gate has no event for it
            await asyncio.sleep(0.01)


async def told(served: Served, run: str) -> list[str]:
    """The SIDs that a poll told, once its run has ended."""
    ended = await served.engine.wait_for_outcome(run, 20)
    assert ended["state"] == "succeeded"
    poll = (await served.engine.runs.entries(run, 0, 1))[0].value["envelope"]
    return [message["sid"] for message in poll["payload"]["body"]["data"]["created"]]


async def message_in(emulator: Emulator) -> str:
    return (await emulator.receive(to=NUMBER, sender="+15558675310", body="Hello")).sid


KEEPING = Settings(timeout=0.5, lag_bound=0.2, keep_payloads=True)


def test_polls_continue_where_the_last_one_was_also_in_another_process(url: str, tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.add_number(NUMBER)

    async def process(run: str) -> list[str]:
        async with serving(tmp_path, POLL, emulator=emulator, settings=KEEPING, database=url) as served:
            await served.begin(run)
            return await told(served, run)

    async def arrived() -> str:
        return await message_in(emulator)

    asyncio.run(arrived())
    assert asyncio.run(process("first")) == []
    new = asyncio.run(arrived())
    assert asyncio.run(process("second")) == [new]
    assert asyncio.run(process("third")) == []


async def test_of_polls_that_overlap_each_message_is_reported_by_one(url: str, tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.add_number(NUMBER)
    gate = Gate()
    gate.open.set()
    async with serving(tmp_path, POLL, emulator=emulator, settings=KEEPING, database=url, plugins=[gate]) as served:
        await served.begin("first")
        await told(served, "first")
        new = [await message_in(emulator), await message_in(emulator)]
        gate.open.clear()
        for run in ("one", "two"):
            await served.begin(run)
        await gate.holds(3)
        gate.open.set()
        assert sorted([*await told(served, "one"), *await told(served, "two")]) == sorted(new)


async def test_a_clock_does_not_poll_while_a_poll_is_under_way(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def runs(served: Served) -> int:
        return len(await RunViews(served.engine.database).find(RunFilter()))

    gate = Gate()
    async with serving(tmp_path, POLL, settings=KEEPING, plugins=[gate]) as served:
        await served.engine.runs.define("test.yaml", served.text)
        await served.engine.keep_schedules([served.definition])
        await asyncio.to_thread(DBOS.trigger_schedule, "Test/Main")
        await gate.holds(1)
        with caplog.at_level(logging.WARNING):
            await asyncio.to_thread(DBOS.trigger_schedule, "Test/Main")
            while "Main is still polling; this time is skipped" not in caplog.text:  # noqa: ASYNC110 - a log
                await asyncio.sleep(0.01)
        assert await runs(served) == 1
        gate.open.set()
        (run,) = await RunViews(served.engine.database).find(RunFilter())
        await told(served, run["id"])
        await asyncio.to_thread(DBOS.trigger_schedule, "Test/Main")
        while await runs(served) == 1:  # noqa: ASYNC110 - rows
            await asyncio.sleep(0.01)


async def test_a_run_sees_what_its_trigger_remembers_and_does_not_keep_it_once_more(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.add_number(NUMBER)
    async with serving(tmp_path, POLL, emulator=emulator, settings=KEEPING) as served:
        await served.begin("first")
        await told(served, "first")
        await message_in(emulator)
        await served.begin("second")
        await told(served, "second")
        assert (await served.engine.runs.entries("second", -2, 100))[1].value["envelope"]["data"] == [
            "pollChangesTrigger"
        ]


def test_a_change_is_made_only_of_what_was_shown_and_with_all_that_belongs_to_it(url: str) -> None:
    database = Database(url)
    database.create()

    def change(shown: dict[str, Any], **changes: Any) -> None:
        states = {"instanceState": shown, "crossFlowState": {}}
        in_transaction = StateChange(
            SCOPES, states, {"instanceState": changes, "executionState": {"x": 1}}
        ).in_transaction
        assert in_transaction is not None
        with database.engine.begin() as connection:
            in_transaction(connection)

    def kept() -> Any:
        return asyncio.run(RunStore(database).stored_state(SCOPES))["instanceState"]

    assert StateChange(SCOPES, {}, {"instanceState": {}, "executionState": {"x": 1}}).in_transaction is None
    change({}, seen={"b": 1, "a": [1.5, "é"]}, nothing=None)
    assert kept() == {"seen": {"b": 1, "a": [1.5, "é"]}}
    change(kept(), seen={"b": 2})
    for moved in ({}, {"seen": {"b": 1}}):
        with pytest.raises(StateConflictError):
            change(moved, other=1, seen=3)
    with pytest.raises(StateConflictError):
        change({"seen": {"b": 1}}, seen=None)
    assert kept() == {"seen": {"b": 2}}
    change(kept(), seen=None)
    assert kept() == {}
    database.close()


def test_after_an_answer_null_is_gone() -> None:
    states = {"instanceState": {"a": 1, "b": 2}, "crossFlowState": {}}
    envelope = {"instanceState": {"a": None, "c": 3}, "executionState": {"x": 1}}
    assert apply_changes(states, envelope) == {"instanceState": {"b": 2, "c": 3}, "crossFlowState": {}}
