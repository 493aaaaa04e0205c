"""The names of flows: of those that others start, and of those whose webhooks would have one path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from twilio_component.flows import control_steps
from twilio_component.flows.findings import Finding, Findings
from twilio_component.flows.model import Flow, Value, all_steps, camel_case
from twilio_component.flows.webhook_paths import path_segment
from twilio_component.host.errors import did_you_mean, join_names

if TYPE_CHECKING:
    from twilio_component.flows.model import Integration
    from twilio_component.flows.parsing.reader import Definition


def check_started_flows(findings: Findings, integration: Integration) -> None:
    """Report steps that start a flow that the integration does not have."""
    names = [flow.name for flow in integration.flows]
    for flow in integration.flows:
        for step in all_steps(flow.steps):
            target = step.inputs.get("flowName")
            if step.operation != control_steps.INVOKE_FLOW or not isinstance(target, Value) or not target.value:
                continue
            if target.value not in names:
                hint = did_you_mean(str(target.value), names)
                message = f"the integration has no flow of this name{hint} (flows: {join_names(names)})"
                findings.add("unknown-flow", target.at, message)


def check_webhook_paths(findings: Findings, integration: Integration) -> None:
    """Report flows whose webhooks have the same path, as ``Two`` and ``two`` have: a server refuses them."""
    seen: dict[str, Flow] = {}
    for flow in _flows_with_webhooks(integration):
        other = seen.setdefault(camel_case(flow.name), flow)
        if other.name != flow.name:  # flows of one name are reported already
            message = f"the webhook of '{flow.name}' would have the same path as that of '{other.name}'"
            hint = f"Rename one of them: the path of both ends with /{path_segment(flow.name)}."
            findings.add("duplicate-name", (*flow.at, "name"), message, hint)


def same_paths(definitions: Iterable[Definition]) -> list[Finding]:
    """The flows of several files whose webhooks have the same path: one process cannot serve these files together."""
    found: list[Finding] = []
    seen: dict[str, tuple[Flow, Definition]] = {}
    for one in definitions:
        if one.integration is None:
            continue
        findings = Findings(one.document)
        for flow in _flows_with_webhooks(one.integration):
            path = f"/{path_segment(one.integration.name)}/{path_segment(flow.name)}"
            other, definition = seen.setdefault(path, (flow, one))
            if definition is not one:
                message = f"'{flow.name}' would have the path {path} of '{other.name}' in {definition.document.file}"
                findings.add("same-path", (*flow.at, "name"), message, "Rename a flow or an integration to serve both.")
        found += findings.found
    return found


def _flows_with_webhooks(integration: Integration) -> Iterator[Flow]:
    for flow in integration.flows:
        if flow.trigger.schedule is None and flow.trigger.operation != control_steps.SCHEDULE:
            yield flow
