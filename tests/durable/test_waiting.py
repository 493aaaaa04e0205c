"""Steps that wait for days: across restarts, with the deadline that they began with."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from support.engine import COUNT, SEND, serving
from support.waiting import until_async

from twilio_component.durable.clock import Clock
from twilio_component.durable.errors import RunParked
from twilio_component.durable.execution.continued_waits import ContinuedWaits
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.journal import FIRST_WAIT, JournalEntry
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import waits
from twilio_component.emulator import Emulator
from twilio_component.host import Action, Component, Context, Display, PollAgain, hookimpl

if TYPE_CHECKING:
    from support.engine import Served

    from twilio_component.durable.store.database import Database

QUICK = Settings(timeout=0.5, lag_bound=0.2)
WAIT = (
    SEND
    + """\
      - name: Wait
        action: twilio.waitForDelivery
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          sid: {type: reference, value: send.results.sid}
          timeoutSeconds: {type: value, value: "2"}
"""
)
ROUNDS = """\
  - name: Main
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Each
        action: loop.loopOverItems
        concurrency: 2
        inputs: {items: {type: value, value: [1, 2, 3]}}
        steps:
          - {name: Boil, action: kettle.boil, inputs: {minutes: {type: reference, value: each.currentItem}}}
"""


class Kettle:
    """Answers when it has been asked for a third of a second."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    @hookimpl
    def register_component(self) -> Component:
        shown = Display(label="Kettle")
        inputs = {"type": "object", "properties": {"minutes": {"type": "integer"}}}
        boil = Action(key="boil", display=shown, perform=self.boil, idempotent=True, waits=True, inputs=inputs)
        return Component(key="kettle", display=shown, actions={"boil": boil})

    async def boil(self, context: Context, _inputs: dict[str, Any]) -> Any:
        self.waited.append(context.waited)
        return "hot" if context.waited > 0.3 else PollAgain(0.2)


async def steps_as(served: Served, run: str, wanted: str) -> None:
    """Return as soon as an operator sees the steps so."""
    views, said = RunViews(served.engine.database), ""
    for _ in range(200):
        said = ", ".join(f"{step['step']} {step['state']}" for step in (await views.show(run))["steps"])
        if said == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(said)


def asked(emulator: Emulator) -> int:
    return len([one for one in emulator.request_log.requests if one.operation == "messages.fetch"])


def test_a_wait_continues_after_a_restart_and_ends_at_the_deadline_that_it_began_with(tmp_path: Path) -> None:
    emulator = Emulator()

    async def until_it_waits() -> None:
        async with serving(tmp_path, WAIT, emulator=emulator, settings=QUICK) as served:
            await served.begin("run")
            await steps_as(served, "run", "trigger succeeded, send succeeded, wait waiting")

    async def to_the_deadline() -> None:
        async with serving(tmp_path, WAIT, emulator=emulator, settings=QUICK) as served:
            ended = await served.engine.wait_for_outcome("run", 20)
            assert (ended["state"], ended["error"]["code"]) == ("failed", "twilio-delivery-pending")
            assert "after 2 s the message is still" in ended["error"]["message"]

    async def again_and_delivered() -> None:
        async with serving(tmp_path, WAIT, emulator=emulator, settings=QUICK) as served:
            operations, before = Operations(served.engine.database), asked(emulator)
            again = await operations.retry("run")
            await until_async(lambda: asked(emulator) > before, "it waits again, from the beginning")
            await emulator.clock.advance(60)
            assert (await served.engine.wait_for_outcome(again, 20))["state"] == "succeeded"
            await steps_as(served, again, "trigger succeeded, send succeeded, wait succeeded")

    begun = time.monotonic()
    asyncio.run(until_it_waits())
    asyncio.run(to_the_deadline())
    # At 0, 1 and 2 seconds, of which a slow restart leaves one out: a wait that began anew would have asked once more.
    assert asked(emulator) in (2, 3)
    assert time.monotonic() - begun >= 2

    asyncio.run(again_and_delivered())
    assert len(emulator.messages) == 1


async def test_a_run_that_is_resumed_continues_with_a_wait_that_began_in_another_workflow(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, COUNT.replace("value: 1}", "value: 600000}", 1), settings=QUICK) as served:
        # In another workflow of the run the wait had begun, and it is over by now.
        begun = JournalEntry(step_id="sleep", value={"until": time.time()})
        await served.engine.runs.record("one", FIRST_WAIT - 1, begun)
        assert (await served.run("one"))["state"] == "succeeded"


class LateClock(Clock):
    """The clock of a process whose machine has slept for hours."""

    def now(self) -> float:
        return super().now() - 9 * 3600


async def test_a_wait_as_a_row_ends_in_time_although_the_machine_has_slept(database: Database) -> None:
    database.clock = LateClock()
    store = RunStore(database)
    digest = await store.define("file", "text")
    await store.accept(NewRun(id="run", definition=digest, integration="I", flow="F", payload={}))
    begun = database.clock.now()
    with pytest.raises(RunParked):
        await ContinuedWaits(store, "run", None).park("wait", 30.0, 1, "SM1")
    until = await database.run(lambda connection: connection.execute(select(waits.c.until)).scalar_one())
    assert until == pytest.approx(begun + 30, abs=20)


async def test_rounds_side_by_side_wait_as_well(tmp_path: Path) -> None:
    kettle = Kettle()
    async with serving(tmp_path, ROUNDS, settings=QUICK, plugins=[kettle]) as served:
        ended = await served.run("run")
        assert ended["state"] == "succeeded"
    assert kettle.waited.count(0) == 3
    assert len([waited for waited in kettle.waited if waited > 0.3]) == 3
