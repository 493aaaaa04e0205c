"""Flows that start flows, what flows keep, and what mocks can be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.flow_runs import FIXTURES, Recorder, run, run_text

from twilio_component.flows import EXAMPLE, FlowError, FlowRunner, StoredState, load_integration
from twilio_component.flows.checking.reachability import reachable_flows
from twilio_component.flows.runner import runner
from twilio_component.flows.runner.trigger_payload import ExecutionInfo, complete_payload
from twilio_component.host import Host
from twilio_component.host.errors import PerformError

PARENT = """
name: Test
flows:
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: Child, data: {n: 1}, contentType: x/y}}
      - {name: After, action: other.after, inputs: {start: "{{$start.results}}"}}
  - name: Child
    isSynchronous: %s
    steps:
      - {name: Trigger, isTrigger: true, action: cross-flow.crossFlow}
      - {name: Do, action: other.child, inputs: {body: "{{$trigger.results.body}}"}}
"""


def test_a_flow_that_is_started_runs_afterwards_and_gets_its_data() -> None:
    child, after = Recorder("done"), Recorder()
    outcome = run_text(PARENT % "false", flow="Main", mocks={"other.child": child, "other.after": after})
    assert child.calls == [{"body": {"data": {"n": 1}, "contentType": "x/y"}}]
    assert [started.result for started in outcome.started] == ["done"]
    assert after.calls == [{"start": {"executionId": outcome.started[0].execution_id}}]


def test_a_synchronous_flow_that_is_started_is_waited_for() -> None:
    after = Recorder()
    outcome = run_text(PARENT % "true", flow="Main", mocks={"other.child": "done", "other.after": after})
    assert after.calls == [{"start": {"executionId": outcome.started[0].execution_id, "result": "done"}}]


def test_the_failure_of_a_flow_that_is_waited_for_is_an_error_of_the_step() -> None:
    mocks = {"other.child": PerformError("no"), "other.after": None}
    outcome = run_text(PARENT % "true", flow="Main", mocks=mocks)
    assert outcome.error is not None
    assert (outcome.error["id"], outcome.error["code"]) == ("start", "flow-failed")
    assert not outcome.started[0].succeeded


def test_an_execution_succeeds_only_with_those_that_it_started() -> None:
    outcome = run_text(PARENT % "false", flow="Main", mocks={"other.child": PerformError("no"), "other.after": None})
    assert outcome.error is None
    assert not outcome.succeeded


@pytest.mark.parametrize("synchronous", ["true", "false"])
def test_flows_that_start_each_other_without_end_are_stopped(synchronous: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_MOST_STARTED", 50)
    text = f"""
name: Test
flows:
  - name: Main
    isSynchronous: {synchronous}
    steps:
      - {{name: Trigger, isTrigger: true, action: cross-flow.crossFlow}}
      - {{name: Start, action: cross-flow.invokeFlow, inputs: {{flowName: Main}}}}
"""
    outcome = run_text(text)
    if synchronous == "true":
        while outcome.started:
            outcome = outcome.started[0]
        assert outcome.error is not None
        assert outcome.error["code"] == "endless-flows"
    else:
        assert len(outcome.started) == 50
        last = outcome.started[-1].error
        assert last is not None
        assert last["code"] == "endless-flows"


async def test_flows_keep_values_for_themselves_and_for_each_other() -> None:
    integration = load_integration(
        "test.yaml",
        text="""
name: Test
flows:
  - name: Write
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Own, action: persist-data.incrementInstanceValue, inputs: {keyInput: own}}
      - {name: Shared, action: persist-data.incrementCrossFlowValue, inputs: {keyInput: shared}}
      - {name: Once, action: persist-data.incrementExecutionValue, inputs: {keyInput: once}}
  - name: Read
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Own, action: persist-data.getInstanceValue, inputs: {keyInput: own, defaultValueInput: nothing}}
      - {name: Shared, action: persist-data.getCrossFlowValue, inputs: {keyInput: shared}}
