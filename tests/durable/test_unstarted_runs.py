"""Runs that were stored by somebody who did not live to start them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dbos import DBOS
from support.engine import COUNT, SEND, serving
from support.waiting import until_async

from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.recovery import unstarted_runs
from twilio_component.durable.recovery.unstarted_runs import UnstartedRuns
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from support.engine import Served


@pytest.fixture
def only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine does not look by itself, as it would at its start."""

    async def never(_self: UnstartedRuns) -> None:
        return

    monkeypatch.setattr(UnstartedRuns, "keep_looking", never)


async def state(served: Served, run: str) -> str:
    return str((await RunViews(served.engine.database).show(run))["state"])


@pytest.mark.usefixtures("only_when_asked")
async def test_a_run_that_was_stored_and_not_started_is_started_once(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SEND, emulator=emulator) as served:
        await served.engine.runs.accept(await served.new_run("lost"))
        assert await served.engine.unstarted_runs.sweep() == 0  # it is too young: it may be being started
        assert await served.engine.unstarted_runs.sweep(0) == 1
        assert (await served.engine.wait_for_outcome("lost", 20))["state"] == "succeeded"
        assert await served.engine.unstarted_runs.sweep(0) == 0
    assert len(emulator.messages) == 1


@pytest.mark.usefixtures("only_when_asked")
async def test_many_are_found_in_batches_and_those_that_run_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstarted_runs, "_BATCH", 2)
    async with serving(tmp_path, COUNT) as served:
        for number in range(5):
            await served.engine.runs.accept(await served.new_run(f"lost-{number}"))
        assert await served.begin("started")

        async def is_started() -> bool:
            return bool(await DBOS.list_workflows_async(workflow_ids=["started"]))

        await until_async(is_started, "the run that was begun has a workflow")
        assert await served.engine.unstarted_runs.sweep(0) == 5
        ended = [await served.engine.wait_for_outcome(f"lost-{number}", 20) for number in range(5)]
        assert {one["state"] for one in ended} == {"succeeded"}


@pytest.mark.usefixtures("only_when_asked")
async def test_children_are_left_to_the_run_that_starts_them(tmp_path: Path) -> None:
    async with serving(tmp_path, COUNT) as served:
        await served.engine.runs.accept(await served.new_run("parent"))
        assert await served.engine.runs.accept(replace(await served.new_run("parent.1"), parent="parent"))
        assert await served.engine.unstarted_runs.sweep_children(0) == 0
        assert await served.engine.unstarted_runs.sweep(0) == 1, "the parent alone"
        assert await state(served, "parent.1") == "running"


@pytest.mark.usefixtures("only_when_asked")
async def test_a_child_is_started_whose_parent_was_stopped_and_will_not_start_it(tmp_path: Path) -> None:
    async with serving(tmp_path, COUNT) as served:
        await served.engine.runs.accept(await served.new_run("parent"))
        # The process died before it started the child, and an operator was faster than the next one.
        await served.engine.runs.accept(replace(await served.new_run("parent.1"), parent="parent"))
        await Operations(served.engine.database).cancel("parent")
        looks = served.engine.unstarted_runs
        assert [await looks.sweep(0), await looks.sweep_children(), await looks.sweep_children(0)] == [0, 0, 1]
        assert (await served.engine.wait_for_outcome("parent.1", 20))["state"] == "succeeded"
        assert await looks.sweep_children(0) == 0


async def test_a_sweep_that_fails_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, COUNT) as served:
        await served.engine.runs.accept(await served.new_run("lost"))
        sweep, sweeps = served.engine.unstarted_runs.sweep, 0

        async def failing_once(grace: float) -> int:
            nonlocal sweeps
            sweeps += 1
            if sweeps == 1:
                raise OSError
            return await sweep(grace)

        monkeypatch.setattr(unstarted_runs, "_GRACE_SECONDS", 0.02)
        monkeypatch.setattr(served.engine.unstarted_runs, "sweep", failing_once)
        looking = asyncio.create_task(served.engine.unstarted_runs.keep_looking())
        assert (await served.engine.wait_for_outcome("lost", 20))["state"] == "succeeded"
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert "could not check whether every stored run has been started" in caplog.text
