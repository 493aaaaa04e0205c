"""Loops whose rounds run side by side in durable runs: each item once, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.engine import serving
from support.long_lists import QUICK, flow, people, sent, stored
from support.waiting import until_async

from twilio_component.cli.main import main
from twilio_component.durable import ids
from twilio_component.durable.errors import RunStateError
from twilio_component.durable.fanout.ends import EndedIteration
from twilio_component.durable.fanout.store import LoopKey, LoopStore, ParallelLoop
from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.schema import intents, items, journal, loops
from twilio_component.emulator import Emulator

OPTED_OUT, INVALID = "+15005550004", "+15005550001"
SLOW = Settings(timeout=0.5, lag_bound=0.2, rates={"+15017122661": 20})


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_each_item_is_sent_once_and_the_loop_says_how_its_rounds_ended(tmp_path: Path) -> None:
    emulator = Emulator()
    numbers = people(tmp_path, 40, {3: OPTED_OUT, 7: INVALID, 8: OPTED_OUT})
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        ended = await served.run("one")
        result = json.loads(ended["response"]["body"])
        assert ended["state"] == "partly-failed"
        assert {key: result[key] for key in ("count", "succeeded", "failed", "unknown", "byCode")} == {
            "count": 40,
            "succeeded": 37,
            "failed": 3,
            "unknown": 0,
            "byCode": {"21211": 1, "21610": 2},
        }
        assert [failure["index"] for failure in result["failures"]] == [3, 7, 8]
        # What people wrote, and their numbers, are gone; of those that failed they stay, to be seen.
        rows = {row["number"]: row for row in await stored(served, items)}
        assert rows[0]["item"] is None
        assert json.loads(rows[3]["item"]) == {"name": "P3", "phone": numbers[3]}
        assert {row["run"] for row in await stored(served, journal)} == {"one", "one.1-3", "one.1-7", "one.1-8"}
    assert sent(emulator) == Counter(set(numbers) - {OPTED_OUT, INVALID})


async def test_the_end_of_a_chunk_has_the_next_one_enqueued_without_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_SHORTEST_PAUSE", "_LONGEST_PAUSE"):  # nobody looks before the test gives up
        monkeypatch.setattr(f"twilio_component.durable.fanout.coordinator.{name}", 60.0)
    monkeypatch.setattr("twilio_component.durable.fanout.coordinator.CHUNK_SIZE", 5)
    emulator, numbers = Emulator(), people(tmp_path, 40)
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        await served.begin("one")
        ended = await served.engine.wait_for_outcome("one", 30)
        assert ended is not None
        (loop,) = await stored(served, loops)
        assert loop["size"] == 5
    assert sent(emulator) == Counter(numbers)


async def test_recipients_are_recorded_one_by_one_with_the_code_and_the_sid(tmp_path: Path) -> None:
    emulator = Emulator()
    numbers = people(tmp_path, 12, {5: OPTED_OUT})
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        await served.run("one")
        views = LoopViews(served.engine.database)
        async with aclosing(views.iterations("one", code="21610", with_items=True)) as rounds:
            (opted_out,) = [one async for one in rounds]
        assert (opted_out["index"], opted_out["state"], opted_out["effects"]) == (5, "failed", [])
        assert opted_out["item"] == {"name": "P5", "phone": numbers[5]}
        everyone = [one async for one in views.iterations("one")]
        assert [one["index"] for one in everyone] == list(range(12))
        assert "item" not in everyone[0]
        (sid,) = everyone[0]["effects"]
        assert sid in {message.sid for message in emulator.messages}
        found = await RunViews(served.engine.database).find(RunFilter(resource_id=sid))
        assert [run["id"] for run in found] == ["one"]


def test_a_list_continues_after_its_process_dies_and_nobody_gets_two(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 60)

    async def begin() -> None:
        async with serving(tmp_path, flow(4), emulator=emulator, settings=SLOW) as served:
            await served.begin("one")
            await until_async(lambda: len(emulator.messages) > 10, "it is in the middle")

    async def go_on() -> None:
        async with serving(tmp_path, flow(4), emulator=emulator, settings=QUICK) as served:
            ended = await served.engine.wait_for_outcome("one", 30)
            assert ended["state"] == "succeeded"

    asyncio.run(begin())
    assert len(emulator.messages) < 60
    asyncio.run(go_on())
    assert sent(emulator) == Counter(numbers)


@pytest.mark.parametrize("stop", ["pause", "cancel"])
async def test_a_loop_stops_between_two_requests_and_continues_where_it_was(tmp_path: Path, stop: str) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 40)
    async with serving(tmp_path, flow(8), emulator=emulator, settings=SLOW) as served:
        operations, views = Operations(served.engine.database), LoopViews(served.engine.database)
        await served.begin("one")
        await until_async(lambda: len(emulator.messages) > 5, "it has begun")
        await getattr(operations, stop)("one")
        # Rounds that wait for their sender's rate are not let through any more; one request may be under way.
        before = len(emulator.messages)
        await asyncio.sleep(1.2)
        assert len(emulator.messages) <= before + 1
        (loop,) = await views.loops("one")
        assert (loop["taken"], loop["isWhole"], loop["expectedEnd"]) == (40, True, None)
        assert loop["succeeded"] + loop["left"] == 40
        await operations.resume("one")
        ended = await served.engine.wait_for_outcome("one", 30)
        assert ended["state"] == "succeeded"
    assert sent(emulator) == Counter(numbers)


async def test_progress_tells_what_is_left_and_when_the_end_is_to_be_expected(tmp_path: Path) -> None:
    emulator = Emulator()
    people(tmp_path, 60)
    async with serving(tmp_path, flow(8), emulator=emulator, settings=SLOW) as served:
        await served.begin("one")
        await until_async(lambda: len(emulator.messages) > 15, "it is in the middle")
        views = LoopViews(served.engine.database)
        (loop,) = await views.loops("one")
        while loop["left"] == 60:  # ends are stored together, some time after their messages
            (loop,) = await views.loops("one")
        assert loop["loop"] == "everyone"
        assert 0 < loop["left"] < 60
        assert loop["succeeded"] + loop["left"] == 60
        assert loop["perSecond"] > 0
        assert loop["expectedEnd"] > "2026"


async def test_unknown_outcomes_are_reported_and_only_they_are_done_when_somebody_says_so(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 10)
    async with serving(tmp_path, flow(2), emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        emulator.faults.server_error(operation="messages.create", to=numbers[4])
        assert (await served.run("one"))["state"] == "unknown"
        with pytest.raises(RunStateError, match="unknown"):
            await operations.retry("one")
        again = await operations.retry("one", resend=True)
        ended = await served.engine.wait_for_outcome(again, 20)
        assert ended["state"] == "succeeded"
        assert json.loads(ended["response"]["body"])["succeeded"] == 10
    assert sent(emulator) == Counter(numbers)


async def test_a_run_that_sent_something_after_the_loop_is_not_run_again_for_an_unknown_round(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 3)
    after = """\
      - name: Report
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: "+15558675310"
          from: "+15017122661"
          message: done
