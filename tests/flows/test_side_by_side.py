"""Rounds of a loop side by side, and items from files and lists, in one process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.flow_runs import Recorder, Waits, integration, run
from support.waiting import until_async

from twilio_component.emulator import Emulator
from twilio_component.flows import Configuration, FlowRunner, Outcome, load_integration
from twilio_component.flows.parsing.item_files import ItemsError, check_whole, item_file, read_page
from twilio_component.host import Host
from twilio_component.host.errors import InputError, PerformError
from twilio_component.testing import emulator_connection

EACH = """
- name: Each
  action: loop.loopOverItems
  concurrency: 3
  inputs: {items: "{{$trigger.results.body.data}}"}
  steps:
    - {name: Act, action: other.act, inputs: {item: "{{$each.currentItem}}", index: "{{$each.index}}"}}
"""


class Busy:
    """A mock that takes a while, and knows how many of it were under way at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.items: list[Any] = []

    async def __call__(self, inputs: dict[str, Any]) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        self.items.append(inputs["item"])
        return inputs["index"]


class RefusalError(PerformError):
    reason = "21610"
    permanent = True


def refuse_odd(inputs: dict[str, Any]) -> Any:
    if inputs["item"] % 2:
        raise RefusalError("they have opted out")
    return inputs["item"]


def test_rounds_run_side_by_side_and_no_more_than_there_may_be() -> None:
    busy = Busy()
    outcome = run(EACH, data=list(range(10)), mocks={"other.act": busy})
    assert busy.most == 3
    assert sorted(busy.items) == list(range(10))
    assert outcome.result == {
        "count": 10,
        "succeeded": 10,
        "failed": 0,
        "unknown": 0,
        "byCode": {},
        "failures": [],
    }


def test_a_round_that_fails_is_counted_by_the_services_own_code_and_the_others_continue() -> None:
    outcome = run(EACH, data=list(range(5)), mocks={"other.act": refuse_odd})
    assert (outcome.state, outcome.succeeded) == ("partly-failed", False)
    assert (outcome.error or {})["byCode"] == {"21610": 2}
    assert (outcome.result["succeeded"], outcome.result["byCode"]) == (3, {"21610": 2})
    assert sorted(failure["index"] for failure in outcome.result["failures"]) == [1, 3]
    failure = min(outcome.result["failures"], key=lambda one: int(one["index"]))
    assert (failure["id"], failure["code"], failure["reason"]) == ("each[1].act", "perform-failed", "21610")


def test_what_a_recipient_has_decided_is_not_tried_again_whatever_error_config_says() -> None:
    waits = Waits()
    retry = "errorConfig: {errorHandlerType: retry, maxAttempts: 5, delaySeconds: 1}"
    outcome = run(
        EACH.replace("inputs: {item:", f"{retry}, inputs: {{item:"),
        data=[1],
        mocks={"other.act": refuse_odd},
        sleep=waits,
    )
    assert (outcome.result["failed"], waits.seconds) == (1, [])


class WrongTokenError(PerformError):
    reason = "20003"
    permanent = True
    concerns = "connection"


@pytest.mark.parametrize(
    ("first", "state", "tried"), [(4, "unknown", range(5, 8)), (39, "partly-failed", range(40, 41))]
)
def test_a_list_stops_by_itself_and_says_how_far_it_is(first: int, state: str, tried: range) -> None:
    asked: list[int] = []

    async def refuse(inputs: dict[str, Any]) -> Any:
        asked.append(inputs["item"])
        await asyncio.sleep(0)
        if inputs["item"] >= first:
            raise WrongTokenError("wrong credentials")

    outcome = run(EACH, data=[*range(40)], mocks={"other.act": refuse})
    assert outcome.state == state
    assert len(asked) in tried
    assert outcome.error is not None
    if first < 39:
        assert (outcome.error["code"], outcome.error["reason"]) == ("list-stopped", "20003")
        assert f"{len(asked)} items were tried, of which 4 succeeded" in outcome.error["message"]


