"""Runs that failed in a flow that they had started: what that flow has sent is not sent again."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dbos import DBOS
from sqlalchemy import update
from support.engine import TO, serving
from support.long_lists import QUICK, flow, people, sent
from support.waiting import PATIENCE, until_async

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.retry_plan import Retry
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.store.schema import runs
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from support.engine import Served

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

LATER = f"""\
  - name: Other
    isSynchronous: true
    steps:
      - {{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}}
      - {{name: Sleep, action: sleep.sleep, inputs: {{ms: 60000}}}}
{OTHER[OTHER.index("      - name: Send") : OTHER.index("      - name: Wrong")]}"""


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


RETRIED = PLAIN.replace(
    "action: cross-flow.invokeFlow,",
    "action: cross-flow.invokeFlow, errorConfig: {errorHandlerType: retry, maxAttempts: 1, delaySeconds: 0},",
)


async def test_a_step_that_is_retried_starts_no_flow_anew_that_sent_something(tmp_path: Path, url: str) -> None:
    emulator = Emulator()
    async with serving(tmp_path, RETRIED, emulator=emulator, settings=QUICK, database=url) as served:
        emulator.faults.api_error(21408, times=2, operation="messages.create")
        assert (await served.run("refused"))["state"] == "failed"
        assert sent(emulator) == {}
        assert (await served.run("sent"))["state"] == "failed"
        found = {run["id"] for run in await RunViews(served.engine.database).find(RunFilter())}
    assert found == {"refused", "refused.1", "refused.2", "sent", "sent.1"}
    assert sent(emulator) == {TO: 1}


async def test_a_flow_that_failed_is_run_again_by_an_operator_or_replaced_by_its_step_not_both(
    tmp_path: Path, url: str
) -> None:
    emulator = Emulator()
    flows = RETRIED.replace("delaySeconds: 0", "delaySeconds: 1")
    async with serving(tmp_path, flows, emulator=emulator, settings=QUICK, database=url) as served:
        operations = Operations(served.engine.database)
        emulator.faults.api_error(21408, times=1, operation="messages.create")
        await served.begin("one")

        async def has_failed() -> bool:
            return await served.engine.runs.entry_at("one", 1) is not None

        await until_async(has_failed, "the flow has failed, and its step waits before it starts another one")
        with suppress(RunStateError):  # on a busy machine another one may have been started meanwhile
            await served.engine.wait_for_outcome(await operations.retry("one.1"), PATIENCE)
        ended = await served.engine.wait_for_outcome("one", PATIENCE)
        assert ended is not None
        assert ended["state"] == "failed"
        assert sent(emulator) == {TO: 1}

        emulator.faults.api_error(21408, times=1, operation="messages.create")
        assert (await served.run("two"))["state"] == "failed"
        with pytest.raises(RunStateError, match="retried"):
            await operations.retry("two.1")
        assert sent(emulator) == {TO: 2}


async def test_a_step_that_is_retried_starts_no_flow_anew_that_an_operator_cancelled(tmp_path: Path) -> None:
    emulator = Emulator()
    flows = RETRIED.replace(OTHER, LATER.replace("60000", "500"))
    async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        await served.begin("one")
        await _until_asleep("one.1")
        await operations.cancel("one.1")
        ended = await served.engine.wait_for_outcome("one", PATIENCE)
        assert ended is not None
        assert (ended["state"], ended["error"]["message"]) == ("failed", "the started run 'one.1' is cancelled")
        await operations.resume("one.1")
        await served.engine.wait_for_outcome("one.1", PATIENCE)
    assert sent(emulator) == {TO: 1}


async def test_what_an_earlier_attempt_has_sent_is_known_until_its_retry_is_purged(tmp_path: Path) -> None:
    check = """\
      - name: Check
        action: twilio.listMessages
        inputs: {twilioConnection: {type: configVar, value: Twilio}, to: "{{$trigger.results.body.data}}"}
      - name: Send