"""
    async with serving(tmp_path, flow(2, after=after), emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        emulator.faults.server_error(operation="messages.create", to=numbers[1])
        assert (await served.run("one"))["state"] == "unknown"
        with pytest.raises(RunStateError, match="continued after a loop"):
            await operations.retry("one", resend=True)


async def test_a_broken_file_fails_the_loop_before_anything_is_sent(tmp_path: Path) -> None:
    emulator = Emulator()
    people(tmp_path, 5)
    with (tmp_path / "people.csv").open("a", encoding="utf-8") as file:
        file.write("only one field\n")
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        ended = await served.run("one")
        assert (ended["state"], ended["error"]["code"]) == ("failed", "items-unreadable")
        assert "people.csv:7" in ended["error"]["message"]
        # Mended, it is run again from there.
        people(tmp_path, 5)
        operations = Operations(served.engine.database)
        again = await operations.retry("one")
        assert (await served.engine.wait_for_outcome(again, 20))["state"] == "succeeded"
    assert len(emulator.messages) == 5


async def test_a_list_that_breaks_off_is_gone_on_with_where_it_broke_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twilio_component.durable.fanout.coordinator._PAGE_PAUSES", ())
    emulator = Emulator()
    flows = """\
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Everyone
        action: loop.loopOverItems
        concurrency: 3
        itemsFrom:
          action: twilio.listMessages
          inputs: {twilioConnection: {type: configVar, value: Twilio}, to: "+15558675310", pageSize: 5}
        errorConfig: {errorHandlerType: retry, maxAttempts: 3, delaySeconds: 0}
        steps:
          - name: Response
            action: twilio.sendSMS
            inputs:
              twilioConnection: {type: configVar, value: Twilio}
              to: "+15557654321"
              from: "+15017122661"
              message: "{{$everyone.currentItem.sid}}"
