"""Inputs of triggers that name what only one flow can have: the webhook of a phone number leads to one flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.model import ConfigVar, Value

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.model import Flow, Integration
    from twilio_component.host.model import Component

_OPTION = "exclusiveInputs"
Claim = tuple[str, str, str]
"""What a flow alone can have, of which value of which input: ``("its webhook", "phoneNumber", "+15017122661")``."""


def exclusive_claims(options: Mapping[str, Any], inputs: Mapping[str, Any]) -> frozenset[Claim]:
    """What these inputs of a trigger with these ``options`` claim for its flow alone."""
    exclusive: Mapping[str, str] = options.get(_OPTION, {})
    return frozenset((what, name, str(inputs[name])) for name, what in exclusive.items() if inputs.get(name))


def check_exclusive_inputs(findings: Findings, integration: Integration, components: Mapping[str, Component]) -> None:
    """Report triggers that name the same, by a value or a config variable: each restart would give it to another."""
    seen: dict[tuple[str, ...], Flow] = {}
    for flow in integration.flows:
        component = components.get(flow.trigger.component)
        trigger = component.triggers.get(flow.trigger.action) if component is not None else None
        exclusive: Mapping[str, str] = {} if trigger is None else trigger.options.get(_OPTION, {})
        for name, what in exclusive.items():
            given = flow.trigger.inputs.get(name)
            text = _text(given)
            if given is None or not text:
                continue
            other = seen.setdefault((flow.trigger.component, what, type(given).__name__, text), flow)
            if other is not flow:
                line = findings.document.position(other.trigger.inputs[name].at).line
                message = f"'{other.name}' has the same {name} (line {line}), and only one flow can have {what}"
                hint = "Let one flow receive the messages and branch, or start the other one with invokeFlow."
                findings.add("shared-webhook", given.at, message, hint)


def _text(given: Any) -> str:
    if isinstance(given, ConfigVar):
        return given.name
    return str(given.value or "").strip() if isinstance(given, Value) else ""
