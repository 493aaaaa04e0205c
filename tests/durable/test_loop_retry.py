"""Runs with long loops that are run again: nobody who is known to have got a message gets it once more."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, update
from support.engine import SEND, serving
from support.long_lists import QUICK, flow, people, sent, stored

from twilio_component.durable.errors import RunStateError, RunStopped
from twilio_component.durable.operator.item_selection import ItemSelection
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.retry_plan import Retry
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.sending.intents import CallIdentity
from twilio_component.durable.store.schema import intents, items, journal, loops, runs
from twilio_component.emulator import Emulator
from twilio_component.flows.interpreter.effects import Failure, ItemSource
from twilio_component.flows.runner.item_sources import Page, Sources

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
          - name: Response
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
async def test_a_run_that_sent_something_after_the_loop_in_whatever_way_is_not_run_again(
    tmp_path: Path, url: str, after: str
) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 3)
    async with serving(tmp_path, flow(2, after=after), emulator=emulator, settings=QUICK, database=url) as served:
        operations = Operations(served.engine.database)
        emulator.faults.server_error(operation="messages.create", to=numbers[1])
        assert (await served.run("one"))["state"] == "unknown"
        with pytest.raises(RunStateError, match="continued after a loop"):
            await operations.retry("one", resend=True)


async def test_a_round_continues_from_the_call_whose_outcome_was_unknown(tmp_path: Path, url: str) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 4)
    async with serving(tmp_path, flow(1, more=SECOND), emulator=emulator, settings=QUICK, database=url) as served:
        operations = Operations(served.engine.database)
        emulator.faults.server_error(operation="messages.create", to=numbers[2], nth=2)
        assert (await served.run("one"))["state"] == "unknown"
        again = await operations.retry("one", resend=True)
        ended = await served.engine.wait_for_outcome(again, 20)
        assert ended["state"] == "succeeded", ended
    assert sent(emulator) == Counter(dict.fromkeys(numbers, 2))
    assert len({message.body for message in emulator.messages}) == 8


async def test_a_round_that_went_on_after_its_unknown_outcome_stays_unknown(tmp_path: Path, url: str) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 4)
    more = IGNORE + SECOND
    async with serving(tmp_path, flow(1, more=more), emulator=emulator, settings=QUICK, database=url) as served:
        operations = Operations(served.engine.database)
        emulator.faults.server_error(operation="messages.create", to=numbers[2])
        assert (await served.run("one"))["state"] == "unknown"
        again = await operations.retry("one", resend=True)
        ended = await served.engine.wait_for_outcome(again, 20)
        assert ended["state"] == "unknown"
    assert sent(emulator) == Counter({number: 1 if number == numbers[2] else 2 for number in numbers})


async def test_an_unknown_round_is_not_done_again_without_being_asked_for_though_the_run_only_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, page = Emulator(), Sources.page

    async def breaking(sources: Sources, source: ItemSource, after: Any) -> Page | Failure:
        return await page(sources, source, after) if after is None else Failure(code="c", message="m", permanent=True)

    monkeypatch.setattr(Sources, "page", breaking)
    async with serving(tmp_path, LISTING, emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        account = served.definition.values.by_name["Twilio"]
        inputs = {"twilioConnection": account, "to": "+15558675310", "from": "+15017122661", "message": "m"}
        for _ in range(12):
            await served.deployment.host.invoke_action("twilio", "sendSMS", inputs)
        emulator.faults.server_error(operation="messages.create", nth=2)
        ended = await served.run("one")
        assert ended["state"] == "failed", ended
        monkeypatch.undo()
        ended = await served.engine.wait_for_outcome(await operations.retry("one"), 20)
        assert ended["state"] == "unknown"
    first = {message.sid for message in emulator.messages if message.to == "+15558675310"}
    answered = {message.body for message in emulator.messages if message.to == "+15557654321"}
    assert len(first - answered) == 1


async def test_what_rounds_did_is_not_a_step_of_the_run(tmp_path: Path) -> None:
    people(tmp_path, 3)
    async with serving(tmp_path, flow(2), emulator=Emulator(), settings=QUICK) as served:
        await served.run("one")
        shown = await RunViews(served.engine.database).show("one")
        assert [step["step"] for step in shown["steps"]] == ["trigger", "everyone"]
        assert {row["run"] for row in await stored(served, journal)} == {"one"}
        assert json.loads((await served.engine.wait_for_outcome("one", 1))["response"]["body"])["succeeded"] == 3


async def test_what_was_under_way_when_a_run_failed_is_not_done_again_without_being_asked_for(
    tmp_path: Path, url: str
) -> None:
    """As after a process that died in the middle, and one whose configuration lacked something."""
    emulator, numbers = Emulator(), people(tmp_path, 4)

    def break_off(connection: Connection) -> None:
        done = {"run": "one.1-2", "ordinal": 0, "step_id": "everyone[2].send", "finished_at": 1.0}
        connection.execute(insert(journal).values(**done, is_failure=False, value='{"envelope":{"data":{}}}'))
        connection.execute(delete(journal).where(journal.c.run == "one.1-1"))
        connection.execute(delete(journal).where(journal.c.run == "one", journal.c.ordinal == 1))
        connection.execute(update(intents).where(intents.c.item == "one.1-1").values(state="claimed"))
        for number in (1, 2):
            item = json.dumps({"name": f"P{number}", "phone": numbers[number]})
            pending = update(items).where(items.c.number == number)
            connection.execute(pending.values(state="pending", item=item, code=None, error=None))
        connection.execute(update(loops).values(finished_at=None))
        connection.execute(update(runs).values(state="failed"))

    async with serving(tmp_path, flow(2), emulator=emulator, settings=QUICK, database=url) as served:
        operations = Operations(served.engine.database)
        emulator.faults.server_error(operation="messages.create", to=numbers[1])
        assert (await served.run("one"))["state"] == "unknown"
        await served.engine.database.run(break_off)
        again = await operations.retry("one")
        assert (await served.engine.wait_for_outcome(again, 20))["state"] == "unknown"
        assert sent(emulator) == Counter(set(numbers) - {numbers[1]})
        last = await operations.retry(again, resend=True)
        assert (await served.engine.wait_for_outcome(last, 20))["state"] == "succeeded"
    assert sent(emulator) == Counter(numbers)


@pytest.mark.parametrize(
    ("state", "how"),
    [("planned", Retry()), ("in-doubt", Retry(items=ItemSelection(state="unknown"), resend=True))],
    ids=["to be sent again", "in doubt"],
)
async def test_a_round_that_had_not_ended_is_not_done_again_once_its_message_is_proven(
    tmp_path: Path, url: str, state: str, how: Retry
) -> None:
    """As after a process that died before it could send the message again, or look for it."""
    emulator, numbers = Emulator(), people(tmp_path, 3)

    def break_off(connection: Connection) -> None:
        connection.execute(delete(journal).where(journal.c.run == "one", journal.c.ordinal == 1))
        connection.execute(update(intents).where(intents.c.item == "one.1-0").values(state=state))
        item = json.dumps({"name": "P0", "phone": numbers[0]})
        pending = update(items).where(items.c.number == 0)
        connection.execute(pending.values(state="pending", item=item, finished_at=None))
        connection.execute(update(loops).values(finished_at=None, succeeded=1))
        connection.execute(update(runs).values(state="stopped"))

    async with serving(tmp_path, flow(2), emulator=emulator, settings=QUICK, database=url) as served:
        operations = Operations(served.engine.database)
        emulator.faults.server_error(operation="messages.create", to=numbers[1])
        assert (await served.run("one"))["state"] == "unknown"
        await served.engine.database.run(break_off)
        again = await operations.retry_as("one", how)
        assert again.proven == 1
        assert (await served.engine.wait_for_outcome(again.id, 20))["state"] in ("unknown", "succeeded")
    assert sent(emulator) == Counter(numbers if how.resend else [numbers[0], numbers[2]])


async def test_a_round_whose_unknown_outcome_was_not_its_stored_end_is_not_done_again_without_being_asked_for(
    tmp_path: Path,
) -> None:
    """As after a process that died between the result of a call and the end of its iteration."""
    emulator, numbers = Emulator(), people(tmp_path, 3)

    def break_off(connection: Connection) -> None:
        connection.execute(delete(journal).where(journal.c.run == "one", journal.c.ordinal == 1))
        item = json.dumps({"name": "P1", "phone": numbers[1]})
        pending = {"state": "pending", "item": item, "code": None, "error": None, "finished_at": None}
        connection.execute(update(items).where(items.c.number == 1).values(**pending))
        connection.execute(update(loops).values(finished_at=None))
        connection.execute(update(runs).values(state="stopped"))

    async with serving(tmp_path, flow(2), emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        emulator.faults.server_error(operation="messages.create", to=numbers[1])
        assert (await served.run("one"))["state"] == "unknown"
        emulator.faults.clear()
        await served.engine.database.run(break_off)
        again = await operations.retry("one")
        assert (await served.engine.wait_for_outcome(again, 20))["state"] == "unknown"
        assert sent(emulator) == Counter([numbers[0], numbers[2]])
        last = await operations.retry(again, resend=True)
        assert (await served.engine.wait_for_outcome(last, 20))["state"] == "succeeded"
    assert sent(emulator) == Counter(numbers)


async def test_a_call_that_was_under_way_when_its_run_failed_is_not_done_again_without_being_asked_for(
    tmp_path: Path,
) -> None:
    emulator = Emulator()

    def break_off(connection: Connection) -> None:
        connection.execute(delete(journal).where(journal.c.ordinal == 1))
        connection.execute(update(intents).values(state="claimed", resource_id=None))
        connection.execute(update(runs).values(state="failed"))

    async with serving(tmp_path, SEND, emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        await served.run("one")
        await served.engine.database.run(break_off)
        with pytest.raises(RunStateError, match="is unknown: find out"):
            await operations.retry("one")
    assert len(emulator.messages) == 1


@pytest.mark.parametrize("state", ["failed", "retried", "paused"])
async def test_a_call_that_waited_for_its_turn_is_not_made_when_its_run_does_not_continue(
    tmp_path: Path, state: str
) -> None:
    async with serving(tmp_path, SEND, settings=QUICK) as served:
        await served.begin("one")
        call = CallIdentity(run="one", item="one.1-7", ordinal=0, step_id="p", fingerprint="f")
        await served.engine.intents.plan(call)
        await served.engine.wait_for_outcome("one", 20)
        await served.engine.database.run(lambda connection: connection.execute(update(runs).values(state=state)))
        claim = await served.engine.intents.claim(call, 0, "worker")
        assert (claim.attempt, claim.is_stopped) == (None, True)
        with pytest.raises(RunStopped):
            await served.engine.intents.plan(call)
