"""Tasks that are told to end: they do, also one that misses it, and one that never does holds up nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from twilio_component.durable import task_ends
from twilio_component.durable.task_ends import end_tasks

if TYPE_CHECKING:
    import pytest


async def test_a_task_that_misses_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_ends, "_PAUSE", 0.01)
    missed = 0

    async def miss_two() -> None:
        nonlocal missed
        while missed < 2:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            missed += 1
        await asyncio.sleep(60)

    task = asyncio.create_task(miss_two())
    await asyncio.sleep(0)
    await end_tasks([task])
    assert missed == 2
    assert task.cancelled()


async def test_a_task_that_does_not_end_is_left_and_named(caplog: pytest.LogCaptureFixture) -> None:
    released = asyncio.Event()

    async def never_end() -> None:
        while not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()

    async def fail() -> None:
        raise OSError

    tasks = [asyncio.create_task(never_end()), asyncio.create_task(fail())]
    await asyncio.sleep(0)
    await end_tasks(tasks, 0.05)
    assert "never_end did not end within 0.05 s" in caplog.text
    assert "fail" not in caplog.text
    assert not tasks[0].done()
    released.set()
    await tasks[0]
