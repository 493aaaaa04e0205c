"""Items of lists that failed are tried again, and nobody who has a message gets it once more."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.engine import HEAD, SEND, serving
from support.long_lists import QUICK, flow, people, sent, stored

from twilio_component.cli.main import main
from twilio_component.durable import ids
from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.item_inputs import check_item_inputs
from twilio_component.durable.operator.item_selection import ItemSelection
from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.retry_plan import Retry
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.store.schema import items, journal
from twilio_component.emulator import Emulator
from twilio_component.host import Host

if TYPE_CHECKING:
    from support.engine import Served

OPTED_OUT, INVALID = "+15005550004", "+15005550001"
TWICE = """\
          - name: Second
            action: twilio.sendSMS
            inputs:
              twilioConnection: {type: configVar, value: Twilio}
              to: "{{$everyone.currentItem.phone}}"
              from: "+15017122661"
              message: "And {{$everyone.currentItem.name}}"
"""
REPORT = """\
      - name: Report
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: "+15558675399"
          from: "+15017122661"
          message: "done"
"""
PLAIN = """\
      - {name: Note, action: persist-data.incrementInstanceValue, inputs: {keyInput: {type: value, value: n}}}
"""
LOOK = """\
      - name: Look
        action: twilio.listMessages
        inputs: {twilioConnection: {type: configVar, value: Twilio}, to: "+15558675310", pageSize: 5}
"""
FAILING_CHILD = """\
      - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: Other, data: 1}}
      - name: Fail
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: "+15558675399"
          from: "+15017122661"
          message: "after the child"
  - name: Other
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Send
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: "+15558675398"
          from: "+15017122661"
          message: "from the child"
