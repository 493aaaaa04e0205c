"""Branches: that each can be taken, and that every way out of a step has one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps
from twilio_component.flows.checking.steps import action_of, asks
from twilio_component.flows.expressions.references import as_text
from twilio_component.flows.model import Step, Value
from twilio_component.host.errors import did_you_mean, join_names
from twilio_component.host.questions import OTHERWISE, OUTCOMES

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.host.manifest.documents import PathParts
    from twilio_component.host.model import Component


def check_branches(
    findings: Findings, step: Step, components: Mapping[str, Component], mocked: Collection[str]
) -> None:
    """Report branches that a step cannot take, and ways that lead to none."""
    if step.branches is None:
        return
    if step.operation in control_steps.BRANCHES:
        _check_targets(findings, step)
    elif not step.is_trigger:
        _check_action(findings, step, components, mocked)
    if asks(step, components, mocked):
        _check_outcomes(findings, step)


def _check_targets(findings: Findings, step: Step) -> None:
    branches = step.branches or ()
    names = [branch.name for branch in branches]
    if control_steps.ELSE not in names:
        findings.add(
            "branch-without-else",
            (*step.at, "branches"),
            f"'{step.name}' has no branch named {control_steps.ELSE}",
            "Add {name: Else, steps: []} as its last branch, for when no other condition is true.",
            key=True,
        )
    led_to = _targets(step)
    if led_to is None:
        return
    for name, at in led_to.items():
        if name not in names:
            hint = did_you_mean(name, names)
            message = f"there is no branch '{name}'{hint} (branches: {join_names(names)})"
            findings.add("unknown-branch", at, message)
    for branch in branches:
        if branch.name != control_steps.ELSE and branch.name not in led_to:
            findings.add(
                "branch-never-taken",
                branch.at,
                f"the branch '{branch.name}' is never taken",
                "Add a condition or a mapping with this name, or remove the branch.",
            )


def _targets(step: Step) -> dict[str, PathParts] | None:
    """The branches that conditions or mappings lead to, each with where it says so; None when that varies."""
    if step.operation == control_steps.BRANCH_ON_EXPRESSION:
        return {name: condition.at for name, condition in step.conditions or ()}
    mappings: Any = step.inputs.get("branchValueMappings")
    if hasattr(mappings, "fields"):
        return {name: value.at for name, value in mappings.fields}
    targets = {}
    for item in getattr(mappings, "items", ()):
        if not isinstance(item.name, Value):
            return None
        targets[as_text(item.name.value)] = item.value.at
    return targets


def _check_action(findings: Findings, step: Step, components: Mapping[str, Component], mocked: Collection[str]) -> None:
    action = action_of(step, components)
    if action is not None and not action.branches and step.operation not in mocked:
        message = f"{step.operation} never branches, so these steps never run"
        findings.add("unexpected-branches", (*step.at, "branches"), message, key=True)


def _check_outcomes(findings: Findings, step: Step) -> None:
    """Check the branches of a step that asks: one for each outcome, or Else for the others."""
    branches = step.branches or ()
    names = [branch.name for branch in branches]
    for branch in branches:
        if branch.name not in (*OUTCOMES, OTHERWISE):
            hint = did_you_mean(branch.name, OUTCOMES) or f" (its branches: {join_names((*OUTCOMES, OTHERWISE))})"
            message = f"{step.operation} has no branch '{branch.name}'{hint}"
            findings.add("unknown-branch", branch.at, message)
    missing = [name for name in OUTCOMES if name not in names]
    if missing and OTHERWISE not in names:
        findings.add(
            "branch-without-else",
            (*step.at, "branches"),
            f"'{step.name}' has no branch for {join_names(missing, word='or')}",
            "Add {name: Else, steps: []} as its last branch, for all other outcomes.",
            key=True,
        )
