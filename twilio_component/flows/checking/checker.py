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
from twilio_component.flows.checking.code_native import is_code_native, report_code_native
from twilio_component.flows.checking.exclusive_inputs import check_exclusive_inputs
from twilio_component.flows.checking.inputs import InputChecker
from twilio_component.flows.checking.item_files import check_item_file
from twilio_component.flows.checking.paths import check_paths
from twilio_component.flows.checking.placeholders import check_placeholders
from twilio_component.flows.checking.references import ReferenceChecker
from twilio_component.flows.checking.schedules import check_schedule
from twilio_component.flows.checking.variables import check_variables
from twilio_component.flows.expressions.references import as_text
from twilio_component.flows.findings import ERROR, Finding, Findings, FlowError, unexpected_effects
from twilio_component.flows.model import (
    Flow,
    Integration,
    Reference,
    Source,
    Step,
    Value,
    all_operations,
    all_steps,
    camel_case,
    inner_inputs,
    inner_steps,
)
from twilio_component.flows.parsing.reader import Definition, read_definition
from twilio_component.host.errors import did_you_mean, join_names, json_path
from twilio_component.host.plugin_manager import Components
from twilio_component.host.questions import OTHERWISE, OUTCOMES

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
        for flow in self.integration.flows:
            ReferenceChecker(self.findings, flow).check()
            check_paths(self.findings, flow, self.components, self.mocked)
            for step in all_steps(flow.steps):
                if step.operation not in self.mocked:
                    self.operation(step)
                self.loop(step)
                self.branches(step)
                self.unexpected_branches(step)
                self.outcomes(step)
                check_schedule(self.findings, step)
                self.order(step)
            self.breaks(flow)
        self.started_flows()
        self.webhook_paths()

    def operation(self, step: Step) -> None:
        at = self.action_place(step)
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

    def action_place(self, step: Step) -> PathParts:
        """The path of what names a step's action: the key itself, where component and key are written apart."""
        at = (*step.at, "action")
        return (*at, "key") if (*at, "key") in self.findings.document.values else at

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

    def unexpected_branches(self, step: Step) -> None:
        if step.branches is None or step.is_trigger or step.operation in control_steps.BRANCHES:
            return
        component = self.components.get(step.component)
        action = component.actions.get(step.action) if component is not None else None
        if action is not None and not action.branches and step.operation not in self.mocked:
            message = f"{step.operation} never branches, so these steps never run"
            self.findings.add("unexpected-branches", (*step.at, "branches"), message, key=True)

    def loop(self, step: Step) -> None:
        if step.source is not None:
            if "items" in step.inputs:
                message = f"'{step.name}' has items and itemsFrom; it can have one of them"
                self.findings.add("invalid-loop", (*step.at, "inputs", "items"), message, key=True)
            self.source(step.source)
        if step.concurrency is None:
            return
        for inner, depth in inner_steps(step):
            at = self.action_place(inner)
            if inner.concurrency is not None:
                message = f"'{inner.name}' is inside another loop with a concurrency; the outer one is enough"
                self.findings.add("invalid-loop", (*inner.at, "concurrency"), message, key=True)
            elif inner.operation == control_steps.BREAK_LOOP and depth == 0:
                message = f"'{inner.name}' cannot leave a concurrent loop"
                self.findings.add("invalid-loop", at, message, "stop-execution.stopExecution ends one iteration.")
            elif self.asks(inner):
                message = f"'{inner.name}' waits for a person, which a concurrent loop cannot"
                hint = "Let each iteration start a flow that asks, with invokeFlow."
                self.findings.add("invalid-loop", at, message, hint)
            elif inner.component == control_steps.PERSISTENCE and "Execution" in inner.action:
                message = f"'{inner.name}' stores a value for an execution, and each iteration is one of its own"
                self.findings.add("invalid-loop", at, message, "The loop's result counts its iterations.")

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

    def asks(self, step: Step) -> bool:
        """Whether the step asks a person and waits for the answer."""
        component = self.components.get(step.component)
        action = component.actions.get(step.action) if component is not None and not step.is_trigger else None
        return action is not None and action.asks is not None and step.operation not in self.mocked

    def outcomes(self, step: Step) -> None:
        """Check the branches of a step that asks: one for each outcome, or Else for the others."""
        if step.branches is None or not self.asks(step):
            return
        names = [branch.name for branch in step.branches]
        for branch in step.branches:
            if branch.name not in (*OUTCOMES, OTHERWISE):
                hint = did_you_mean(branch.name, OUTCOMES) or f" (its branches: {join_names((*OUTCOMES, OTHERWISE))})"
                message = f"{step.operation} has no branch '{branch.name}'{hint}"
                self.findings.add("unknown-branch", branch.at, message)
        missing = [name for name in OUTCOMES if name not in names]
        if missing and OTHERWISE not in names:
            self.findings.add(
                "branch-without-else",
                (*step.at, "branches"),
                f"'{step.name}' has no branch for {join_names(missing, word='or')}",
                "Add {name: Else, steps: []} as its last branch, for all other outcomes.",
                key=True,
            )

    def source(self, source: Source) -> None:
        if source.file is not None:
            if any(isinstance(part, Reference) for part in inner_inputs(source.file)):
                message = "the name of a file cannot depend on a step: it would be a stranger's to choose"
                self.findings.add("invalid-loop", source.file.at, message, "A config variable can name it.")
            else:
                check_item_file(self.findings, source.file)
            return
        listing = source.listing
        if listing is None or listing.operation in self.mocked:
            return
        self.operation(listing)
        component = self.components.get(listing.component)
        action = component.actions.get(listing.action) if component is not None else None
        if component is not None and action is not None and action.page is None:
            able = [key for key, offered in component.actions.items() if offered.page is not None]
            message = (
                f"{listing.operation} does not list page by page (of {component.key}: {join_names(able, word='or')})"
            )
            self.findings.add("invalid-loop", self.action_place(listing), message)

    def branches(self, step: Step) -> None:
        if step.operation not in control_steps.BRANCHES or step.branches is None:
            return
        names = [branch.name for branch in step.branches]
        if control_steps.ELSE not in names:
            self.findings.add(
                "branch-without-else",
                (*step.at, "branches"),
                f"'{step.name}' has no branch named {control_steps.ELSE}",
                "Add {name: Else, steps: []} as its last branch, for when no other condition is true.",
                key=True,
            )
        led_to = self.targets(step)
        if led_to is None:
            return
        for name, at in led_to.items():
            if name not in names:
                hint = did_you_mean(name, names)
                message = f"there is no branch '{name}'{hint} (branches: {join_names(names)})"
                self.findings.add("unknown-branch", at, message)
        for branch in step.branches:
            if branch.name != control_steps.ELSE and branch.name not in led_to:
                self.findings.add(
                    "branch-never-taken",
                    branch.at,
                    f"the branch '{branch.name}' is never taken",
                    "Add a condition or a mapping with this name, or remove the branch.",
                )

    def targets(self, step: Step) -> dict[str, tuple[str | int, ...]] | None:
        """The branches that conditions or mappings lead to, each with where it says so; None when that varies."""
        if step.operation == control_steps.BRANCH_ON_EXPRESSION:
            return {name: condition.at for name, condition in step.conditions or ()}
        mappings: Any = step.inputs.get("branchValueMappings")
        if hasattr(mappings, "fields"):
            return {name: value.at for name, value in mappings.fields}
        targets = {}
        for item in getattr(mappings, "items", ()):
            if not isinstance(item.name, Value):
                return None
            targets[as_text(item.name.value)] = item.value.at
        return targets

    def breaks(self, flow: Flow) -> None:
        inside = {
            id(inner) for step in all_steps(flow.steps) if step.steps is not None for inner in all_steps(step.steps)
        }
        for step in all_steps(flow.steps):
            if step.operation == control_steps.BREAK_LOOP and id(step) not in inside:
                hint = "breakLoop belongs inside a loop's steps; stop-execution.stopExecution ends the whole execution."
                self.findings.add("break-outside-loop", step.at, f"'{step.name}' is not in a loop", hint)

    def started_flows(self) -> None:
        names = [flow.name for flow in self.integration.flows]
        for flow in self.integration.flows:
            for step in all_steps(flow.steps):
                target = step.inputs.get("flowName")
                fixed = step.operation == control_steps.INVOKE_FLOW and isinstance(target, Value) and target.value
                if fixed and target.value not in names:  # type: ignore[union-attr]  # `fixed` says that it is a Value
                    hint = did_you_mean(str(target.value), names)  # type: ignore[union-attr]  # as above
                    message = f"the integration has no flow of this name{hint} (flows: {join_names(names)})"
                    self.findings.add("unknown-flow", target.at, message)  # type: ignore[union-attr]  # as above

    def webhook_paths(self) -> None:
        """Report flows whose webhooks have the same path, as ``Two`` and ``two`` have: a server refuses them."""
        seen: dict[str, Flow] = {}
        for flow in self.integration.flows:
            if flow.trigger.schedule is not None or flow.trigger.operation == control_steps.SCHEDULE:
                continue
            other = seen.setdefault(camel_case(flow.name), flow)
            if other.name != flow.name:  # flows of one name are reported already
                message = f"the webhook of '{flow.name}' would have the same path as that of '{other.name}'"
                hint = f"Rename one of them: the path of both ends with /{camel_case(flow.name)}."
                self.findings.add("duplicate-name", (*flow.at, "name"), message, hint)