"""
START = """\
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
"""


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refuse(emulator: Emulator, number: str, code: int = 21408, **conditions: Any) -> None:
    emulator.faults.api_error(code, times=None, operation="messages.create", to=number, **conditions)


async def again(served: Served, run: str, how: Retry | None = None) -> Mapping[str, Any]:
    retried = await Operations(served.engine.database).retry_as(run, how or Retry())
    ended = await served.engine.wait_for_outcome(retried.id, 30)
    assert ended is not None
    return {**ended, **retried.as_json()}


async def test_the_failed_items_are_tried_again_and_the_others_left_alone(tmp_path: Path, url: str) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 20)
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK, database=url) as served:
        for number in (numbers[3], numbers[11]):
            refuse(emulator, number)
        assert (await served.run("one"))["state"] == "partly-failed"
        ended = await again(served, "one")
        assert (ended["state"], ended["items"]) == ("partly-failed", 2)
        emulator.faults.clear()
        ended = await again(served, ended["id"])
        assert (ended["state"], ended["id"], ended["items"]) == ("succeeded", "one~2~2", 2)
        states = {run["id"]: run["state"] for run in await RunViews(served.engine.database).find(RunFilter())}
        assert states == {"one": "retried", "one~2": "retried", "one~2~2": "succeeded"}
        assert all(row["item"] is None for row in await stored(served, items) if row["run"] == "one~2~2")
    assert sent(emulator) == Counter(numbers)


async def test_only_the_items_of_a_code_a_time_or_a_number_are_tried_again(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 8)
    async with serving(tmp_path, flow(1), emulator=emulator, settings=QUICK) as served:
        for place, code in ((1, 21408), (2, 21610), (5, 21408)):
            refuse(emulator, numbers[place], code)
        await served.run("one")
        emulator.faults.clear()
        operations = Operations(served.engine.database)
        for none, words in (
            (ItemSelection(code="30007"), "no item of the run 'one' is failed with the code 30007 (failed are items"),
            (ItemSelection(since=time.time() + 60), "no item of the run 'one' is failed"),
            (ItemSelection(number=7), "item 7 of the run 'one' has succeeded, not failed"),
            (
                ItemSelection(number=2, code="21408"),
                "item 2 of the run 'one' has failed with the code 21610, not failed with",
            ),
            (ItemSelection(number=8), "the run 'one' has no item 8: its items are 0 to 7"),
        ):
            with pytest.raises(RunStateError, match=re.escape(words)):
                await operations.retry_as("one", Retry(items=none))
        ended = await again(served, "one", Retry(items=ItemSelection(code="21408", since=time.time() - 60, number=5)))
        assert (ended["state"], ended["items"], ended["error"]["byCode"]) == (
            "partly-failed",
            1,
            {"21408": 1, "21610": 1},
        )
        ended = await again(served, ended["id"], Retry(items=ItemSelection(code="21408")))
        assert ended["error"]["byCode"] == {"21610": 1}
    assert sent(emulator) == Counter(number for number in numbers if number != numbers[2])


async def test_an_item_continues_at_the_call_that_failed(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 4)
    async with serving(tmp_path, flow(2, more=TWICE), emulator=emulator, settings=QUICK) as served:
        emulator.faults.api_error(21408, times=1, operation="messages.create", to=numbers[2], nth=2)
        await served.run("one")
        assert (await again(served, "one"))["state"] == "succeeded"
    assert sent(emulator) == Counter(dict.fromkeys(numbers, 2))
    assert len({message.body for message in emulator.messages}) == 8


@pytest.mark.parametrize(("after", "repeats"), [(REPORT, False), (PLAIN, True)], ids=["a send", "nothing final"])
async def test_steps_after_the_list_are_repeated_only_if_that_does_nothing_twice(
    tmp_path: Path, after: str, *, repeats: bool
) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 5)
    async with serving(tmp_path, flow(2, after=after), emulator=emulator, settings=QUICK) as served:
        refuse(emulator, numbers[1])
        await served.run("one")
        emulator.faults.clear()
        ended = await again(served, "one")
        assert (ended["state"], ended["repeatsLaterSteps"]) == ("succeeded", repeats)
        steps = [
            row["step_id"] for row in await stored(served, journal) if row["run"] == "one~2" and row["ordinal"] > 1
        ]
        assert bool(steps) is repeats
    assert sent(emulator) == Counter([*numbers, *(["+15558675399"] if after == REPORT else [])])


async def test_what_an_earlier_attempt_sent_after_the_list_is_not_sent_by_the_second_retry(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 3, {1: INVALID})
    emulator.faults.api_error(20003, status=401, times=1, operation="messages.list")
    async with serving(tmp_path, flow(2, after=REPORT + LOOK), emulator=emulator, settings=QUICK) as served:
        assert (await served.run("one"))["state"] == "failed"
        first = await again(served, "one")
        assert (first["state"], first["items"]) == ("partly-failed", None)
        second = await again(served, first["id"])
        assert (second["items"], second["repeatsLaterSteps"]) == (1, False)
    assert sent(emulator) == Counter([numbers[0], numbers[2], "+15558675399"])


async def test_an_item_whose_outcome_is_unknown_is_sent_again_only_when_asked_for(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 5)
    async with serving(tmp_path, flow(2, after=REPORT), emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        refuse(emulator, numbers[1])
        emulator.faults.server_error(operation="messages.create", to=numbers[3])
        assert (await served.run("one"))["state"] == "unknown"
        emulator.faults.clear()
        with pytest.raises(RunStateError, match="find out whether it happened"):
            await operations.retry_as("one", Retry(items=ItemSelection(state="unknown")))
        slip = ItemSelection(number=3, inputs={"to": "+15558675310"})
        with pytest.raises(
            RunStateError,
            match=r"item 3 .* is unknown, not failed; .* choose it with --items unknown --item 3 --resend",
        ):
            await check_item_inputs(served.engine.database, Host.discover(), "one", slip)
        ended = await again(served, "one", Retry(items=ItemSelection()))
        assert (ended["state"], ended["items"]) == ("unknown", 1)
        assert numbers[3] not in sent(emulator)
        ended = await again(served, ended["id"], Retry(items=ItemSelection(state="unknown"), resend=True))
        assert ended["state"] == "succeeded"
    assert sent(emulator) == Counter([*numbers, "+15558675399"])


async def test_what_was_proven_after_the_run_ended_is_not_sent_again_although_an_operator_says_so(
    tmp_path: Path, url: str
) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 3)
    for number in numbers[:2]:
        emulator.faults.server_error(operation="messages.create", to=number)
    async with serving(tmp_path, flow(3), emulator=emulator, settings=QUICK, database=url) as served:
        assert (await served.run("one"))["state"] == "unknown"
        emulator.faults.clear()
        await served.engine.intents.confirm("one.1-0:0", "SM" + "0" * 32)
        ended = await again(served, "one", Retry(items=ItemSelection(state="unknown"), resend=True))
        assert (ended["state"], ended["items"], ended["proven"]) == ("succeeded", 2, 1)
    assert sent(emulator) == Counter(numbers[1:])


async def test_a_step_whose_message_is_proven_is_not_sent_again_although_an_operator_says_so(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.faults.server_error(operation="messages.create")
    async with serving(tmp_path, SEND + REPORT, emulator=emulator, settings=QUICK) as served:
        assert (await served.run("one"))["state"] == "unknown"
        emulator.faults.clear()
        await served.engine.intents.confirm("one:1", "SM" + "0" * 32)
        ended = await again(served, "one", Retry(resend=True))
        assert (ended["state"], ended["proven"]) == ("succeeded", 1)
    assert sent(emulator) == Counter(["+15558675399"])


async def test_a_stopped_list_is_tried_again_to_its_end_by_one_retry(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 40)
    async with serving(tmp_path, flow(4), emulator=emulator, settings=QUICK) as served:
        refuse(emulator, numbers[20], 20003, status=401)
        assert (await served.run("one"))["state"] == "stopped"
        emulator.faults.clear()
        await asyncio.sleep(1)  # what was under way is over
        tried = 40 - len(sent(emulator))
        ended = await again(served, "one")
        assert (ended["state"], ended["items"] + ended["pending"], ended["isWhole"]) == ("succeeded", tried, True)
        assert ended["pending"] > 0
    assert sent(emulator) == Counter(numbers)


async def test_a_run_whose_file_could_not_be_read_says_that_it_reads_it_again(tmp_path: Path) -> None:
    numbers, emulator = people(tmp_path, 3), Emulator()
    file = tmp_path / "people.csv"
    good = file.read_text(encoding="utf-8")
    file.write_text(good + "broken\n", encoding="utf-8")
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        assert (await served.run("one"))["state"] == "failed"
        file.write_text(good, encoding="utf-8")
        ended = await again(served, "one")
        assert (ended["state"], ended["items"], ended["isWhole"]) == ("succeeded", 0, False)
    assert sent(emulator) == Counter(numbers)


async def test_a_run_that_is_retried_does_not_do_again_what_a_flow_that_it_started_has_done(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, START + FAILING_CHILD, emulator=emulator, settings=QUICK) as served:
        refuse(emulator, "+15558675399")
        assert (await served.run("one"))["state"] == "failed"
        emulator.faults.clear()
        assert (await again(served, "one"))["state"] == "succeeded"
    assert sent(emulator) == Counter(["+15558675398", "+15558675399"])


async def test_an_item_that_started_a_flow_that_sent_is_left_in_every_later_retry(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 3)
    more = "          - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: Other, data: 1}}\n"
    other = FAILING_CHILD[FAILING_CHILD.index("  - name: Other") :].replace(
        "isSynchronous: true", "isSynchronous: true"
    ) + (REPORT.replace("Report", "Then fail"))
    async with serving(tmp_path, flow(1, more=more, after=other), emulator=emulator, settings=QUICK) as served:
        refuse(emulator, "+15558675399")
        assert (await served.run("one"))["state"] == "failed"
        emulator.faults.clear()
        with pytest.raises(RunStateError, match="no item of the run 'one' can be tried again"):
            await Operations(served.engine.database).retry("one")
    assert sent(emulator) == Counter([*numbers, *["+15558675398"] * 3])


async def test_another_input_reaches_the_failed_step_of_one_item_and_is_stored_until_it_has_succeeded(
    tmp_path: Path,
) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 4, {2: INVALID})
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        await served.run("one")
        other = "+15558675311"
        ended = await again(served, "one", Retry(items=ItemSelection(number=2, inputs={"to": other})))
        assert ended["state"] == "succeeded"
        assert all(row["inputs"] is None for row in await stored(served, items))
        shown = json.dumps(await RunViews(served.engine.database).show(ended["id"]))
        assert other not in shown
    assert sent(emulator) == Counter([numbers[0], numbers[1], numbers[3], other])


async def test_inputs_of_one_item_are_refused_where_two_lists_have_one_with_its_number(tmp_path: Path) -> None:
    emulator, other = Emulator(), "+15558675311"
    numbers = people(tmp_path, 3, {1: INVALID})
    second = (
        flow()
        .partition("      - name: Everyone\n")[2]
        .replace("everyone", "again")
        .replace("name: Send", "name: Second")
    )
    text = flow(after="      - name: Again\n" + second)
    async with serving(tmp_path, text, emulator=emulator, settings=QUICK) as served:
        assert (await served.run("one"))["state"] == "partly-failed"
        with pytest.raises(RunStateError, match="2 lists of the run 'one' have such an item"):
            await again(served, "one", Retry(items=ItemSelection(number=1, inputs={"to": other})))
    assert sent(emulator) == Counter([numbers[0], numbers[2]] * 2)


CHANGED = flow(2).replace('from: "+15017122661"', 'from: "+15017122699"')


async def test_the_definition_that_is_served_now_is_used_when_asked_for_and_nothing_before_has_changed(
    tmp_path: Path,
) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 4)
    async with serving(tmp_path, flow(2), emulator=emulator, settings=QUICK) as served:
        refuse(emulator, numbers[1])
        await served.run("one")
        emulator.faults.clear()
        digest = await served.engine.runs.define("test.yaml", HEAD + CHANGED)
        await served.engine.runs.note_served("Test", digest, "http://flows.test")
        ended = await again(served, "one", Retry(definition="current"))
        assert (ended["state"], ended["definition"], ended["isCurrent"]) == ("succeeded", "current", True)
        assert {message.sender for message in emulator.messages if message.to == numbers[1]} == {"+15017122699"}
    assert sent(emulator) == Counter(numbers)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("file: people.csv", "file: others.csv"), "source of the step 'everyone'"),
        (("name: Everyone", "name: Everybody"), "where the step 'everyone' was, there is 'everybody'"),
        (("Hi {{", "Hello {{"), "inputs.message of the step 'send'"),
        (("name: Main", "name: Other"), "has no flow 'Main'"),
    ],
    ids=["the items", "the loop", "a step before", "the flow"],
)
async def test_a_definition_whose_earlier_steps_have_changed_is_refused_with_the_difference(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 3)
    flows = flow(2, more=TWICE)
    async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
        emulator.faults.api_error(21408, times=1, operation="messages.create", to=numbers[1], nth=2)
        await served.run("one")
        digest = await served.engine.runs.define(
            "test.yaml", (HEAD + flows).replace(*change).replace("$everyone", "$everyone")
        )
        await served.engine.runs.note_served("Test", digest, "http://flows.test")
        operations = Operations(served.engine.database)
        with pytest.raises(RunStateError, match=said.replace(".", r"\.")):
            await operations.retry_as("one", Retry(definition="current"))
        ended = await again(served, "one")
        assert (ended["state"], ended["definition"], ended["isCurrent"]) == ("succeeded", "began", False)
    assert sent(emulator) == Counter(dict.fromkeys(numbers, 2))


async def test_inputs_for_a_step_that_has_another_name_now_are_not_lost(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 3, {2: INVALID})
    other, stranger = "+15558675311", "12"
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        await served.run("one")
        digest = await served.engine.runs.define("test.yaml", HEAD + flow().replace("name: Send", "name: Tell"))
        await served.engine.runs.note_served("Test", digest, "http://flows.test")

        operations = Operations(served.engine.database)
        for to, run in ((stranger, "one"), (other, "one~2")):
            given = Retry(items=ItemSelection(number=2, inputs={"to": to}), definition="current")
            with pytest.raises(RunStateError, match="given inputs for the step 'send', which"):
                await operations.retry_as(run, given)
            await again(served, run, replace(given, definition="began"))
    assert sent(emulator) == Counter([numbers[0], numbers[1], other])


async def test_two_operators_cannot_retry_one_run_twice(tmp_path: Path, url: str) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 6)
    async with serving(tmp_path, flow(2), emulator=emulator, settings=QUICK, database=url) as served:
        refuse(emulator, numbers[1])
        await served.run("one")
        emulator.faults.clear()
        operations = [Operations(served.engine.database) for _ in range(3)]
        tried = await asyncio.gather(*(one.retry("one") for one in operations), return_exceptions=True)
        assert sorted(isinstance(one, str) for one in tried) == [False, False, True]
        await served.engine.wait_for_outcome("one~2", 30)
    assert sent(emulator) == Counter(numbers)


def test_the_command_line_retries_items_and_many_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = ["--database", f"sqlite:///{tmp_path / 'runs.sqlite'}"]
    emulator, numbers = Emulator(), people(tmp_path, 4, {2: INVALID})

    async def begin() -> None:
        async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
            for run in ("one", "two", "three"):
                await served.run(run)
            digest = await served.engine.runs.define("test.yaml", HEAD + CHANGED)
            await served.engine.runs.note_served("Test", digest, "http://flows.test")

    async def go_on() -> None:
        async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
            for run in ("one~2", "two~2", "three~2"):
                await served.engine.wait_for_outcome(run, 30)
            views = LoopViews(served.engine.database)
            assert [(await views.loops(run))[0]["failed"] for run in ("one~2", "two~2")] == [{}, {"21211": 1}]

    asyncio.run(begin())
    assert main(["runs", "retry", "one", "--item", "2", "--set", "too=+15558675311", *database]) == 2
    assert "--set too: is not an input of send; did you mean 'to'?" in capsys.readouterr().err
    assert main(["runs", "retry", "one", "--item", "2", "--set", "to=+15558675311", *database]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["id"] == "one~2"
    assert "one~2 uses the text of test.yaml that its run began with" in said.err
    assert "5558675311" not in said.out + said.err
    assert main(["runs", "retry", "--state", "partly-failed", "--flow", "Main", "--since", "1h", *database]) == 2
    assert "This runs 2 runs of Main again; add --yes to do it." in capsys.readouterr().err
    assert (
        main(["runs", "retry", "--state", "partly-failed", "--flow", "Main", "--since", "1h", "--yes", *database]) == 0
    )
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(one["of"] for one in told) == ["three", "two"]
    asyncio.run(go_on())
    assert sent(emulator) == Counter({**dict.fromkeys([numbers[0], numbers[1], numbers[3]], 3), "+15558675311": 1})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "RUN: is missing"),
        (["--items", "failed"], "--items: needs a RUN"),
        (["one", "--state", "failed"], "--state: selects many runs"),
        (["one", "--set", "to=1"], "--set: needs --item"),
        (["one", "--item", "1", "--set", "to"], "must be of the form input=value"),
        (["one", "--since", "soon"], "how long ago"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str], said: str
) -> None:
    Path(tmp_path / "runs.sqlite").touch()
    assert main(["runs", "retry", *wrong, "--database", f"sqlite:///{tmp_path / 'runs.sqlite'}"]) == 2
    assert said in capsys.readouterr().err


def test_a_run_knows_those_whose_place_it_takes() -> None:
    assert ids.lineage("a~2~13") == ["a~2~13", "a~2", "a"]
    assert ids.lineage("a~2.3") == ["a~2.3"]
    assert ids.started_by("a.1-", "a.1-17.0.4-3") == "17.0"