@pytest.mark.parametrize("count", [0, True, "10", 1.5])
def test_a_list_stops_after_a_whole_number_of_refusals(count: object) -> None:
    with pytest.raises(InputError, match=r"lists\.stopAfter: must be a whole number of at least 1"):
        Configuration(durability={"lists": {"stopAfter": count}}).stop_after  # noqa: B018 - it raises


def test_failures_are_reported_one_by_one_up_to_a_hundred_and_counted_beyond() -> None:
    outcome = run(EACH, data=[1] * 150, mocks={"other.act": refuse_odd})
    assert (outcome.result["failed"], len(outcome.result["failures"])) == (150, 100)


def test_an_outcome_that_is_unknown_is_reported_though_the_flow_continues() -> None:
    def lost(_: dict[str, Any]) -> Any:
        raise LostError("no answer")

    class LostError(PerformError):
        may_have_happened = True

    outcome = run(EACH, data=[1, 2], mocks={"other.act": lost})
    assert (outcome.succeeded, outcome.outcome_unknown, outcome.result["unknown"]) == (True, True, 2)
    assert outcome.handled[0]["message"] == "the outcome of 2 of 2 iterations is unknown"


def test_a_loop_that_has_run_is_not_run_again_with_the_execution() -> None:
    use, fail = Recorder(), Recorder()

    def failing(inputs: dict[str, Any]) -> Any:
        fail(inputs)
        raise RefusalError("no")

    steps = EACH + "- {name: Fail, action: other.fail, inputs: {}}\n"
    flow = "retryConfig: {maxAttempts: 3, delayMinutes: 1}"
    outcome = run(steps, data=[1, 2], flow=flow, mocks={"other.act": use, "other.fail": failing})
    assert not outcome.succeeded
    assert (len(use.calls), len(fail.calls)) == (2, 4)


def test_a_round_sees_what_was_before_the_loop_and_the_loops_around_it() -> None:
    use = Recorder()
    run(
        """
        - {name: Before, action: other.before}
        - name: Outer
          action: loop.loopOverItems
          inputs: {items: [[1, 2], [3]]}
          steps:
            - name: Inner
              action: loop.loopOverItems
              concurrency: 1
              inputs: {items: "{{$outer.currentItem}}"}
              steps:
                - name: Use
                  action: other.use
                  inputs:
                    before: "{{$before.results}}"
                    outer: "{{$outer.index}}"
                    inner: "{{$inner.currentItem}}"
        """,
        mocks={"other.use": use, "other.before": "seen"},
    )
    assert use.calls == [
        {"before": "seen", "outer": 0, "inner": 1},
        {"before": "seen", "outer": 0, "inner": 2},
        {"before": "seen", "outer": 1, "inner": 3},
    ]


def test_stop_execution_ends_a_round_and_nothing_else() -> None:
    use = Recorder()
    outcome = run(
        """
        - name: Each
          action: loop.loopNTimes
          concurrency: 2
          inputs: {iterationCount: 3}
          steps:
            - name: Which
              action: branch.branchOnExpression
              inputs: {conditions: {First: [equal, "{{$each.index}}", 0]}}
              branches:
                - {name: First, steps: [{name: Stop, action: stop-execution.stopExecution}]}
                - {name: Else, steps: []}
            - {name: Use, action: other.use, inputs: {number: "{{$each.currentItem}}"}}
        - {name: After, action: other.after}
        """,
        mocks={"other.use": use, "other.after": "done"},
    )
    assert sorted(call["number"] for call in use.calls) == [1, 2]
    assert outcome.result == "done"


def test_what_rounds_keep_for_the_instance_is_kept() -> None:
    steps = EACH + "    - {name: Count, action: persist-data.incrementInstanceValue, inputs: {keyInput: n}}\n"
    steps += "- {name: Read, action: persist-data.getInstanceValue, inputs: {keyInput: n}}\n"
    assert run(steps, data=[1, 2, 3, 4], mocks={"other.act": None}).result == 4


