"""An execution can be stored as JSON after any step and go on elsewhere, and takes the same way each time."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from support.flow_runs import PEOPLE, integration

from twilio_component.flows import Call, Done, Execution, Failure, StartFlow, Wait, initial_state, load_integration
from twilio_component.flows.interpreter.iterations import without_retry
from twilio_component.flows.interpreter.position import layout_of

FLOW = load_integration(
    "test.yaml",
    text=integration(
        """
        - name: Each
          action: loop.loopOverItems
          inputs: {items: "{{$trigger.results.body.data}}"}
          steps:
            - name: Which
              action: branch.branchOnExpression
              inputs: {conditions: {Bob: [equal, "{{$each.currentItem.name}}", Bob]}}
              branches:
                - name: Bob
                  steps:
                    - {name: Nap, action: sleep.sleep, inputs: {ms: 1000}}
                    - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: Main, data: "{{$each.index}}"}}
                - {name: Else, steps: []}
            - name: Send
              action: other.send
              inputs: {name: "{{$each.currentItem.name}}", secret: "{{#Token}}"}
              errorConfig: {errorHandlerType: retry, maxAttempts: 3, delaySeconds: 5}
        - {name: Count, action: other.count, inputs: {all: "{{$each.results}}"}}
        """,
        flow="retryConfig: {maxAttempts: 2, delayMinutes: 1}",
        variables=["Token"],
    ),
).flows[0]
CONFIG = {"Token": "very-secret-token"}


def carried_out(*, stored_each_time: bool) -> tuple[list[Any], Done]:
    """What an engine was asked for, with a fixed answer to each question."""
    execution = Execution(FLOW, CONFIG, initial_state({"body": {"data": PEOPLE}}))
    asked: list[Any] = []
    while True:
        effect = execution.next()
        assert execution.next() == effect
        asked.append(deepcopy(effect))
        if stored_each_time:
            execution = Execution(FLOW, CONFIG, json.loads(json.dumps(execution.state)))
            assert execution.next() == effect
        if isinstance(effect, Done):
            return asked, effect
        if isinstance(effect, Wait):
            execution.waited()
        elif isinstance(effect, StartFlow):
            execution.succeeded({"data": {"executionId": "x"}})
        elif not isinstance(effect, Call):
            pytest.fail("this flow has no such loop")
        elif effect.is_trigger:
            execution.succeeded({"payload": effect.payload})
        elif effect.inputs.get("name") == "Cleo" and effect.attempt == 1:
            execution.failed(Failure(code="x", message="not now"))
        elif effect.action == "count" and effect.flow_attempt == 1:
            execution.failed(Failure(code="x", message="fails the first time"))
        else:
            execution.succeeded({"data": effect.id, "executionState": {effect.id: 1}})


def test_an_execution_that_is_stored_after_each_step_asks_for_the_same_things() -> None:
    plain, stored = carried_out(stored_each_time=False), carried_out(stored_each_time=True)
    assert stored == plain
    assert plain[1].result == "count"


def test_an_engine_sees_calls_waits_and_starts_with_stable_ids() -> None:
    asked, _ = carried_out(stored_each_time=False)
    assert [(type(effect).__name__, getattr(effect, "id", "")) for effect in asked] == [
        ("Call", "trigger"),
        ("Call", "each[0].send"),
        ("Wait", "each[1].nap"),
        ("StartFlow", "each[1].start"),
        ("Call", "each[1].send"),
        ("Call", "each[2].send"),
        ("Wait", "each[2].send"),
        ("Call", "each[2].send"),
        ("Call", "count"),
        ("Wait", "run-2"),
        ("Wait", "each[1].nap"),
        ("Call", "count"),
        ("Done", ""),
    ]
    waits = [(effect.seconds, effect.reason) for effect in asked if isinstance(effect, Wait)]
    assert waits == [(1, "sleep"), (5, "retry-step"), (60, "retry-execution"), (1, "sleep")]
    attempts = [(effect.flow_attempt, effect.attempt) for effect in asked if isinstance(effect, Call)]
    assert attempts == [(1, 1), (1, 1), (1, 1), (1, 1), (1, 2), (1, 1), (2, 1)]


def test_config_variables_are_not_part_of_the_stored_state() -> None:
    execution = Execution(FLOW, CONFIG, initial_state({"body": {"data": PEOPLE}}))
    execution.next()
    execution.succeeded({"payload": {"body": {"data": PEOPLE}}})
    effect = execution.next()
    assert isinstance(effect, Call)
    assert effect.inputs["secret"] == "very-secret-token"
    execution.succeeded({"data": 1})
    assert "very-secret-token" not in json.dumps(execution.state)


def test_an_execution_begins_with_the_states_that_earlier_ones_kept() -> None:
    state = initial_state({}, stored_state={"instanceState": {"page": 2}})
    execution = Execution(FLOW, CONFIG, state)
    effect = execution.next()
    assert isinstance(effect, Call)
    assert effect.stored_state["instanceState"] == {"page": 2}
    execution.succeeded({"payload": {}, "instanceState": {"page": 3, "other": 1}, "crossFlowState": None})
    assert execution.stored_state["instanceState"] == {"page": 3, "other": 1}


def test_the_iterations_of_a_flow_that_may_run_again_share_its_layout() -> None:
    copies = [without_retry(FLOW), without_retry(FLOW)]
    assert FLOW not in copies
    assert all(layout_of(copy) is layout_of(FLOW) for copy in copies)
