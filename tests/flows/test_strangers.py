"""An integration file is data from strangers: it can neither hang the check nor blow the stack nor run code."""

from __future__ import annotations

import ast
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.flow_runs import RELAXED, run, run_text

import twilio_component
from twilio_component.flows import FlowError, check_file, load_integration
from twilio_component.host import Host
from twilio_component.host.manifest.documents import MAX_DEPTH

COMPONENTS = Host.discover().components
HEAD = """
name: Test
flows:
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
"""
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))
WORDS = st.sampled_from(
    ["name", "steps", "inputs", "action", "branches", "value", "type", "conditions", "complex", "reference", "schedule"]
)
NEARLY = st.recursive(
    SCALARS | st.sampled_from(["loop.loopOverItems", "branch.branchOnExpression", "{{$trigger.results.a}}", "and"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
)


def nested(levels: int, before: str, inside: str, after: str) -> str:
    return before * levels + inside + after * levels


@pytest.mark.parametrize(
    "message",
    [
        nested(MAX_DEPTH - 10, "[", "1", "]"),
        nested(MAX_DEPTH - 10, "{a: ", "1", "}"),
        nested((MAX_DEPTH - 10) // 2, "{type: complex, value: [", "{type: value, value: 1}", "]}"),
    ],
    ids=["lists", "objects", "complex values"],
)
def test_inputs_nested_as_deep_as_a_file_allows_are_checked_and_run(message: str) -> None:
    step = f"- {{name: A, action: log.writeLog, inputs: {{message: {message}}}}}"
    assert check_file("t", COMPONENTS, text=f"{HEAD}      {step}") == []
    assert run(step).succeeded


def test_conditions_nested_as_deep_as_a_file_allows_are_checked_and_run() -> None:
    condition = nested(MAX_DEPTH - 12, "[and, ", "[isTrue, true]", "]")
    step = (
        f"- {{name: A, action: branch.branchOnExpression, inputs: {{conditions: {{B: {condition}}}}}, "
        "branches: [{name: B, steps: []}, {name: Else, steps: []}]}"
    )
    assert check_file("t", COMPONENTS, text=f"{HEAD}      {step}") == []
    assert run(step).result == {"branch": "B"}


@pytest.mark.parametrize("text", ["[" * 100_000, nested(5_000, "{a: ", "1", "}"), "- " * 5_000 + "x"])
def test_a_file_that_is_nested_too_deep_is_refused_at_once(text: str) -> None:
    started = time.monotonic()
    (finding,) = check_file("t", COMPONENTS, text=text)
    assert finding.code == "document-unreadable"
    assert time.monotonic() - started < 5


def test_a_file_of_aliases_that_would_fill_the_memory_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (finding,) = check_file("t", COMPONENTS, text="\n".join(lines))
    assert "more than" in finding.message


def test_aliased_steps_are_checked_once_for_each_place_and_no_more() -> None:
    steps = "\n".join(f"      - {{name: S{n}, action: other.x{n}, inputs: *i}}" for n in range(2_000))
    text = f"{HEAD}      - {{name: First, action: other.first, inputs: &i {{a: [1, 2, {{b: 3}}]}}}}\n{steps}"
    started = time.monotonic()
    assert [finding.code for finding in check_file("t", COMPONENTS, text=text)] == ["component-not-installed"]
    assert time.monotonic() - started < 5


def test_a_result_that_is_nested_too_deep_fails_its_step_and_not_the_program() -> None:
    deep: Any = "x"
    for _ in range(250):
        deep = [deep]
    outcome = run("- {name: Deep, action: other.deep}", mocks={"other.deep": deep})
    assert outcome.error is not None
    assert outcome.error["code"] == "result-too-deep"
    with pytest.raises(FlowError, match="nested more than 200 levels"):
        run_text(HEAD, payload={"body": {"data": deep}})


def test_a_component_that_recurses_without_end_fails_its_step_and_not_the_program() -> None:
    def recurse(inputs: dict[str, Any]) -> Any:
        return recurse(inputs)

    outcome = run("- {name: Deep, action: other.deep}", mocks={"other.deep": recurse})
    assert outcome.error is not None
    assert "RecursionError" in outcome.error["message"]


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system [echo]",
        "name: !!python/name:os.system",
        "name: ${os.system('echo')} {{$__class__.results.__init__}} {% raise %}",
    ],
)
def test_a_file_cannot_name_python(text: str) -> None:
    findings = check_file("t", COMPONENTS, text=text)
    assert findings


def test_a_reference_finds_what_is_in_json_and_nothing_of_python() -> None:
    for path in ("__class__", "items", "keys", "0", "append"):
        outcome = run(
            f"- {{name: A, action: other.a, inputs: {{x: '{{{{$trigger.results.body.data.{path}}}}}'}}}}",
            data={"name": "x"},
            mocks={"other.a": None},
        )
        assert outcome.error is not None
        assert f"has no '{path}'" in outcome.error["message"]


def test_nothing_in_the_packages_evaluates_code() -> None:
    forbidden = {"eval", "exec", "compile", "__import__"}
    root = Path(twilio_component.__file__).parent
    for path in [*root.glob("flows/*.py"), *root.glob("builtins/*.py")]:
        called = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & forbidden, path


@settings(RELAXED, max_examples=200)
@given(data=JSON | NEARLY)
def test_no_document_makes_the_check_crash(data: Any) -> None:
    for text in (json.dumps(data), HEAD + "      - " + json.dumps(data)):
        for finding in check_file("t", COMPONENTS, text=text):
            assert finding.message


@settings(RELAXED, max_examples=100)
@given(inputs=st.dictionaries(WORDS, NEARLY, max_size=5), data=JSON)
def test_no_inputs_and_no_payload_make_an_execution_crash(inputs: Any, data: Any) -> None:
    step = {"name": "Step", "action": "other.act", "inputs": inputs}
    text = HEAD + "      - " + json.dumps(step)
    with contextlib.suppress(FlowError):
        load_integration("t", text=text)
        outcome = run_text(text, payload={"body": {"data": data}}, mocks={"other.act": lambda given: given})
        assert outcome.succeeded or outcome.error
