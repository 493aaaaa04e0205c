"""Everything that can be said about a flow definition without running it.

`reading` has said what is wrong with a file's shape; here its steps are held against the components that are
installed, its references against the steps, its config variables against their declarations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps
from twilio_component.flows.checking.branches import check_branches
from twilio_component.flows.checking.code_native import is_code_native, report_code_native
from twilio_component.flows.checking.exclusive_inputs import check_exclusive_inputs
from twilio_component.flows.checking.flow_names import check_started_flows, check_webhook_paths
from twilio_component.flows.checking.inputs import InputChecker
from twilio_component.flows.checking.loops import check_breaks, check_loop
from twilio_component.flows.checking.paths import check_paths
from twilio_component.flows.checking.placeholders import check_placeholders
from twilio_component.flows.checking.references import ReferenceChecker
from twilio_component.flows.checking.schedules import check_schedule
from twilio_component.flows.checking.steps import action_place
from twilio_component.flows.checking.variables import check_variables
from twilio_component.flows.findings import ERROR, Finding, Findings, FlowError, unexpected_effects
from twilio_component.flows.model import (
    Flow,
    Integration,
    Step,
    all_operations,
    all_steps,
)
from twilio_component.flows.parsing.reader import Definition, read_definition
from twilio_component.host.errors import did_you_mean, join_names, json_path
from twilio_component.host.plugin_manager import Components

if TYPE_CHECKING:
    from twilio_component.host.manifest.documents import PathParts
    from twilio_component.host.model import Component


def check_file(
    path: Path | str,
    components: Mapping[str, Component],
    *,
    text: str | None = None,
    mocked: Collection[str] = (),
) -> list[Finding]:
    """Everything that is wrong with a file, in the order of its lines; an empty list when there is nothing.

    The operations in ``mocked`` (``component.action``) need not be installed, and their inputs are not checked.
    """
    return check_integration(read_definition(path, text=text), components, mocked=mocked)


def check_integration(
    definition: Definition,
    components: Mapping[str, Component],
    *,
    mocked: Collection[str] = (),
    flows: Collection[Flow] | None = None,
) -> list[Finding]:
    """The findings of reading the definition, and those that its integration and the components give.

    The operations in ``mocked`` (``component.action``) need not be installed, and their inputs are not checked. With
    ``flows``, only these flows of the integration are checked: mistakes inside the others do not matter.
    """
    if definition.integration is None:
        return definition.findings
    findings = Findings(definition.document)
    integration, known = definition.integration, definition.findings
    if flows is not None:
        others = tuple(f"{json_path(flow.at)}." for flow in integration.flows if flow not in flows)
        known = [finding for finding in known if not finding.path.startswith(others)]
        integration = replace(integration, flows=tuple(flows))
    findings.found.extend(known)
    if is_code_native(definition.document.data):
        report_code_native(findings)
        return findings.in_order()
    _Checker(findings, integration, components, mocked).check()
    check_variables(findings, integration, components)
    check_placeholders(findings, integration)
    check_exclusive_inputs(findings, integration, components)
    return findings.in_order()


def check_usable(
    file: Path | str, components: Mapping[str, Component], *, text: str | None = None, purpose: str = "run"
) -> list[Finding]:
    """Check a file that is about to be used; return the warnings that concern what its flows do.

    Raises ``FlowError`` with the errors. ``purpose`` completes its first line: ``FILE cannot be run``.
    """
    findings = check_file(file, components, text=text)
    errors = [finding for finding in findings if finding.severity == ERROR]
    if errors:
        raise FlowError(f"{file} cannot be {purpose}", errors)
    return unexpected_effects(findings)


class _Checker:
    def __init__(
        self,
        findings: Findings,
        integration: Integration,
        components: Mapping[str, Component],
        mocked: Collection[str],
    ) -> None:
        self.mocked = mocked
        self.findings = findings
        self.integration = integration
        self.components = components
        self.missing: set[str] = set()

    def check(self) -> None:
        findings, components, mocked = self.findings, self.components, self.mocked
        for flow in self.integration.flows:
            ReferenceChecker(findings, flow).check()
            check_paths(findings, flow, components, mocked)
            for step in all_steps(flow.steps):
                for one in (step, step.source.listing if step.source is not None else None):
                    if one is not None and one.operation not in mocked:
                        self.operation(one)
                check_loop(findings, step, components, mocked)
                check_branches(findings, step, components, mocked)
                check_schedule(findings, step)
                self.order(step)
            check_breaks(findings, flow)
        check_started_flows(findings, self.integration)
        check_webhook_paths(findings, self.integration)

    def operation(self, step: Step) -> None:
        at = action_place(self.findings, step)
        if step.operation in control_steps.JAVASCRIPT:
            self.findings.add(
                "javascript-not-run",
                at,
                f"'{step.name}' is JavaScript, which is not run here",
                f"Use built-in actions instead, or, in `flow run`, stand in for it with --mock {step.operation}=JSON.",
            )
            return
        component = self.components.get(step.component)
        if component is None:
            self.component_missing(step.component, at)
            return
        offered: Mapping[str, Any] = component.triggers if step.is_trigger else component.actions
        kind = "trigger" if step.is_trigger else "action"
        others = component.actions if step.is_trigger else component.triggers
        if step.action not in offered and step.action in others:
            other = (
                "an action, without isTrigger: true" if step.is_trigger else "a trigger: its step has isTrigger: true"
            )
            self.findings.add(
                "unknown-action", at, f"'{step.action}' of {step.component} is {other}", "Correct the step."
            )
            return
        if step.action not in offered:
            hint = did_you_mean(step.action, offered) or f"; it has {join_names(offered)}"
            self.findings.add(
                "unknown-action",
                at,
                f"{step.component} has no {kind} '{step.action}'{hint}",
                f"Correct the key, or, in `flow run`, stand in for it with --mock {step.operation}=JSON.",
            )
            return
        connections = [key for key, variable in self.integration.config_variables.items() if variable.is_connection]
        InputChecker(self.findings, component, offered[step.action], connections).check(step)

    def component_missing(self, key: str, at: PathParts) -> None:
        if key in self.missing:
            return
        self.missing.add(key)
        used = [name for flow in self.integration.flows for name in all_operations(flow.steps)]
        mocks = [name for name in dict.fromkeys(used) if name.startswith(f"{key}.") and name not in self.mocked]
        message = f"the component '{key}' is not installed{did_you_mean(key, self.components)}"
        remedy = (
            "Install the Python package that provides it (its entry point is in the group integration_components: "
            "pip install PACKAGE)"
        )
        failures = self.components.failures if isinstance(self.components, Components) else ()
        if failures:
            remedy += f", or mend it: {'; '.join(str(failure.error) for failure in failures)}"
        for failure in failures:
            if failure.plugin.replace("_", "-") == key.replace("_", "-"):
                message, remedy = f"the component '{key}' cannot be used: {failure.error}", "Mend its package"
        stand_in = " ".join(f"--mock {name}=JSON" for name in mocks)
        self.findings.add(
            "component-not-installed", at, message, f"{remedy}, or, in `flow run`, stand in for it with {stand_in}."
        )

    def order(self, step: Step) -> None:
        """Check that an order in a conversation has a conversation: the trigger, or the action, concerns a person."""
        component = self.components.get(step.component)
        if step.order is None or component is None:
            return
        if step.is_trigger:
            trigger = component.triggers.get(step.action)
            concerns = trigger is None or trigger.identify_reply is not None
        else:
            action = component.actions.get(step.action)
            concerns = action is None or "contact" in action.options or action.asks is not None
        if not concerns:
            message = f"{step.operation} concerns no conversation, so order has no effect on it"
            self.findings.add("invalid-limit", (*step.at, "order"), message, key=True)
