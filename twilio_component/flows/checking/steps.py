"""What several checks ask about a step."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.model import Step
    from twilio_component.host.manifest.documents import PathParts
    from twilio_component.host.model import Action, Component


def action_place(findings: Findings, step: Step) -> PathParts:
    """The path of what names a step's action: the key itself, where component and key are written apart."""
    at = (*step.at, "action")
    return (*at, "key") if (*at, "key") in findings.document.values else at


def action_of(step: Step, components: Mapping[str, Component]) -> Action | None:
    """The action of a step; None where its component is not installed or has none of this name."""
    component = components.get(step.component)
    return component.actions.get(step.action) if component is not None else None


def asks(step: Step, components: Mapping[str, Component], mocked: Collection[str]) -> bool:
    """Whether the step asks a person and waits for the answer."""
    action = None if step.is_trigger else action_of(step, components)
    return action is not None and action.asks is not None and step.operation not in mocked
