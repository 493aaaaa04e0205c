"""The picture of a flow: its steps, branches and loops, with the way that a run took through them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps
from twilio_component.flows.model import find_flow
from twilio_component.flows.parsing.reader import load_integration

if TYPE_CHECKING:
    from twilio_component.flows.model import Flow, Step

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


def flow_picture(file: str, text: str, name: str, way: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps of the flow ``name`` of a definition, in their order; raises ``FlowError`` for one that has no such.

    A step is ``{"id", "name", "action", "kind", "state", "count"}``, a loop has its ``steps`` and ``concurrency``, and
    a step with branches has ``branches``, each ``{"name", "taken", "steps"}``. ``way`` has the steps that the run has
    reached, see ``RunPages.way``; a step that it has not reached has the state None.
    """
    return _block(_flow(file, text, name).steps, "", way)


@lru_cache(maxsize=50)
def _flow(file: str, text: str, name: str) -> Flow:
    return find_flow(load_integration(file, text=text), name)


def _block(steps: tuple[Step, ...], around: str, way: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    nodes = [_node(step, around, way) for step in steps]
    # Steps of control leave no result: the run has passed those behind which it has been.
    reached = False
    for node in reversed(nodes):
        if node["state"] is None and (reached or _is_inside(node)):
            node["state"] = PASSED
        reached = reached or node["state"] is not None
    return nodes


def _node(step: Step, around: str, way: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
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
        node["steps"] = _block(step.steps, f"{place}.", way)
    if step.branches is not None:
        node["branches"] = [_branch(branch.name, _block(branch.steps, around, way)) for branch in step.branches]
    return node


def _branch(name: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "taken": any(step["state"] is not None for step in steps), "steps": steps}


def _is_inside(node: Mapping[str, Any]) -> bool:
    """Whether the run has reached a step inside this one."""
    steps = node.get("steps") or ()
    return any(step["state"] is not None for step in steps) or any(one["taken"] for one in node.get("branches") or ())
