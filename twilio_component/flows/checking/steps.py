"""What several checks ask about a step."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.model import Step
    from twilio_component.host.manifest.documents import PathParts
    from twilio_component.host.model import Component


def action_place(findings: Findings, step: Step) -> PathParts:
    """The path of what names a step's action: the key itself, where component and key are written apart."""
    at = (*step.at, "action")
    return (*at, "key") if (*at, "key") in findings.document.values else at


def asks(step: Step, components: Mapping[str, Component], mocked: Collection[str]) -> bool:
    """Whether the step asks a person and waits for the answer."""
    component = components.get(step.component)
    action = component.actions.get(step.action) if component is not None and not step.is_trigger else None
    return action is not None and action.asks is not None and step.operation not in mocked