"""
    emulator, numbers = Emulator(), people(tmp_path, 3)
    async with serving(tmp_path, LIST.replace("      - name: Send\n", check, 1), emulator=emulator) as served:
        database = served.engine.database
        operations = Operations(database)
        # The flows of the others send and fail then.
        emulator.faults.api_error(20404, times=2, operation="messages.list", to=numbers[1])
        await served.run("one")
        again = await operations.retry("one")
        await served.engine.wait_for_outcome(again, 20)
        earlier = update(runs).where(~runs.c.id.startswith(again)).values(finished_at=100.0)
        await database.run(lambda connection: connection.execute(earlier))
        assert await operations.purge(1) == 0
        last = await operations.retry(again)
        await served.engine.wait_for_outcome(last, 20)
        assert sent(emulator) == dict.fromkeys(numbers, 1)
        await database.run(lambda connection: connection.execute(update(runs).values(finished_at=100.0)))
        assert await operations.purge(1) == 8
        assert await RunViews(database).find(RunFilter()) == []


async def test_a_step_is_not_repeated_while_the_flow_that_it_started_can_continue(tmp_path: Path, url: str) -> None:
    flows = PLAIN.replace(OTHER, LATER)
    async with serving(tmp_path, flows, settings=QUICK, database=url) as served:
        operations = Operations(served.engine.database)
        await served.begin("one")
        await _until_asleep("one.1")
        await operations.pause("one.1")
        assert (await served.engine.wait_for_outcome("one", 20))["state"] == "unknown"
        shown = await RunViews(served.engine.database).show("one")
        assert shown["error"]["message"] == "the started run 'one.1' is paused"
        with pytest.raises(RunStateError, match=r"'one\.1', which is paused and may still act: resume it, or cancel"):
            await operations.retry("one", resend=True)
        await operations.cancel("one.1")
        again = await operations.retry("one", resend=True)
        # Of the two that could act, one can.
        assert (await RunViews(served.engine.database).show("one.1"))["state"] == "retried"
        with pytest.raises(RunStateError, match="is retried"):
            await operations.resume("one.1")
        await _until_stored(served, f"{again}.1")


async def test_a_list_is_tried_again_alone_while_a_flow_that_was_started_after_it_can_continue(tmp_path: Path) -> None:
    people(tmp_path, 3, {1: "+15005550001"})
    start = '      - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: Other, data: "1"}}\n'
    flows = flow(1, after=start + LATER.replace("isSynchronous: true", "isSynchronous: false"))
    async with serving(tmp_path, flows, settings=QUICK) as served:
        assert (await served.run("one"))["state"] == "partly-failed"
        again = await Operations(served.engine.database).retry_as("one", Retry())
        assert (again.items, again.repeats_later_steps) == (1, False)
        await served.engine.wait_for_outcome(again.id, 20)
        assert not await _stored(served, f"{again.id}.2")


async def test_an_item_that_waits_for_its_first_flow_when_the_list_stops_does_not_start_another(tmp_path: Path) -> None:
    people(tmp_path, 2)
    body = LIST[: LIST.index("          - {name: Ask")] + LIST[LIST.index("  - name: Other") :].replace(OTHER, LATER)
    async with serving(tmp_path, body, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        await served.begin("one")
        await _until_stored(served, "one.1-0.0")
        await _until_stored(served, "one.1-1.0")
        await served.engine.database.run(
            lambda connection: connection.execute(update(runs).where(runs.c.id == "one").values(state="stopped"))
        )
        again = await operations.retry("one")
        ended = await served.engine.wait_for_outcome(again, 20)
        assert ended is not None
        (loop,) = await LoopViews(served.engine.database).loops(again)
        assert (loop["unknown"], loop["left"]) == (2, 0)
        assert not await _stored(served, f"{again}.1-0.0")


async def test_a_flow_that_failed_without_doing_anything_is_not_run_again_beside_the_one_that_replaces_it(
    tmp_path: Path,
) -> None:
    first, last = OTHER.index("      - name: Send"), OTHER.index("      - name: Wrong")
    flows = PLAIN.replace(OTHER, OTHER[:first] + OTHER[last:] + OTHER[first:last])
    async with serving(tmp_path, flows, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        assert (await served.run("one"))["state"] == "failed"
        assert sorted(await operations.find_retryable(RunFilter())) == ["one", "one.1"]
        again = await operations.retry("one")
        with pytest.raises(RunStateError, match=r"'one\.1' is retried"):
            await operations.retry("one.1")
        await served.engine.wait_for_outcome(again, 20)


async def _stored(served: Served, run: str) -> bool:
    return await served.engine.runs.load(run) is not None


async def _until_asleep(run: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while "DBOS.sleep" not in [step["function_name"] for step in await DBOS.list_workflow_steps_async(run)]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _until_stored(served: Served, run: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if await _stored(served, run):
                return
            await asyncio.sleep(0.02)


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
