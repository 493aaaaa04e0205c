"""Runs that failed in a flow that they had started: what that flow has sent is not sent again."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from dbos import DBOS
from support.engine import TO, serving
from support.long_lists import QUICK, people, sent
from support.waiting import until_async

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.operator.operations import Operations
from twilio_component.emulator import Emulator

OTHER = """\
  - name: Other
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Send
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: "{{$trigger.results.body.data}}"
          from: "+15017122661"
          message: once
      - name: Wrong
        action: twilio.getSMS
        inputs: {twilioConnection: {type: configVar, value: Twilio}, sid: SM00000000000000000000000000000000}
"""
PLAIN = f"""\
  - name: Main
    steps:
      - {{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}}
      - {{name: Start, action: cross-flow.invokeFlow, inputs: {{flowName: Other, data: "{TO}"}}}}
{OTHER}"""
LIST = f"""\
  - name: Main
    steps:
      - {{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}}
      - name: Everyone
        action: loop.loopOverItems
        concurrency: 2
        itemsFrom: {{file: people.csv}}
        steps:
          - name: Start
            action: cross-flow.invokeFlow
            inputs: {{flowName: Other, data: "{{{{$everyone.currentItem.phone}}}}"}}
          - {{name: Ask, action: twilio.getSMS, inputs: {{twilioConnection: Twilio, sid: "{{{{$start.results.x}}}}"}}}}
{OTHER}"""

FORGOTTEN = f"""\
  - name: Main
    steps:
      - {{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}}
      - {{name: Start, action: cross-flow.invokeFlow, inputs: {{flowName: Other, data: "{TO}"}}}}
      - {{name: Sleep, action: sleep.sleep, inputs: {{ms: 2500}}}}
{OTHER[: OTHER.index("      - name: Wrong")].replace("isSynchronous: true", "isSynchronous: SYNCHRONOUS")}"""


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_a_run_whose_started_flow_sent_something_is_not_run_again_but_that_flow_is(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, PLAIN, emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        assert (await served.run("one"))["state"] == "failed"
        for resend in (False, True):
            with pytest.raises(RunStateError, match=r"started the run 'one\.1'"):
                await operations.retry("one", resend=resend)
        again = await operations.retry("one.1")
        assert (await served.engine.wait_for_outcome(again, 20))["state"] == "failed"
    assert sent(emulator) == Counter([TO])


async def test_a_round_whose_started_flow_sent_something_is_not_done_again(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 3)
    async with serving(tmp_path, LIST, emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        emulator.faults.server_error(accepted=False, operation="messages.create", to=numbers[1])
        assert (await served.run("one"))["state"] == "unknown"
        again = await operations.retry("one", resend=True)
        assert (await served.engine.wait_for_outcome(again, 20))["state"] == "unknown"
        (loop,) = await LoopViews(served.engine.database).loops(again)
        assert (loop["unknown"], loop["left"]) == (1, 0)
    assert sent(emulator) == Counter([numbers[0], numbers[2]])


@pytest.mark.parametrize("synchronous", ["true", "false"])
def test_a_flow_that_was_started_is_kept_as_long_as_the_run_that_started_it(tmp_path: Path, synchronous: str) -> None:
    emulator, flows = Emulator(), FORGOTTEN.replace("SYNCHRONOUS", synchronous)

    async def begin() -> None:
        async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
            await served.begin("one")
            await until_async(lambda: emulator.messages, "Twilio has the message")
            await served.engine.wait_for_outcome("one.1", 20)

    async def go_on() -> None:
        async with serving(tmp_path, flows, emulator=emulator, settings=replace(QUICK, keep_days=0)) as served:
            await served.engine.retention.purge()
            assert await served.engine.runs.load("one.1") is not None
            assert (await served.engine.wait_for_outcome("one", 20))["state"] == "succeeded"
            await served.engine.retention.purge()
            assert await served.engine.runs.load("one.1") is None

    asyncio.run(begin())
    asyncio.run(go_on())
    assert sent(emulator) == Counter([TO])


def test_a_flow_that_was_started_and_is_forgotten_is_not_started_again(tmp_path: Path) -> None:
    emulator, flows = Emulator(), FORGOTTEN.replace("SYNCHRONOUS", "false")

    async def begin() -> None:
        async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
            await served.begin("one")
            assert (await served.engine.wait_for_outcome("one.1", 20))["state"] == "succeeded"
            await DBOS.delete_workflows_async(["one.1"])
            await served.engine.runs.forget(["one.1"])

    async def go_on() -> None:
        async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
            assert (await served.engine.wait_for_outcome("one", 20))["state"] == "succeeded"
            assert await served.engine.runs.load("one.1") is None

    asyncio.run(begin())
    asyncio.run(go_on())
    assert sent(emulator) == Counter([TO])
