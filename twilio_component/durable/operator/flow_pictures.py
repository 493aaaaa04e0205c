"""The picture of a flow: its steps, branches and loops, with the way that a run took through them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps
from twilio_component.flows.model import find_flow
from twilio_component.flows.parsing.reader import load_integration

if TYPE_CHECKING:
    from twilio_component.flows.model import Branch, Flow, Step

_KINDS = {
    **dict.fromkeys(control_steps.LOOPS, "loop"),
    **dict.fromkeys(control_steps.BRANCHES, "branch"),
    control_steps.SLEEP: "wait",
    control_steps.INVOKE_FLOW: "start",
    control_steps.STOP_EXECUTION: "stop",
    control_steps.BREAK_LOOP: "break",
}
PASSED = "passed"
"""The state of a step that leaves no result of its own, and behind which the run has been."""


EACH = "each"
"""The state of a step that iterations of their own reach, each for its item: how they ended, the list says."""


def flow_picture(
    file: str, text: str, name: str, way: Mapping[str, Mapping[str, Any]], *, is_over: bool = False
) -> list[dict[str, Any]]:
    """The steps of the flow ``name`` of a definition, in their order; raises ``FlowError`` for one that has no such.

    A step is ``{"id", "name", "action", "kind", "state", "count"}``, a loop has its ``steps`` and ``concurrency``, and
    a step with branches has ``branches``, each ``{"name", "taken", "steps"}``. ``way`` has the steps that the run has
    reached, see ``RunPages.way``; a step that it has not reached has the state None. ``is_over`` says that the run has
    come to the end of its flow.
    """
    return _block(_flow(file, text, name).steps, "", way, is_over=is_over)


@lru_cache(maxsize=50)
def _flow(file: str, text: str, name: str) -> Flow:
    return find_flow(load_integration(file, text=text), name)


def _block(
    steps: tuple[Step, ...], around: str, way: Mapping[str, Mapping[str, Any]], *, is_over: bool
) -> list[dict[str, Any]]:
    """The steps of a list of steps; ``is_over`` says that the run has come to its end, or behind it."""
    nodes: list[dict[str, Any]] = []
    for step in reversed(steps):
        # Steps of control leave no result: the run has passed those behind which it has been.
        node = _node(step, around, way, is_over=is_over)
        if node["state"] is None and (is_over or _is_inside(node)):
            node["state"] = PASSED
        is_over = is_over or node["state"] is not None
        nodes.insert(0, node)
    return nodes


def _node(step: Step, around: str, way: Mapping[str, Mapping[str, Any]], *, is_over: bool) -> dict[str, Any]:
    place = f"{around}{step.key}"
    found = way.get(place, {})
    node: dict[str, Any] = {
        "id": place,
        "name": step.name,
        "action": step.operation,
        "kind": "trigger" if step.is_trigger else _KINDS.get(step.operation, "action"),
        "state": found.get("state"),
        "count": found.get("count", 0),
    }
    if step.steps is not None:
        node["concurrency"] = step.concurrency
        node["steps"] = _block(step.steps, f"{place}.", way, is_over=False)
        if step.concurrency is not None and found:
            _mark_each(node["steps"])
    if step.branches is not None:
        node["branches"] = [_branch(branch, around, way, is_over=is_over) for branch in step.branches]
    return node


def _branch(branch: Branch, around: str, way: Mapping[str, Mapping[str, Any]], *, is_over: bool) -> dict[str, Any]:
    steps = _block(branch.steps, around, way, is_over=False)
    taken = any(step["state"] is not None for step in steps)
    if taken and is_over:
        steps = _block(branch.steps, around, way, is_over=True)
    return {"name": branch.name, "taken": taken, "steps": steps}


def _mark_each(nodes: list[dict[str, Any]]) -> None:
    waiting = [*nodes]
    while waiting:
        node = waiting.pop()
        node["state"] = EACH
        waiting += node.get("steps") or ()
        waiting += [step for branch in node.get("branches") or () for step in branch["steps"]]


def _is_inside(node: Mapping[str, Any]) -> bool:
    """Whether the run has reached a step inside this one."""
    steps = node.get("steps") or ()
    return any(step["state"] is not None for step in steps) or any(one["taken"] for one in node.get("branches") or ())