""",
    )
    kept = StoredState()
    async with Host.discover() as host:
        for _ in range(2):
            runner = FlowRunner(integration=integration, host=host, environment={}, stored_state=kept)
            wrote = (await runner.run("Write")).results
        runner = FlowRunner(integration=integration, host=host, environment={}, stored_state=kept)
        read = (await runner.run("Read")).results
    assert [wrote[key]["value"] for key in ("own", "shared", "once")] == [2, 2, 1]
    assert (read["own"], read["shared"]) == ("nothing", 2)
    assert kept.instance == {"Write": {"own": 2}, "Read": {}}


def test_a_mock_may_be_a_value_a_function_an_awaitable_an_error_or_the_actions_example() -> None:
    async def later(inputs: dict[str, Any]) -> Any:
        await asyncio.sleep(0)
        return inputs["n"]

    steps = """
        - {name: Value, action: other.value}
        - {name: Later, action: other.later, inputs: {n: 7}}
        - {name: Example, action: twilio.sendSMS}
        - {name: None, action: other.none}
        """
    mocks = {"other.value": {"data": 1}, "other.later": later, "twilio.sendSMS": EXAMPLE, "other.none": EXAMPLE}
    results = run(steps, mocks=mocks).results
    assert (results["value"], results["later"], results["none"]) == ({"data": 1}, 7, None)
    assert results["example"]["body"]
    assert repr(EXAMPLE) == "EXAMPLE"


@pytest.mark.parametrize(
    ("mock", "said"),
    [
        (EXAMPLE, "yes"),
        ({"outcome": "answered", "answer": True}, "yes"),
        ({"outcome": "timedOut"}, "late"),
        ({"outcome": "optedOut"}, "other"),
        ({"data": None, "branch": "timedOut"}, "late"),
        ({"data": None, "branch": "undeliverable"}, "other"),
    ],
)
def test_the_mock_of_a_question_takes_the_branch_of_its_outcome(mock: Any, said: str) -> None:
    log = "action: log.writeLog, inputs: {message: x}"
    steps = f"""
        - name: Ask
          action: twilio.sendAndWait
          inputs: {{to: "+15558675310", from: "+15017122661", message: Well?, deadline: 5m}}
          branches:
            - {{name: answered, steps: [{{name: "yes", {log}}}]}}
            - {{name: timedOut, steps: [{{name: late, {log}}}]}}
            - {{name: Else, steps: [{{name: other, {log}}}]}}
        """
    outcome = run(steps, mocks={"twilio.sendAndWait": mock})
    assert outcome.error is None
    assert outcome.results.keys() - {"ask", "trigger"} == {said}


def test_a_key_value_list_becomes_an_object_where_the_action_wants_one() -> None:
    steps = """
        - name: Add
          action: collection-tools.addMultipleKeys
          inputs:
            object: {type: complex, value: [{name: a, type: value, value: 1}, {name: b, type: value, value: x}]}
            dynamicFields: {type: value, value: ""}
            notKnown: {type: complex, value: []}
        - name: No pairs
          action: collection-tools.addKey
          inputs: {object: [1, 2], key: a}
          errorConfig: {errorHandlerType: ignore}
        """
    outcome = run(steps)
    assert outcome.results["add"] == {"a": 1, "b": "x"}
    assert outcome.handled[0]["code"] == "input-invalid"


def test_flows_that_start_each_other_are_found_once() -> None:
    text = """
name: Test
flows:
  - name: Ping
    steps:
      - {name: Trigger, isTrigger: true, action: cross-flow.crossFlow}
      - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: Pong}}
  - name: Pong
    steps:
      - {name: Trigger, isTrigger: true, action: cross-flow.crossFlow}
      - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: "{{$trigger.results.body.data}}"}}
  - name: Alone
    steps:
      - {name: Trigger, isTrigger: true, action: cross-flow.crossFlow}
"""
    integration = load_integration("test.yaml", text=text)
    ping, pong, alone = integration.flows
    assert reachable_flows(integration, alone) == [alone]
    # What only running will tell may be any flow.
    assert reachable_flows(integration, ping) == [ping, pong, alone]


def test_a_mock_that_no_step_uses_is_refused_before_anything_runs() -> None:
    with pytest.raises(FlowError, match=r"'other\.act' stands for no step"):
        run("- {name: A, action: other.action}", mocks={"other.act": 1})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "has 2 flows; say which one to run: Split and Send batch"),
        ("Splt", "has no flow 'Splt'; did you mean 'Split'?"),
        ("Other", r"has no flow 'Other' \(it has: Split and Send batch\)"),
    ],
)
def test_a_flow_that_is_not_there_is_refused_with_those_that_are(name: str | None, message: str) -> None:
    text = (FIXTURES / "integrations" / "batches.yaml").read_text(encoding="utf-8")
    with pytest.raises(FlowError, match=message):
        run_text(text, flow=name)


def test_an_integration_with_errors_is_not_loaded() -> None:
    with pytest.raises(FlowError, match="is not a valid flow definition") as caught:
        load_integration(FIXTURES / "negative" / "shape.yaml")
    assert {finding.severity for finding in caught.value.findings} == {"error"}
    with pytest.raises(FlowError):
        load_integration("nowhere.yaml")


def test_a_payload_is_completed_with_everything_that_a_trigger_finds() -> None:
    integration = load_integration(FIXTURES / "integrations" / "batches.yaml")
    info = ExecutionInfo(execution_id="execution", started_at="2026-01-01T00:00:00.000Z", webhook_base="https://x")
    payload = complete_payload({"body": {"data": "hello"}}, integration, integration.flows[1], info)
    assert payload["webhookUrls"] == {"Split": "https://x/split", "Send batch": "https://x/sendBatch"}
    assert payload["invokeUrl"] == "https://x/sendBatch"
    assert payload["rawBody"] == {"data": "hello", "contentType": "application/json"}
    assert (payload["executionId"], payload["startedAt"]) == ("execution", "2026-01-01T00:00:00.000Z")
    documented = Host.discover().components["webhook-triggers"].triggers["webhook"].example["payload"]
    assert payload.keys() == documented.keys()
    given = {"body": "not an object", "rawBody": {"data": b"\x00"}, "customer": {"id": "c"}}
    payload = complete_payload(given, integration, integration.flows[0], info)
    assert payload["body"]["data"] == "not an object"
    assert payload["rawBody"] == {"data": {"type": "Buffer", "data": [0]}}
    assert payload["customer"] == {"id": "c"}
