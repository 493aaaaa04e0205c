"""Whole integrations, each of their flows run to its end on every branch, with answers made up from what they refer to.

Ours are always run; those in the folder that the environment variable FLOW_EXAMPLES names are run too.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.flow_runs import FIXTURES, Waits

from twilio_component.flows import Configuration, FlowRunner, check_file, control_steps, load_integration
from twilio_component.flows.expressions.references import CURRENT_ITEM, RESULTS
from twilio_component.flows.interpreter import execution
from twilio_component.flows.model import Flow, Integration, Reference, Step, all_steps, step_inputs
from twilio_component.host import Host
from twilio_component.host.questions import OUTCOMES

EXAMPLES = os.environ.get("FLOW_EXAMPLES")
FILES = sorted([*(FIXTURES / "integrations").glob("*.y*ml"), *(Path(EXAMPLES).glob("*.y*ml") if EXAMPLES else ())])
COMPONENTS = Host.discover().components
# A file may rely on what is not here, and say more than it needs; everything else would be a mistake of the check.
TRUE_OF_EXAMPLES = {
    "component-not-installed",
    "javascript-not-run",
    "unknown-action",
    "undeclared-config-variable",
    "unused-config-variable",
    "unused-input",
}
# What these return depends on what they are given, so they can be themselves, unless a flow refers into their results.
REAL = {"collection-tools", "text-manipulation", "log", "stop-execution", "webhook-triggers", "cross-flow"}
NOT_REAL = {"collection-tools.map", "collection-tools.validateJsonSchema"}
EMPTY = {"array": [], "object": {}, "integer": 1, "number": 1, "boolean": True}


class Answers:
    """Results for the steps of a flow that have whatever the flow's references ask for."""

    def __init__(self, flow: Flow) -> None:
        self.steps = {step.key: step for step in all_steps(flow.steps)}
        self.results: dict[str, Any] = {}
        for step in all_steps(flow.steps):
            for name, value in step.inputs.items():
                for part in step_inputs(step):
                    if isinstance(part, Reference):
                        self.provide(part, self.wanted(step, name) if part == value else "text")

    def wanted(self, step: Step, name: str) -> Any:
        """A value of the kind that the input wants."""
        component = COMPONENTS.get(step.component)
        action = component.actions.get(step.action) if component else None
        schema = action.inputs["properties"].get(name, {}) if action else {}
        return EMPTY.get(str(schema.get("type")), "text")

    def provide(self, reference: Reference, value: Any) -> None:
        step = self.steps.get(reference.step)
        if step is None:
            return
        if reference.part == RESULTS and step.operation not in control_steps.LOOPS:
            self.results[step.key] = with_path(self.results.get(step.key), list(reference.path), value)
        elif reference.part == CURRENT_ITEM and isinstance(items := step.inputs.get("items"), Reference):
            self.provide(Reference(items.step, items.part, (*items.path, "0", *reference.path)), value)
            self.provide(Reference(items.step, items.part, (*items.path, "1", *reference.path)), value)

    def mocks(self, outcome: str) -> dict[str, Any]:
        """An answer for each operation that is not run for real; its steps share it. Questions end with ``outcome``."""
        answers: dict[str, Any] = {}
        for step in self.steps.values():
            if step.is_trigger or step.operation in control_steps.INTERPRETED:
                continue
            result = self.results.get(step.key)
            plain = step.component in REAL and step.operation not in NOT_REAL and not isinstance(result, (dict, list))
            if asks(step):
                result = merged(result, {"outcome": outcome})
            if not plain:
                answers[step.operation] = merged(answers.get(step.operation), result)
        return answers


def asks(step: Step) -> bool:
    component = COMPONENTS.get(step.component)
    action = component.actions.get(step.action) if component else None
    return action is not None and action.asks is not None


def with_path(whole: Any, path: list[str], value: Any) -> Any:
    if not path:
        return merged(whole, value)
    key, rest = path[0], path[1:]
    if key.isdigit() and not isinstance(whole, dict):
        items = list(whole) if isinstance(whole, list) else []
        items += [None] * (int(key) + 1 - len(items))
        items[int(key)] = with_path(items[int(key)], rest, value)
        return items
    members = dict(whole) if isinstance(whole, dict) else {}
    members[key] = with_path(members.get(key), rest, value)
    return members


def merged(left: Any, right: Any) -> Any:
    if isinstance(left, dict) and isinstance(right, dict):
        return {key: merged(left.get(key), right.get(key)) for key in {**left, **right}}
    if isinstance(left, (dict, list)) and left:
        return left
    return left if right is None else right


def variants(integration: Integration) -> list[tuple[Flow, int, str | None]]:
    """Each flow, once for each way that its branches may go."""
    found: list[tuple[Flow, int, str | None]] = []
    for flow in integration.flows:
        steps = all_steps(flow.steps)
        most = max((len(OUTCOMES) if asks(step) else len(step.branches or ()) for step in steps), default=0) or 1
        triggers: list[str | None] = [branch.name for branch in flow.trigger.branches or ()]
        found += [(flow, way, trigger) for way in range(most) for trigger in triggers or [None]]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_finding_is_a_true_one(path: Path) -> None:
    findings = check_file(path, COMPONENTS)
    assert {finding.code for finding in findings} <= TRUE_OF_EXAMPLES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
async def test_each_flow_runs_to_its_end_on_every_branch(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    integration = load_integration(path)
    config = {
        key: "owner/name"
        for key, variable in integration.config_variables.items()
        if not variable.is_connection and not variable.default
    }
    for flow, way, trigger in variants(integration):
        answers = Answers(flow)

        def take(step: Step, _scope: Any, way: int = way) -> str:
            branches = step.branches or ()
            return branches[way % len(branches)].name

        monkeypatch.setattr(execution, "branch_to_take", take)
        payload = answers.results.get(flow.trigger.key) or {}
        mocks = answers.mocks(OUTCOMES[way % len(OUTCOMES)])
        if flow.trigger.component not in REAL:
            mocks[flow.trigger.operation] = {"payload": payload, "branch": trigger} if trigger else payload
        options: dict[str, Any] = {"environment": {}, "sleep": Waits(), "mocks": mocks}
        async with Host.discover() as host:
            configuration = Configuration(config_vars=config)
            # A flow that is started is there, but does nothing: it has its own turn.
            others = [replace(other, steps=other.steps[:1]) for other in integration.flows if other is not flow]
            own = replace(integration, flows=(flow, *others))
            runner = FlowRunner(integration=own, host=host, configuration=configuration, **options)
            outcome = await runner.run(flow.name, payload)
        assert outcome.error is None, (flow.name, way, trigger, outcome.error)


def test_the_examples_that_the_environment_names_are_there() -> None:
    if EXAMPLES is None:
        pytest.skip("FLOW_EXAMPLES names no folder with further integrations")
    assert len(FILES) > len(list((FIXTURES / "integrations").glob("*.y*ml")))
