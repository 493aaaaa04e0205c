"""References, held against the steps that have run where the reference stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.flows import control_steps
from twilio_component.flows.expressions.references import RESULTS
from twilio_component.flows.model import Flow, Reference, Step, all_steps, step_inputs
from twilio_component.host.errors import did_you_mean, join_names

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings


class ReferenceChecker:
    """Goes through a flow in the order in which it runs, and knows at each step what has run before it."""

    def __init__(self, findings: Findings, flow: Flow) -> None:
        self.findings = findings
        self.flow = flow
        self.every = {step.key: step for step in all_steps(flow.steps)}
        self.passed: set[str] = set()

    def check(self) -> None:
        """Report every reference that cannot have a value."""
        self._block(self.flow.steps, (), ())

    def _block(self, steps: tuple[Step, ...], visible: tuple[str, ...], loops: tuple[str, ...]) -> None:
        """Check a list of steps. ``visible`` are the steps before it, ``loops`` those around it."""
        seen = list(visible)
        for step in steps:
            for part in step_inputs(step):
                if isinstance(part, Reference):
                    self._reference(part, step, seen, loops)
            self.passed.add(step.key)
            if step.steps is not None:
                # A loop's own result is there after the loop; inside, there is currentItem.
                self._block(step.steps, tuple(seen), (*loops, step.key))
            seen.append(step.key)
            for branch in step.branches or ():
                self._block(branch.steps, tuple(seen), loops)
            # What a branch did can be referred to after it; it has no value when another branch was taken.
            seen.extend(_keys_in_branches(step))

    def _reference(self, reference: Reference, step: Step, visible: list[str], loops: tuple[str, ...]) -> None:
        name = reference.step
        if name not in self.every:
            hint = did_you_mean(name, self.every)
            steps = f"References can name {join_names(dict.fromkeys(visible), limit=30)} here."
            self.findings.add("unknown-step-reference", reference.at, f"there is no step '{name}'{hint}", steps)
        elif reference.part != RESULTS:
            self._item(reference, loops)
        elif name not in visible:
            self._not_run(reference, step, loops)

    def _item(self, reference: Reference, loops: tuple[str, ...]) -> None:
        if reference.step in loops:
            return
        around = (
            f"The loops around this step are {join_names(loops)}." if loops else "There is no loop around this step."
        )
        operation = self.every[reference.step].operation
        what = "is a loop, but not around this step" if operation in control_steps.LOOPS else "is not a loop"
        message = f"'{reference.step}' {what}, so it has no {reference.part} here"
        self.findings.add("loop-item-outside-loop", reference.at, message, around)

    def _not_run(self, reference: Reference, step: Step, loops: tuple[str, ...]) -> None:
        name = reference.step
        if name in loops:
            message = f"the loop '{name}' has no results before it ends"
            hint = f"Inside the loop there are {name}.currentItem and {name}.index."
            self.findings.add("later-step-reference", reference.at, message, hint)
        elif name == step.key or name not in self.passed:
            message = "a step cannot refer to itself" if name == step.key else f"the step '{name}' comes later"
            self.findings.add("later-step-reference", reference.at, message, "Move that step before this one.")
        else:
            message = f"the step '{name}' is inside a branch or a loop, and its results cannot be seen from here"
            hint = "Refer to it from inside, or keep its result with persist-data.saveExecutionValue."
            self.findings.add("other-branch-reference", reference.at, message, hint)


def _keys_in_branches(step: Step) -> list[str]:
    """The steps inside a step's branches that keep their results: those that are in no loop there."""
    keys: list[str] = []
    for branch in step.branches or ():
        for inner in branch.steps:
            keys += [inner.key, *_keys_in_branches(inner)]
    return keys
