"""What steps, loops and branches do, seen from a flow that runs."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from support.flow_runs import PEOPLE, Recorder, Waits, run, run_text

from twilio_component.flows.interpreter import execution
from twilio_component.host.results import Result


def test_each_of_the_five_input_types_brings_its_value_however_deep_it_is_nested() -> None:
    use = Recorder()
    run(
        """
        - name: Use
          action: {key: act, component: {key: other}}
          inputs:
            a: {type: value, value: "false"}
            b: {type: reference, value: trigger.results.body.data.list.1}
            c: {type: configVar, value: Sender}
            d: {type: template, value: "{{$trigger.results.body.data.n}} of {{#Sender}}"}
            e:
              type: complex
              value:
                - {name: x, type: value, value: "1"}
                - {name: {type: reference, value: trigger.results.body.data.key}, type: template, value: "{{#Sender}}!"}
                - name: {type: value, value: z}
                  type: complex
                  value:
                    - {type: reference, value: trigger.results.body.data.n}
                    - {name: "", type: configVar, value: Sender}
            f: {type: complex, value: []}
            g: {type: configVar, value: ""}
            h: {type: reference, value: ""}
            i: {type: template, value: ""}
        """,
        data={"list": ["a", {"b": 1}], "n": 7, "key": "y"},
        config={"Sender": "+1"},
        mocks={"other.act": use},
    )
    assert use.calls == [
        {
            "a": "false",
            "b": {"b": 1},
            "c": "+1",
            "d": "7 of +1",
            "e": [{"key": "x", "value": "1"}, {"key": "y", "value": "+1!"}, {"key": "z", "value": [7, "+1"]}],
            "f": [],
            "g": "",
            "h": "",
            "i": "",
        }
    ]


def test_short_forms_bring_what_they_look_like() -> None:
    use = Recorder()
    run(
        """
        - name: Use
          action: other.act
          inputs:
            text: "+15558675310"
            number: 5
            flag: true
            nothing: null
            reference: "{{$trigger.results.body.data}}"
            config: "{{#Sender}}"
            template: "n is {{$trigger.results.body.data.n}}"
            list: [1, "{{$trigger.results.body.data.n}}", [a]]
            object: {a: "{{#Sender}}", b: {type: value, value: "{{#Sender}}"}, c: {value: 1}, type: {x: 2}}
            braces: "{{user.name}}"
        """,
        data={"n": 7},
        config={"Sender": "+1"},
        mocks={"other.act": use},
    )
    assert use.calls == [
        {
            "text": "+15558675310",
            "number": 5,
            "flag": True,
            "nothing": None,
            "reference": {"n": 7},
            "config": "+1",
            "template": "n is 7",
            "list": [1, 7, ["a"]],
            "object": {"a": "+1", "b": "{{#Sender}}", "c": {"value": 1}, "type": {"x": 2}},
            "braces": "{{user.name}}",
        }
    ]


def test_a_loop_gives_its_steps_the_item_and_its_number_and_returns_what_each_round_returned() -> None:
    greet = Recorder("a", "b", "c")
    outcome = run(
        """
        - name: Each One
          action: loop.loopOverItems
          inputs: {items: "{{$trigger.results.body.data}}"}
          steps:
            - name: Greet
              action: other.greet
              inputs: {name: "{{$eachOne.currentItem.name}}", number: "{{$eachOne.index}}"}
        - {name: After, action: other.after, inputs: {all: "{{$eachOne.results}}"}}
        """,
        data=PEOPLE,
        mocks={"other.greet": greet, "other.after": lambda inputs: inputs["all"]},
    )
    assert [call["name"] for call in greet.calls] == ["Ada", "Bob", "Cleo"]
    assert [call["number"] for call in greet.calls] == [0, 1, 2]
    assert outcome.result == ["a", "b", "c"]


@pytest.mark.parametrize("count", ["3", 3, 3.0])
def test_a_counted_loop_runs_as_often_as_it_is_told_and_counts_from_0(count: Any) -> None:
    outcome = run(
        """
        - name: Times
          action: loop.loopNTimes
          inputs: {iterationCount: "{{$trigger.results.body.data}}"}
          steps:
            - {name: Say, action: other.say, inputs: {i: "{{$times.index}}", j: "{{$times.currentItem}}"}}
        """,
        data=count,
        mocks={"other.say": lambda inputs: [inputs["i"], inputs["j"]]},
    )
    assert outcome.result == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize("data", [[], "[]"])
def test_a_loop_over_nothing_returns_an_empty_list(data: Any) -> None:
    steps = """
        - {name: Each, action: loop.loopOverItems, inputs: {items: "{{$trigger.results.body.data}}"}, steps: []}
        """
    assert run(steps, data=data).result == []


def test_loops_nest_and_each_step_has_an_id_that_says_where_it_is() -> None:
    events: list[dict[str, Any]] = []
    run(
        """
        - name: Outer
          action: loop.loopOverItems
          inputs: {items: [a, b]}
          steps:
            - name: Inner
              action: loop.loopNTimes
              inputs: {iterationCount: 2}
              steps:
                - {name: Say, action: other.say, inputs: {o: "{{$outer.currentItem}}", i: "{{$inner.index}}"}}
        """,
        mocks={"other.say": None},
        listener=events.append,
        trace=True,
    )
    said = [(event["id"], event["inputs"]) for event in events if event["event"] == "step" and event["step"] == "Say"]
    assert said == [
        ("outer[0].inner[0].say", {"o": "a", "i": 0}),
        ("outer[0].inner[1].say", {"o": "a", "i": 1}),
        ("outer[1].inner[0].say", {"o": "b", "i": 0}),
        ("outer[1].inner[1].say", {"o": "b", "i": 1}),
    ]


def test_break_loop_leaves_the_innermost_loop_only() -> None:
    say = Recorder("said")
    outcome = run(
        """
        - name: Outer
          action: loop.loopNTimes
          inputs: {iterationCount: 2}
          steps:
            - name: Inner
              action: loop.loopNTimes
              inputs: {iterationCount: 100}
              steps:
                - name: Enough
                  action: branch.branchOnExpression
                  inputs: {conditions: {Stop: [equal, "{{$inner.index}}", 3]}}
                  branches:
                    - {name: Stop, steps: [{name: Break, action: loop.breakLoop}]}
                    - {name: Else, steps: []}
                - {name: Say, action: other.say}
        """,
        mocks={"other.say": say},
    )
    assert len(say.calls) == 6
    assert outcome.result == [["said", "said", "said", None], ["said", "said", "said", None]]


def test_what_a_round_left_behind_is_gone_in_the_next_one() -> None:
    outcome = run(
        """
        - name: Each
          action: loop.loopOverItems
          inputs: {items: [1, 2]}
          steps:
            - name: First Only
              action: branch.branchOnValue
              inputs: {inputValue: "{{$each.index}}", branchValueMappings: {First: 0}}
              branches:
                - {name: First, steps: [{name: Made, action: other.make}]}
                - {name: Else, steps: []}
            - name: Look
              action: branch.branchOnExpression
              inputs: {conditions: {There: [exists, "{{$made.results}}"]}}
              branches: [{name: There, steps: []}, {name: Else, steps: []}]
        """,
        mocks={"other.make": "made"},
    )
    assert outcome.result == [{"branch": "There"}, {"branch": "Else"}]


@pytest.mark.parametrize(
    ("value", "branch"),
    [("opened", "Open"), ("5", "Five"), (5, "Five"), ("other", "Else"), (None, "Else"), ("", "Else"), (["x"], "Else")],
)
def test_branch_on_value_takes_the_first_branch_whose_value_equals(value: Any, branch: str) -> None:
    steps = """
        - name: Which
          action: {key: branchOnValue, component: {key: branch}}
          inputs:
            inputValue: {type: reference, value: trigger.results.body.data.value}
            branchValueMappings:
              type: complex
              value:
                - {name: Open, type: value, value: opened}
                - {name: Five, type: value, value: "5"}
                - {name: Also five, type: value, value: 5}
          branches:
            - {name: Open, steps: []}
            - {name: Five, steps: []}
            - {name: Also five, steps: []}
            - {name: Else, steps: []}
        """
    assert run(steps, data={"value": value}).result == {"branch": branch}


@pytest.mark.parametrize("data", [{"value": 1}, "text", None])
def test_a_branch_may_ask_for_what_is_not_there(data: Any) -> None:
    steps = """
        - name: Value
          action: branch.branchOnValue
          inputs: {inputValue: "{{$trigger.results.headers.X-Missing}}", branchValueMappings: {A: a}}
          branches: [{name: A, steps: []}, {name: Else, steps: []}]
        - name: Expression
          action: branch.branchOnExpression
          inputs: {conditions: {Missing: [and, [doesNotExist, "{{$trigger.results.body.data.a.b.c}}"]]}}
          branches: [{name: Missing, steps: []}, {name: Else, steps: []}]
        """
    outcome = run(steps, data=data)
    assert outcome.results["value"] == {"branch": "Else"}
    assert outcome.results["expression"] == {"branch": "Missing"}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("[and, [isTrue, true], [isTrue, true]]", True),
        ("[and, [isTrue, true], [isTrue, false]]", False),
        ("[or, [isTrue, false], [isTrue, true]]", True),
        ("[or, [isTrue, false], [isTrue, false]]", False),
        ("[or, [and, [isTrue, false], [dateTimeAfter, x, y]], [or, [and, [equal, 5, '5']]]]", True),
        ("[and, [or, [isTrue, true], [dateTimeAfter, x, y]], [in, 'b', 'abc']]", True),
        ("[isEmpty, {type: value, value: ''}, {type: value, value: ''}]", True),
    ],
)
def test_and_and_or_nest_and_stop_at_the_condition_that_decides(condition: str, holds: bool) -> None:  # noqa: FBT001 - a parameter of the table
    steps = f"""
        - name: Which
          action: branch.branchOnExpression
          inputs: {{conditions: {{It holds: {condition}}}}}
          branches: [{{name: It holds, steps: []}}, {{name: Else, steps: []}}]
        """
    assert run(steps).result == {"branch": "It holds" if holds else "Else"}


def test_an_exported_list_of_conditions_is_tried_in_its_order() -> None:
    steps = """
        - name: Which
          action: branch.branchOnExpression
          inputs:
            conditions:
              type: complex
              value:
                - name: One
                  type: complex
                  value:
                    - and
                    - - equal
                      - {name: "", type: reference, value: trigger.results.body.data}
                      - {name: "", type: value, value: "1"}
                - name: Two
                  type: complex
                  value:
                    - or
                    - [lessThan, {type: reference, value: trigger.results.body.data}, {type: value, value: "9"}]
          branches: [{name: Two, steps: []}, {name: One, steps: []}, {name: Else, steps: []}]
        """
    assert [run(steps, data=number).result["branch"] for number in (1, 2, 10)] == ["One", "Two", "Else"]


def test_a_trigger_may_branch_by_the_name_in_its_result() -> None:
    text = """