"""
    async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
        account = served.definition.values.by_name["Twilio"]
        inputs = {"twilioConnection": account, "to": "+15558675310", "from": "+15017122661", "message": "m"}
        for _ in range(20):
            await served.deployment.host.invoke_action("twilio", "sendSMS", inputs)
        emulator.faults.server_error(operation="messages.list", nth=3)
        ended = await served.run("one")
        assert ended["state"] == "succeeded", ended
    first = {message.sid for message in emulator.messages if message.to == "+15558675310"}
    assert Counter(m.body for m in emulator.messages if m.to == "+15557654321") == Counter(first)


async def test_a_message_that_would_be_late_is_dropped(tmp_path: Path) -> None:
    emulator = Emulator()
    people(tmp_path, 40)
    more = "            validFor: 3\n"
    slower = replace(SLOW, rates={"+15017122661": 5})
    async with serving(tmp_path, flow(8, more=more), emulator=emulator, settings=slower) as served:
        result = json.loads((await served.run("one"))["response"]["body"])
        assert result["byCode"] == {"deadline-exceeded": 40 - len(emulator.messages)}
        assert 1 <= len(emulator.messages) <= 20


def test_rounds_wait_and_start_flows_and_keep_things_as_runs_do(tmp_path: Path) -> None:
    emulator = Emulator()
    people(tmp_path, 6)
    flows = """\
  - name: Main
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Everyone
        action: loop.loopOverItems
        concurrency: 6
        itemsFrom: {file: people.csv}
        steps:
          - {name: Nap, action: sleep.sleep, inputs: {ms: 300}}
          - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: Other, data: "{{$everyone.index}}"}}
          - name: Keep
            action: persist-data.saveInstanceValue
            inputs: {keyInput: "{{$everyone.currentItem.name}}", valueInput: "{{$start.results.result}}"}
  - name: Other
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Sum, action: math.add, inputs: {numbers: ["{{$trigger.results.body.data}}", 10]}}
"""

    async def begin() -> None:
        async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
            await served.begin("one")
            await asyncio.sleep(0.2)

    async def go_on() -> None:
        async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
            ended = await served.engine.wait_for_outcome("one", 20)
            assert (ended["state"], json.loads(ended["response"]["body"])["succeeded"]) == ("succeeded", 6)
            kept = (await served.engine.runs.stored_state({"instanceState": "Test/Main"}))["instanceState"]
            assert kept == {f"P{number}": number + 10 for number in range(6)}

    asyncio.run(begin())
    asyncio.run(go_on())


async def test_a_purged_run_leaves_nothing_of_its_loops(tmp_path: Path) -> None:
    emulator = Emulator()
    people(tmp_path, 5, {2: OPTED_OUT})
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        await served.run("one")
        operations = Operations(served.engine.database)
        await asyncio.sleep(0.05)
        assert await operations.purge(0) == 1
        for table in (items, loops, journal, intents):
            assert await stored(served, table) == []


async def test_a_callback_about_a_round_finds_its_run(tmp_path: Path) -> None:
    people(tmp_path, 2)
    async with serving(tmp_path, flow(), emulator=Emulator(), settings=QUICK) as served:
        await served.run("one")
        found = await served.engine.runs.load("one.1-1")
        assert found is not None
        assert found.id == "one"


@pytest.mark.parametrize("concurrency", [1, 3, 4, 7, 50, 1000])
def test_the_lanes_together_run_as_many_rounds_as_there_may_be(concurrency: int) -> None:
    partitions = min(4, concurrency)
    loop = ParallelLoop(
        key=LoopKey("r", 1),
        step_id="l",
        loop_step="l",
        concurrency=concurrency,
        captured={},
        partitions=partitions,
        size=1000,
    )
    assert sum(loop.concurrency_of(chunk) for chunk in range(partitions, 2 * partitions)) == concurrency


async def test_items_that_two_processes_take_are_taken_once(tmp_path: Path) -> None:
    async with serving(tmp_path, flow(), emulator=Emulator(), settings=QUICK) as served:
        store = LoopStore(served.engine.database)
        loop = await store.begin(
            ParallelLoop(key=LoopKey("r", 1), step_id="l", loop_step="l", concurrency=2, captured={})
        )
        page = {"items": [1, 2], "next": {"offset": 9}}
        first, second = await asyncio.gather(store.take(loop, page), store.take(loop, page))
        assert first == second
        assert (first.taken, first.after) == (2, {"offset": 9})
        assert [row["number"] for row in await stored(served, items)] == [0, 1]


async def test_how_a_round_ended_first_stays_when_another_process_has_run_it_too(tmp_path: Path) -> None:
    async with serving(tmp_path, flow(), emulator=Emulator(), settings=QUICK) as served:
        store = LoopStore(served.engine.database)
        loop = await store.begin(
            ParallelLoop(key=LoopKey("r", 1), step_id="l", loop_step="l", concurrency=2, captured={})
        )
        await store.take(loop, {"items": ["a"], "next": None})
        changed, changed_late = ({"counts": {"sent": number}} for number in (1, 2))
        await store.end_iterations(loop.key, [EndedIteration("r.1-0", None, changed)], keep_payloads=False)
        # The late one finds nothing any more of what the round's calls were answered with, and does some again.
        await served.engine.runs.record("r.1-0", 0, JournalEntry(step_id="p", value={}))
        error = {"step": "", "id": "", "code": "run-nondeterministic", "message": "m", "outcomeUnknown": False}
        await store.end_iterations(loop.key, [EndedIteration("r.1-0", error, changed_late)], keep_payloads=False)
        assert (await served.engine.runs.stored_state({"flow": "counts"}))["flow"] == {"sent": 1}
        (item,) = await stored(served, items)
        assert (item["state"], item["error"], item["item"]) == ("succeeded", None, None)
        assert await stored(served, journal) == []


def test_a_piece_has_an_id_of_its_own_after_each_pause() -> None:
    assert ids.chunk_id("r", 3, 2, 0) != ids.chunk_id("r", 3, 2, 1)


def test_the_command_line_shows_a_loop_and_its_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people(tmp_path, 5, {2: OPTED_OUT})
    database = ["--database", f"sqlite:///{tmp_path / 'runs.sqlite'}"]

    async def scenario() -> None:
        async with serving(tmp_path, flow(), emulator=Emulator(), settings=QUICK) as served:
            await served.run("one")

    def said(*arguments: str, code: int = 0) -> list[Any]:
        assert main(["runs", *arguments, *database]) == code
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    asyncio.run(scenario())
    assert main(["runs", "show", "one", *database]) == 0
    (loop,) = json.loads(capsys.readouterr().out)["loops"]
    assert (loop["succeeded"], loop["failed"], loop["left"]) == (4, {"21610": 1}, 0)
    (opted_out,) = said("items", "one", "--state", "failed", "--code", "21610", "--with-items")
    assert (opted_out["index"], opted_out["item"]["phone"]) == (2, OPTED_OUT)
    assert [one["index"] for one in said("items", "one")] == [0, 1, 2, 3, 4]
    assert main(["runs", "items", "one", "--state", "failed", "--code", "9999", *database]) == 0
    assert capsys.readouterr() == ("", "one has no items in the state 'failed' with the code '9999'\n")
    followed = said("follow", "one", code=5)
    assert [one.get("step", one.get("loop", one.get("state"))) for one in followed] == [
        "trigger",
        "everyone",
        "everyone",
        "partly-failed",
    ]
    assert main(["runs", "items", "nothing", *database]) != 0
    assert main(["runs", "pause", "one", *database]) != 0
    assert "must be queued or running" in capsys.readouterr().err