def test_a_step_that_is_too_late_is_not_begun() -> None:
    use = Recorder()

    async def slow(_: dict[str, Any]) -> Any:
        await asyncio.sleep(0.05)

    outcome = run(
        """
        - {name: Wait, action: other.slow}
        - {name: Late, action: other.use, validFor: 0.01}
        """,
        mocks={"other.slow": slow, "other.use": use},
    )
    assert outcome.error is not None
    assert (outcome.error["code"], use.calls) == ("deadline-exceeded", [])


# Files


async def run_beside(folder: Path, file: str, **options: Any) -> Outcome:
    """A loop over a file in the folder."""
    text = integration(
        f"""
        - name: Each
          action: loop.loopOverItems
          concurrency: 4
          itemsFrom: {{file: "{file}"}}
          steps:
            - {{name: Use, action: other.use, inputs: {{item: "{{{{$each.currentItem}}}}"}}}}
        """
    )
    async with Host.discover() as host:
        loaded = load_integration(folder / "flow.yaml", text=text)
        runner = FlowRunner(integration=loaded, host=host, environment={}, sleep=Waits(), **options)
        return await runner.run()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_a_csv_file_brings_an_object_of_texts_a_row(tmp_path: Path, delimiter: str) -> None:
    rows = [["phone", "name"], ["+15558675310", '"Ada\nLovelace"'], [], ["0123", "Bob"]]
    text = "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows)
    (tmp_path / "people.csv").write_bytes(text.encode())
    use = Recorder()
    outcome = await run_beside(tmp_path, "people.csv", mocks={"other.use": use})
    assert outcome.result["count"] == 2
    assert [call["item"] for call in use.calls] == [
        {"phone": "+15558675310", "name": "Ada\nLovelace"},
        {"phone": "0123", "name": "Bob"},
    ]


async def test_json_lines_bring_a_value_a_line(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"a": 1}\n\n"text"\n[2]\n', encoding="utf-8")
    use = Recorder()
    await run_beside(tmp_path, "items.jsonl", mocks={"other.use": use})
    assert [call["item"] for call in use.calls] == [{"a": 1}, "text", [2]]


def test_a_file_is_read_page_by_page_and_continues_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("n\n" + "".join(f"{n}\n" for n in range(25)), encoding="utf-8")
    first = read_page(path, None, 10)
    second = read_page(path, json.loads(json.dumps(first["next"])), 10)
    third = read_page(path, second["next"], 10)
    assert [len(page["items"]) for page in (first, second, third)] == [10, 10, 5]
    assert [int(item["n"]) for page in (first, second, third) for item in page["items"]] == list(range(25))
    assert third["next"] is None


def test_a_file_that_has_changed_in_between_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("n\n1\n2\n", encoding="utf-8")
    first = read_page(path, None, 1)
    path.write_text("n\n0\n1\n2\n", encoding="utf-8")
    with pytest.raises(ItemsError, match="has changed"):
        read_page(path, first["next"], 1)


BROKEN = {
    "a,b\n1,2\n3\n": "items.csv:3: the row has 1 fields, but there are 2 columns",
    'a\n"x\n': "items.csv:2: the row is not CSV: unexpected end of data",
    'a\n\n"x\ny\n': "items.csv:4: the row is not CSV: unexpected end of data (it begins in line 3)",
    "\u00e9,e\u0301\n": "items.csv:1: the first line must be the names of the columns, each once and none empty",
    "a,a\n": "items.csv:1: the first line must be the names of the columns, each once and none empty",
    "": "items.csv is empty: the first line must be the names of the columns, each once and none empty",
    "a\n\udcff\n": "items.csv:2: the line is not UTF-8",
}


