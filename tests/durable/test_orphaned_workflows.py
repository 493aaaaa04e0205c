"""Workflows that the queue gave to a process, or that it started itself, and that it never began."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbos import _core, _queue
from support.engine import SEND, serving
from support.waiting import until_async

from twilio_component.durable import engine
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    import pytest


async def test_what_was_given_to_this_process_and_never_begun_is_given_back_and_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, begin = Emulator(), vars(_queue)["execute_dequeued_workflow"]
    lost = threading.Event()

    def lose_the_second(dbos: Any, status: Any, owner: str) -> Any:
        if status["workflow_uuid"] == "second" and not lost.is_set():
            lost.set()
            raise ConnectionError("the database is away")
        return begin(dbos, status, owner)

    monkeypatch.setattr(engine, "_FEW_RUNS", 0)  # everything goes through the queue
    monkeypatch.setattr(_queue, "execute_dequeued_workflow", lose_the_second)
    async with serving(tmp_path, SEND, emulator=emulator) as served:
        assert (await served.run("first"))["state"] == "succeeded"
        await served.begin("second")
        assert await asyncio.to_thread(lost.wait, 20)
        assert await served.engine.orphaned_workflows.sweep() == 0  # it may be being begun
        assert await served.engine.orphaned_workflows.sweep(0) == 1
        assert (await served.engine.wait_for_outcome("second", 20))["state"] == "succeeded"
        assert await served.engine.orphaned_workflows.sweep(0) == 0
    assert len(emulator.messages) == 2


async def test_what_this_process_started_without_the_queue_and_never_began_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, store = Emulator(), vars(_core)["_init_workflow"]
    lost = threading.Event()

    def lose_the_second(*arguments: Any, child_workflow_id: Any = None, **options: Any) -> Any:
        stored = store(*arguments, child_workflow_id=child_workflow_id, **options)
        if child_workflow_id == "second" and not lost.is_set():
            lost.set()
            raise ConnectionError("the database is away")
        return stored

    monkeypatch.setattr(_core, "_init_workflow", lose_the_second)
    async with serving(tmp_path, SEND, emulator=emulator) as served:
        assert (await served.run("first"))["state"] == "succeeded"
        await served.begin("second")
        assert await asyncio.to_thread(lost.wait, 20)
        assert await served.engine.orphaned_workflows.sweep() == 0  # it may be being begun
        assert await served.engine.orphaned_workflows.sweep(0) == 1
        assert (await served.engine.wait_for_outcome("second", 20))["state"] == "succeeded"
        assert await served.engine.orphaned_workflows.sweep(0) == 0
    assert len(emulator.messages) == 2


async def test_what_is_under_way_is_left_alone(tmp_path: Path) -> None:
    flows = """\
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Sleep, action: sleep.sleep, inputs: {ms: 1500}}
"""
    async with serving(tmp_path, flows) as served:
        await served.begin("one")
        await until_async(lambda: "one" in served.engine.work.workflow_ids, "it is under way")
        assert await served.engine.orphaned_workflows.sweep(0) == 0
        assert (await served.engine.wait_for_outcome("one", 20))["state"] == "succeeded"
