"""Queues of flows: in the order of acceptance, no more at a time than allowed, blocked by nothing for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.engine import Served, serving

from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.queues import QueueSlot
from twilio_component.durable.store.run_status import QUEUED, RUNNING
from twilio_component.durable.store.runs import RunStore
from twilio_component.emulator import Emulator

SEND = """\
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Sleep, action: sleep.sleep, inputs: {ms: MILLISECONDS}}
      - name: Send
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: "+15558675310"
          from: "+15017122661"
          message: "{{$trigger.results.executionId}}"
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[RunStore, list[str]]]:
    """A store, and the runs that it had executed, in their order."""
    database, started = Database(f"sqlite:///{tmp_path}/runs.sqlite"), list[str]()
    database.create()
    yield RunStore(database, lambda _connection, runs: started.extend(runs)), started
    database.close()


def new(run: str, digest: str, **slot: Any) -> NewRun:
    return NewRun(id=run, definition=digest, integration="I", flow="F", payload={}, slot=QueueSlot(queue="I/F", **slot))


async def end(store: RunStore, run: str) -> None:
    await store.finish(run, "succeeded", error=None, response=None, keep_payloads=False, changes={})


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [1, 3])
async def test_as_many_run_as_the_limit_says_and_the_next_when_one_ends(
    store: tuple[RunStore, list[str]], limit: int
) -> None:
    runs, started = store
    digest = await runs.define("f", "t")
    names = [f"run-{number}" for number in range(9, 0, -1)]  # not in the order of their ids
    for name in names:
        assert await runs.accept(new(name, digest, limit=limit))
    assert started == names[:limit]
    assert await runs.outcome(names[-1]) is None
    for count, name in enumerate(names, 1):
        await end(runs, name)
        assert started == names[: limit + count]


@pytest.mark.anyio
async def test_runs_that_queue_follow_each_other_also_when_their_flow_has_no_queue_any_more(
    store: tuple[RunStore, list[str]],
) -> None:
    runs, started = store
    digest = await runs.define("f", "t")
    for name in ("one", "two", "three"):
        assert await runs.accept(new(name, digest))
    late = replace(new("late", await runs.define("f", "without queueConfig")), slot=None)
    assert await runs.accept(late)
    loaded = await runs.load("late")
    assert loaded is not None
    assert loaded.state == RUNNING  # it waits for nobody
    await end(runs, "late")
    assert started == ["one"]
    for count, name in enumerate(("one", "two", "three"), 2):
        await end(runs, name)
        assert started == ["one", "two", "three"][:count]


@pytest.mark.anyio
async def test_an_id_that_is_queued_or_running_is_not_queued_again(store: tuple[RunStore, list[str]]) -> None:
    runs, started = store
    digest = await runs.define("f", "t")
    for run, dedupe_id, is_new in [("a", "1", True), ("b", "2", True), ("c", "1", False), ("d", "2", False)]:
        one = new(run, digest, dedupe_id=dedupe_id)
        assert await runs.accept(one) is is_new
        assert await runs.run_of(one) == {"c": "a", "d": "b"}.get(run, run)
    await end(runs, "a")
    assert await runs.accept(new("e", digest, dedupe_id="1"))
    assert await runs.accept(new("f", digest))
    assert await runs.accept(new("g", digest))
    for run in ("b", "e", "f", "g"):
        await end(runs, run)
    assert started == ["a", "b", "e", "f", "g"]


@pytest.mark.anyio
async def test_a_singleton_is_not_accepted_while_another_run_is_open(store: tuple[RunStore, list[str]]) -> None:
    runs, started = store
    digest = await runs.define("f", "t")
    assert await runs.accept(new("a", digest, singleton=True))
    assert not await runs.accept(new("b", digest, singleton=True))
    await end(runs, "a")
    assert await runs.accept(new("c", digest, singleton=True))
    assert started == ["a", "c"]


async def begin(served: Served, *runs: str) -> None:
    for run in runs:
        await served.engine.begin(replace(await served.new_run(run), slot=QueueSlot(queue="Test/Main")))


async def states(served: Served) -> dict[str, str]:
    return {run["id"]: run["state"] for run in await RunViews(served.engine.database).find(RunFilter())}


async def until(served: Served, **wanted: str) -> None:
    for _ in range(400):
        found = await states(served)
        if all(found[run] == state for run, state in wanted.items()):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(found)


def test_runs_follow_each_other_in_the_order_of_acceptance_over_a_restart(tmp_path: Path) -> None:
    emulator, flow = Emulator(), SEND.replace("MILLISECONDS", "50")
    names = [f"run-{number}" for number in (7, 3, 5, 1, 8, 2)]

    async def accept_all_and_end_some() -> None:
        async with serving(tmp_path, flow, emulator=emulator) as served:
            await begin(served, *names)
            await until(served, **{names[1]: "succeeded"})
            assert (await states(served))[names[-1]] == QUEUED

    async def end_all() -> None:
        async with serving(tmp_path, flow, emulator=emulator) as served:
            await until(served, **dict.fromkeys(names, "succeeded"))

    asyncio.run(accept_all_and_end_some())
    asyncio.run(end_all())
    assert [message.body for message in emulator.messages] == names


@pytest.mark.anyio
async def test_a_paused_a_cancelled_and_an_unknown_run_block_nothing(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SEND.replace("MILLISECONDS", "1500"), emulator=emulator) as served:
        operations = Operations(served.engine.database)
        await begin(served, "paused", "queued", "cancelled", "last")
        await operations.cancel("cancelled")
        await operations.pause("paused")
        assert (await states(served))["queued"] == RUNNING
        emulator.faults.server_error(operation="messages.create")
        emulator.faults.lag_lists(60)
        await until(served, queued="unknown", last="succeeded", cancelled="cancelled", paused="paused")
        await operations.resume("cancelled")
        await operations.resume("paused")
        await until(served, paused="succeeded", cancelled="succeeded")
    assert sorted(message.body for message in emulator.messages if message.body != "queued") == [
        "cancelled",
        "last",
        "paused",
    ]