@pytest.mark.parametrize("text", BROKEN)
async def test_a_broken_file_says_in_which_line_and_nothing_is_begun(tmp_path: Path, text: str) -> None:
    (tmp_path / "items.csv").write_bytes(text.encode(errors="surrogateescape"))
    use = Recorder()
    outcome = await run_beside(tmp_path, "items.csv", mocks={"other.use": use})
    assert outcome.error is not None
    assert outcome.error["code"] == "items-unreadable"
    assert outcome.error["message"] == str(tmp_path / BROKEN[text])
    assert use.calls == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "the line is not JSON"),
        ("null", "null is not an item"),
        (r'{"name": "\ud83d"}', "a text contains an unpaired surrogate"),
    ],
)
def test_a_line_that_is_not_an_item_is_reported(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(f"1\n{line}\n", encoding="utf-8")
    with pytest.raises(ItemsError, match=f"items.jsonl:2: {message}"):
        check_whole(path)


def test_a_character_that_json_writes_in_two_halves_is_one(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(r'"\ud83d\ude00"', encoding="utf-8")
    assert read_page(path, None)["items"] == ["\U0001f600"]


def test_a_line_without_an_end_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text("1" * (1 << 21), encoding="utf-8")
    with pytest.raises(ItemsError, match="longer than 1,048,576 bytes"):
        check_whole(path)


@pytest.mark.parametrize(
    "name", ["/etc/passwd.csv", "../people.csv", "link/people.csv", "", "people.txt", "absent.csv"]
)
def test_only_files_of_items_in_the_folder_can_be_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (tmp_path / "people.csv").write_text("a\n1\n", encoding="utf-8")
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(ItemsError):
        check_whole(item_file(name, folder))


async def test_the_configuration_may_name_another_folder(tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "people.csv").write_text("a\n1\n", encoding="utf-8")
    outcome = await run_beside(
        tmp_path / "flows",
        "people.csv",
        mocks={"other.use": None},
        configuration=Configuration(items_folder=lists),
    )
    assert outcome.result["succeeded"] == 1


# Lists


@pytest.mark.parametrize("concurrency", ["", "concurrency: 5"])
async def test_a_loop_takes_what_an_action_lists_page_by_page(concurrency: str) -> None:
    emulator = Emulator()
    text = integration(
        f"""
        - name: Each
          action: loop.loopOverItems
          {concurrency}
          itemsFrom: {{action: twilio.listMessages, inputs: {{twilioConnection: "{{{{#Twilio}}}}", pageSize: 10}}}}
          steps:
            - {{name: Use, action: other.use, inputs: {{sid: "{{{{$each.currentItem.sid}}}}"}}}}
        """,
        variables=["Twilio"],
    )
    use = Recorder()
    async with Host.discover(transport=emulator.transport) as host:
        connection = emulator_connection()
        inputs = {"twilioConnection": connection, "to": "+15558675310", "from": "+15017122661", "message": "m"}
        for _ in range(35):
            await host.invoke_action("twilio", "sendSMS", inputs)
        runner = FlowRunner(
            integration=load_integration("test.yaml", text=text),
            host=host,
            configuration=Configuration(config_vars={"Twilio": connection}),
            environment={},
            mocks={"other.use": use},
        )
        outcome = await runner.run()
    assert outcome.error is None
    assert outcome.result["count"] == 35
    assert {call["sid"] for call in use.calls} == {message.sid for message in emulator.messages}
    assert len(use.calls) == 35


async def test_a_page_that_fails_is_tried_again_where_it_was() -> None:
    text = integration(
        """
        - name: Each
          action: loop.loopOverItems
          itemsFrom: {action: other.list, inputs: {}}
          errorConfig: {errorHandlerType: retry, maxAttempts: 3, delaySeconds: 1}
          steps: [{name: Use, action: other.use, inputs: {item: "{{$each.currentItem}}"}}]
        """
    )
    attempts = []

    def listing(_: dict[str, Any]) -> Any:
        attempts.append(1)
        if len(attempts) < 3:
            raise PerformError("not now")
        return [1, 2]

    use = Recorder()
    async with Host.discover() as host:
        mocks = {"other.list": listing, "other.use": use}
        loaded = load_integration("t.yaml", text=text)
        outcome = await FlowRunner(integration=loaded, host=host, environment={}, mocks=mocks, sleep=Waits()).run()
    assert (outcome.result, [call["item"] for call in use.calls]) == ({"count": 2}, [1, 2])


@pytest.mark.parametrize("handler", ["ignore", "fail"])
def test_a_list_that_cannot_be_had_is_an_error_of_the_loop(handler: str) -> None:
    def listing(_: dict[str, Any]) -> Any:
        raise PerformError("not now")

    outcome = run(
        f"""
        - name: Each
          action: loop.loopOverItems
          itemsFrom: {{action: other.list, inputs: {{}}}}
          errorConfig: {{errorHandlerType: {handler}}}
          steps: []
        - {{name: After, action: other.after, inputs: {{count: "{{{{$each.results.count}}}}"}}}}
        """,
        mocks={"other.list": listing, "other.after": lambda inputs: inputs["count"]},
    )
    if handler == "ignore":
        assert outcome.result == 0
    else:
        assert outcome.error is not None
        assert outcome.error["id"] == "each"


class Hanging(httpx.AsyncBaseTransport):
    """Carries requests to an emulator; after the first ``quick`` ones no response comes before ``go_on`` is set."""

    def __init__(self, emulator: Emulator, quick: int) -> None:
        self._emulator = emulator
        self._quick = quick
        self.go_on = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._emulator.transport.handle_async_request(request)
        if len(self._emulator.messages) > self._quick:
            await self.go_on.wait()
        return response


SENDING = """
- name: Each
  action: loop.loopOverItems
  concurrency: CONCURRENCY
  inputs: {items: {type: value, value: ITEMS}}
  steps:
    - name: Send
      action: twilio.sendSMS
      errorConfig: ERRORS
      inputs:
        twilioConnection: {type: configVar, value: Twilio}
        to: {type: reference, value: each.currentItem}
        from: {type: value, value: "+15017122661"}
        message: {type: value, value: Hi}
"""


@pytest.mark.parametrize("errors", ["{errorHandlerType: fail}", "{errorHandlerType: ignore}"])
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_loop_that_is_cancelled_sends_nothing_more(tmp_path: Path, concurrency: int, errors: str) -> None:
    emulator, quick = Emulator(), 6
    numbers = json.dumps([f"+1555867{number:04}" for number in range(5310, 5350)])
    steps = SENDING.replace("CONCURRENCY", str(concurrency)).replace("ITEMS", numbers).replace("ERRORS", errors)
    if concurrency == 1:
        steps = steps.replace("  concurrency: 1\n", "")
    variable = (
        "requiredConfigVars:\n  - {key: Twilio, dataType: connection, connection: {component: twilio, key: basic}}\n"
    )
    text = integration(steps).replace("requiredConfigVars:\n  []\n", variable)
    transport = Hanging(emulator, quick)
    async with Host.discover(transport=transport) as host:
        loaded = load_integration(tmp_path / "flow.yaml", text=text)
        configuration = Configuration(config_vars={"Twilio": emulator_connection()})
        runner = FlowRunner(integration=loaded, host=host, configuration=configuration, environment={}, sleep=Waits())
        running = asyncio.create_task(runner.run())
        await until_async(lambda: len(emulator.messages) == quick + concurrency, "the last ones hang")
        running.cancel()
        await asyncio.wait({running}, timeout=1)  # one that goes on takes the next items
        transport.go_on.set()
        (ended,) = await asyncio.gather(running, return_exceptions=True)
        assert len(emulator.messages) == quick + concurrency
    if isinstance(ended, asyncio.CancelledError):
        assert "ignore" in errors
        return
    assert isinstance(ended, Outcome)
    assert ended.state == "unknown"
    assert ended.error is not None
    if concurrency > 1:
        succeeded = quick if "fail" in errors else quick + concurrency  # an ignored failure is none of the iteration's
        assert ended.error["code"] == "loop-cancelled"
        assert f"{quick + concurrency} items were tried, of which {succeeded} succeeded" in ended.error["message"]
