"""What running a flow may lead to: other flows that it starts, and effects in the world."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from twilio_component.flows import control_steps
from twilio_component.flows.model import Flow, Integration, Value, all_steps

if TYPE_CHECKING:
    from twilio_component.host.model import Component


def reachable_flows(integration: Integration, flow: Flow) -> list[Flow]:
    """The flow and those that it starts, directly or not. A name that only running will tell may be any flow's."""
    found, waiting = [], [flow]
    while waiting:
        current = waiting.pop(0)
        if current in found:
            continue
        found.append(current)
        for step in all_steps(current.steps):
            if step.operation == control_steps.INVOKE_FLOW:
                name = step.inputs.get("flowName")
                fixed = name.value if isinstance(name, Value) else None
                waiting += [other for other in integration.flows if fixed in (None, other.name)]
    return found


def side_effects(
    flows: Collection[Flow], components: Mapping[str, Component], mocked: Collection[str] = ()
) -> list[str]:
    """The actions of the flows that do something in the world: they may not simply be repeated, or change something."""
    found = []
    for step in (step for flow in flows for step in all_steps(flow.steps)):
        component = components.get(step.component)
        action = component.actions.get(step.action) if component else None
        harmless = action is None or not action.has_effect or step.operation in control_steps.INTERPRETED
        if not harmless and step.operation not in mocked:
            found.append(step.operation)
    return list(dict.fromkeys(found))
