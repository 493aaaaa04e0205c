"""Runs with long loops that are run again: nobody who is known to have got a message gets it once more."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from engines import serving
from long_lists import QUICK, flow, people, sent, stored

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operations import Operations
from twilio_component.durable.run_views import RunViews
from twilio_component.durable.schema import values
from twilio_component.emulator import Emulator
from twilio_component.flows.effects import Failure, ItemSource
from twilio_component.flows.sources import Page, Sources

AGAIN = """\
      - name: Later
        action: loop.loopOverItems
        concurrency: 2
        itemsFrom: {file: people.csv}
        steps:
          - name: Send later
            action: twilio.sendSMS
            inputs:
              twilioConnection: {type: configVar, value: Twilio}
              to: "{{$later.currentItem.phone}}"
              from: "+15017122661"
              message: later
"""
INVOKE = """\
      - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: Other, data: 1}}
  - name: Other
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Send from there
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: "+15558675310"
          from: "+15017122661"
          message: from there
"""
SECOND = """\
          - name: Send a second one
            action: twilio.sendSMS
            inputs:
              twilioConnection: {type: configVar, value: Twilio}
              to: "{{$everyone.currentItem.phone}}"
              from: "+15017122661"
              message: "And {{$everyone.currentItem.name}}"
"""
LISTING = """\
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Everyone
        action: loop.loopOverItems
        concurrency: 3
        itemsFrom:
          action: twilio.listMessages
          inputs: {twilioConnection: {type: configVar, value: Twilio}, to: "+15558675310", pageSize: 5}
        steps:
          - name: Answer
            action: twilio.sendSMS
            inputs:
              twilioConnection: {type: configVar, value: Twilio}
              to: "+15557654321"
              from: "+15017122661"
              message: "{{$everyone.currentItem.sid}}"
"""
IGNORE = "            errorConfig: {errorHandlerType: ignore}\n"


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("after", [AGAIN, INVOKE], ids=["another loop", "another flow"])
def test_a_run_that_sent_something_after_the_loop_in_whatever_way_is_not_run_again(
    tmp_path: Path, url: str, after: str
) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 3)

    async def scenario() -> None:
        async with serving(tmp_path, flow(2, after=after), emulator=emulator, settings=QUICK, database=url) as served:
            operations = Operations(served.engine.database)
            emulator.faults.server_error(operation="messages.create", to=numbers[1])
            assert (await served.run("one"))["state"] == "unknown"
            with pytest.raises(RunStateError, match="went on after a loop"):
                await operations.retry("one", resend=True)
            operations.close()

    asyncio.run(scenario())


def test_a_round_goes_on_from_the_call_whose_outcome_was_unknown(tmp_path: Path, url: str) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 4)

    async def scenario() -> None:
        async with serving(tmp_path, flow(1, more=SECOND), emulator=emulator, settings=QUICK, database=url) as served:
            operations = Operations(served.engine.database)
            emulator.faults.server_error(operation="messages.create", to=numbers[2], nth=2)
            assert (await served.run("one"))["state"] == "unknown"
            again = await operations.retry("one", resend=True)
            ended = await served.engine.ended(again, 20)
            assert ended["state"] == "succeeded", ended
            operations.close()

    asyncio.run(scenario())
    assert sent(emulator) == Counter(dict.fromkeys(numbers, 2))
    assert len({message.body for message in emulator.messages}) == 8


def test_a_round_that_went_on_after_its_unknown_outcome_stays_unknown(tmp_path: Path, url: str) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 4)

    async def scenario() -> None:
        more = IGNORE + SECOND
        async with serving(tmp_path, flow(1, more=more), emulator=emulator, settings=QUICK, database=url) as served:
            operations = Operations(served.engine.database)
            emulator.faults.server_error(operation="messages.create", to=numbers[2])
            assert (await served.run("one"))["state"] == "unknown"
            again = await operations.retry("one", resend=True)
            ended = await served.engine.ended(again, 20)
            assert ended["state"] == "unknown"
            operations.close()

    asyncio.run(scenario())
    assert sent(emulator) == Counter({number: 1 if number == numbers[2] else 2 for number in numbers})


def test_an_unknown_round_is_not_done_again_without_being_asked_for_though_the_run_only_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, page = Emulator(), Sources.page

    async def breaking(sources: Sources, source: ItemSource, after: Any) -> Page | Failure:
        return await page(sources, source, after) if after is None else Failure(code="c", message="m", permanent=True)

    monkeypatch.setattr(Sources, "page", breaking)

    async def scenario() -> None:
        async with serving(tmp_path, LISTING, emulator=emulator, settings=QUICK) as served:
            operations = Operations(served.engine.database)
            account = served.loaded.values.by_name["Twilio"]
            inputs = {"twilioConnection": account, "to": "+15558675310", "from": "+15017122661", "message": "m"}
            for _ in range(12):
                await served.deployment.host.invoke_action("twilio", "sendSMS", inputs)
            emulator.faults.server_error(operation="messages.create", nth=2)
            ended = await served.run("one")
            assert ended["state"] == "failed", ended
            monkeypatch.undo()
            ended = await served.engine.ended(await operations.retry("one"), 20)
            assert ended["state"] == "unknown"
            operations.close()

    asyncio.run(scenario())
    first = {message.sid for message in emulator.messages if message.to == "+15558675310"}
    answered = {message.body for message in emulator.messages if message.to == "+15557654321"}
    assert len(first - answered) == 1


def test_what_rounds_did_is_no_step_of_the_run(tmp_path: Path) -> None:
    people(tmp_path, 3)

    async def scenario() -> None:
        async with serving(tmp_path, flow(2), emulator=Emulator(), settings=QUICK) as served:
            await served.run("one")
            shown = await RunViews(served.engine.database).shown("one")
            assert [step["step"] for step in shown["steps"]] == ["trigger", "everyone"]
            assert {row["run"] for row in await stored(served, values)} == {"one"}
            assert json.loads((await served.engine.ended("one", 1))["response"]["body"])["succeeded"] == 3

    asyncio.run(scenario())