name: Test
flows:
  - name: Main
    steps:
      - name: Event
        isTrigger: true
        action: other.event
        branches:
          - {name: Notification, steps: [{name: Note, action: other.note, inputs: {t: "{{$event.results.body.data}}"}}]}
          - {name: Management, steps: []}
      - {name: After, action: other.after}
"""
    note = Recorder("noted")
    payload = {"body": {"data": "hello"}}
    mocks = {
        "other.event": lambda _inputs: Result(value=payload, branch="Notification"),
        "other.note": note,
        "other.after": "after",
    }
    assert run_text(text, payload=payload, mocks=mocks).result == "after"
    assert note.calls == [{"t": "hello"}]
    envelope = {"payload": payload, "branch": "Management"}
    assert run_text(text, payload=payload, mocks={**mocks, "other.event": envelope}).succeeded
    assert len(note.calls) == 1
    for wrong, reason in ((payload, "names no branch to take"), ({**envelope, "branch": "X"}, "has no branch 'X'")):
        outcome = run_text(text, payload=payload, mocks={**mocks, "other.event": {"payload": wrong, **wrong}})
        assert outcome.error is not None
        assert reason in outcome.error["message"]


def test_stop_execution_ends_everything_successfully_with_its_answer() -> None:
    never = Recorder()
    outcome = run(
        """
        - name: Loop
          action: loop.loopNTimes
          inputs: {iterationCount: 5}
          steps:
            - name: Stop
              action: stop-execution.stopExecution
              inputs: {statusCode: "201", contentType: text/xml, jsonBody: "<Response/>", headers: {X-A: b}}
            - {name: Never, action: other.never}
        """,
        mocks={"other.never": never},
    )
    assert outcome.succeeded
    assert never.calls == []
    assert outcome.response == {
        "statusCode": 201,
        "contentType": "text/xml",
        "headers": {"X-A": "b"},
        "body": "<Response/>",
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [("''", ""), ("'{\"a\": 1}'", '{"a": 1}'), ("{a: [1]}", '{"a":[1]}'), ("plain words", '"plain words"'), ("5", "5")],
)
def test_the_body_of_a_json_answer_is_json(body: str, expected: str) -> None:
    outcome = run(f"- {{name: Stop, action: stop-execution.stopExecution, inputs: {{jsonBody: {body}}}}}")
    assert outcome.response is not None
    assert outcome.response["body"] == expected
    assert outcome.response["contentType"] == "application/json"


def test_a_synchronous_flow_answers_with_the_result_of_the_last_step_that_ran() -> None:
    outcome = run(
        "- {name: Say, action: other.say}", flow="isSynchronous: true", mocks={"other.say": {"ok": "ja, schön"}}
    )
    assert outcome.response == {
        "statusCode": 200,
        "contentType": "application/json",
        "headers": {},
        "body": '{"ok": "ja, schön"}',
    }


def test_a_synchronous_flow_that_fails_answers_500_and_keeps_the_reason_to_itself() -> None:
    outcome = run(
        "- {name: Say, action: other.say}", flow="isSynchronous: true", mocks={"other.say": OSError("secret")}
    )
    assert outcome.response is not None
    assert outcome.response["statusCode"] == 500
    assert json.loads(outcome.response["body"]) == {"error": "The flow failed."}


def test_an_asynchronous_flow_answers_what_its_trigger_says() -> None:
    assert run("- {name: Say, action: other.say}", mocks={"other.say": 1}).response is None
    text = """
