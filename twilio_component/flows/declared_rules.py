"""The rules about sending that an integration declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.flows.model import Flow, Integration, all_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twilio_component.flows.send_rules import QuietHours


def has_send_rules(flow: Flow) -> bool:
    """Whether the flow has quiet hours, also of a step, or frequency caps."""
    return flow.frequency_caps is not None or any(_quiet_hours(flow))


def answers_in_quiet_hours(integration: Integration) -> bool:
    """Whether quiet hours of a flow or a step let messages pass to somebody who has just written."""
    return any(rule.except_replies is not None for flow in integration.flows for rule in _quiet_hours(flow))


def _quiet_hours(flow: Flow) -> Iterator[QuietHours]:
    rules = (flow.quiet_hours, *(step.quiet_hours for step in all_steps(flow.steps)))
    yield from (rule for rule in rules if rule is not None)
