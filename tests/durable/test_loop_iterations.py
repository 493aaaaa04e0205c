"""Rounds in durable runs that cannot simply go on: they end all the same, and hold up no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.engine import serving
from support.long_lists import QUICK, flow, people, sent, stored
from support.waiting import until_async

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.execution import workflow_runner
from twilio_component.durable.execution.iteration_replayer import IterationReplayer
from twilio_component.durable.fanout.chunk_runner import ChunkRunner
from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.schema import items
from twilio_component.emulator import Emulator
from twilio_component.flows.findings import FlowError

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Done

STARTING = """\
  - name: Main
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Everyone
        action: loop.loopOverItems
        concurrency: 1
        itemsFrom: {file: people.csv}
        steps:
          - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: Other, data: "{{$everyone.index}}"}}
  - name: Other
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Nap, action: sleep.sleep, inputs: {ms: 1500}}
"""


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("stop", "state"), [("cancel", "partly-failed"), ("pause", "unknown")])
async def test_a_round_whose_flow_is_stopped_fails_and_the_others_continue(
    tmp_path: Path, stop: str, state: str
) -> None:
    people(tmp_path, 3)
    async with serving(tmp_path, STARTING, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        await served.begin("one")
        async with asyncio.timeout(20):
            while await served.engine.runs.load("one.1-0.0") is None:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        await getattr(operations, stop)("one.1-0.0")
        ended = await served.engine.wait_for_outcome("one", 20)
        assert ended["state"] == state
        assert [row["state"] for row in await stored(served, items)] == [
            "unknown" if stop == "pause" else "failed",
            "succeeded",
            "succeeded",
        ]


async def test_a_round_that_starts_a_flow_waits_for_a_database_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(tmp_path, 1)
    away, run = {"RunStore.define", "RunStore.accept", "RunStore.outcome"}, Database._perform

    async def now_and_then(database: Database, work: Any, *where: Any) -> Any:
        name = work.__qualname__.removesuffix(".<locals>.work")
        if name in away:
            away.remove(name)
            raise StoreUnavailableError("the database is unavailable")
        return await run(database, work, *where)

    async with serving(tmp_path, STARTING, settings=QUICK) as served:
        await served.begin("one")
        monkeypatch.setattr(Database, "_perform", now_and_then)
        await until_async(lambda: not away, "the database was away as often as it was to be")
        assert (await served.engine.wait_for_outcome("one", 20))["state"] == "succeeded"
        assert [row["state"] for row in await stored(served, items)] == ["succeeded"]


async def test_a_round_that_cannot_continue_is_reported_and_the_others_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    emulator, run = Emulator(), IterationReplayer.run
    numbers = people(tmp_path, 5)

    async def broken(replayer: IterationReplayer) -> Done:
        if replayer.item == "one.1-2":
            raise KeyError(numbers[2])
        return await run(replayer)

    monkeypatch.setattr(IterationReplayer, "run", broken)
    async with serving(tmp_path, flow(2), emulator=emulator, settings=QUICK) as served:
        ended = await served.run("one")
        assert ended["state"] == "unknown"
        views = LoopViews(served.engine.database)
        (one,) = [one async for one in views.iterations("one", state="unknown")]
        assert (one["index"], one["code"]) == (2, "unexpected-error")
    assert sent(emulator) == Counter(set(numbers) - {numbers[2]})
    assert "one.1-2 cannot continue" in caplog.text


async def test_a_chunk_whose_definition_cannot_be_loaded_is_reported_in_a_sentence_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    emulator, run, reasons = Emulator(), ChunkRunner.run, ["its connection is not valid"]

    async def refuse_once(runner: ChunkRunner, *arguments: Any) -> None:
        if reasons:
            raise FlowError(reasons.pop())
        await run(runner, *arguments)

    monkeypatch.setattr(ChunkRunner, "run", refuse_once)
    monkeypatch.setattr(workflow_runner, "_FIRST_PAUSE", 0.01)
    numbers = people(tmp_path, 1)
    async with serving(tmp_path, flow(1), emulator=emulator, settings=QUICK) as served:
        assert (await served.run("one"))["state"] == "succeeded"
    assert sent(emulator) == Counter(numbers)
    assert "a chunk of one cannot continue; trying again in 0 s: its connection is not valid" in caplog.text
    assert "Traceback" not in caplog.text