name: Test
flows:
  - name: Main
    steps:
      - name: Trigger
        isTrigger: true
        action: webhook-triggers.webhook
        inputs: {statusCode: "202", body: accepted, headers: [], contentType: ""}
"""
    expected = {"statusCode": 202, "contentType": "text/plain", "headers": {}, "body": "accepted"}
    assert run_text(text).response == expected
    assert run_text(text.replace('statusCode: "202", body: accepted', 'statusCode: "", body: ""')).response is None


def test_sleep_lets_time_pass_and_is_not_a_call() -> None:
    waits = Waits()
    outcome = run("- {name: Nap, action: sleep.sleep, inputs: {ms: {type: value, value: '1500'}}}", sleep=waits)
    assert outcome.succeeded
    assert waits.seconds == [1.5]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            "- {name: L, action: loop.loopOverItems, inputs: {items: text}, steps: []}",
            "items must be a list or an object, not text",
        ),
        ("- {name: L, action: loop.loopOverItems, steps: []}", "items must be a list or an object, not null"),
        (
            "- {name: L, action: loop.loopNTimes, inputs: {iterationCount: many}, steps: []}",
            "iterationCount must be a number from 0 to 100,000, not 'many'",
        ),
        (
            "- {name: L, action: loop.loopNTimes, inputs: {iterationCount: 1e9}, steps: []}",
            "iterationCount must be a number from 0 to 100,000, not a number",
        ),
        (
            "- {name: B, action: branch.branchOnValue, branches: [], inputs: {inputValue: 1, branchValueMappings: x}}",
            "branchValueMappings must be values by the name of a branch",
        ),
        (
            "- {name: L, action: loop.loopOverItems, steps: [], inputs: {items: '{{$trigger.results.body.data.m}}'}}",
            "a loop can go over at most 100,000 items, not 100,001",
        ),
        ("- {name: B, action: loop.breakLoop}", "B is not in a loop that it could leave"),
        ("- {name: S, action: sleep.sleep, inputs: {ms: -1}}", "ms must be a number from 0 to 604,800,000, not -1"),
        ("- {name: F, action: cross-flow.invokeFlow, inputs: {data: 1}}", "flowName must be the name of a flow"),
        ("- {name: F, action: cross-flow.invokeFlow, inputs: {flowName: X}}", "there is no such flow (Main)"),
        (
            "- {name: R, action: other.act, inputs: {a: '{{$trigger.results.body.data.a.b}}'}}",
            "trigger.results.body.data.a.b has no value: trigger.results.body.data is an object with name and has no",
        ),
        ("- {name: R, action: other.act, inputs: {a: '{{$r.results}}'}}", "the step 'r' has not run"),
        ("- {name: R, action: other.act, inputs: {a: '{{$r.index}}'}}", "it is not inside a loop 'r'"),
        (
            "- {name: R, action: other.act, inputs: {a: '{{#Sender Name}}'}}",
            (
                "the config variable 'Sender Name' has no value; the configuration or the environment variable "
                "FLOW_SENDER_NAME can give it one"
            ),
        ),
    ],
)
def test_what_cannot_be_carried_out_fails_with_the_reason(steps: str, message: str) -> None:
    mocks = {"other.act": None} if "other.act" in steps else {}
    data = {"name": "Ada", **({"m": [0] * 100_001} if "data.m}}" in steps else {})}
    outcome = run(steps, data=data, mocks=mocks)
    assert outcome.error is not None
    assert message in outcome.error["message"]
    assert outcome.error["outcomeUnknown"] is False


def test_a_loop_over_10_000_items_takes_no_time_and_no_stack() -> None:
    started = time.monotonic()
    outcome = run(
        """
        - name: Each
          action: loop.loopOverItems
          inputs: {items: "{{$trigger.results.body.data}}"}
          steps:
            - {name: Say, action: other.say, inputs: {n: "{{$each.currentItem}}"}}
        """,
        data=list(range(10_000)),
        mocks={"other.say": lambda inputs: inputs["n"]},
    )
    assert outcome.result == list(range(10_000))
    assert time.monotonic() - started < 10


def test_a_payload_of_5_mb_is_passed_on_without_copies_for_each_step() -> None:
    started = time.monotonic()
    data = [{"text": "x" * 1000, "number": number} for number in range(5_000)]
    outcome = run(
        """
        - name: Times
          action: loop.loopNTimes
          inputs: {iterationCount: 1000}
          steps:
            - {name: Say, action: other.say, inputs: {all: "{{$trigger.results.body.data}}"}}
        """,
        data=data,
        mocks={"other.say": lambda inputs: len(inputs["all"])},
    )
    assert outcome.result == [5_000] * 1000
    assert time.monotonic() - started < 10


def test_steps_nested_as_deep_as_a_file_allows_are_run() -> None:
    depth = 60
    inner = "{name: Say, action: other.say}"
    for level in range(depth):
        inner = f"{{name: L{level}, action: loop.loopNTimes, inputs: {{iterationCount: 1}}, steps: [{inner}]}}"
    say = Recorder("here")
    result = run(f"- {inner}", mocks={"other.say": say}).result
    for _ in range(depth):
        result = result[0]
    assert result == "here"


def test_an_execution_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "MOST_STEPS", 1_000)
    outcome = run(
        """
        - name: A
          action: loop.loopNTimes
          inputs: {iterationCount: 100000}
          steps:
            - {name: B, action: loop.loopNTimes, inputs: {iterationCount: 100000}, steps: []}
        """
    )
    assert outcome.error is not None
    assert outcome.error["message"] == "more than 1,000 steps"
