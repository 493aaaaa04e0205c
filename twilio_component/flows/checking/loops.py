"""Loops: where their items come from, what may stand in a concurrent one, and what belongs inside one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from twilio_component.flows import control_steps
from twilio_component.flows.checking.item_files import check_item_file
from twilio_component.flows.checking.steps import action_of, action_place, asks
from twilio_component.flows.model import Flow, Reference, Source, Step, all_steps, inner_inputs, inner_steps
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.host.model import Component


def check_loop(findings: Findings, step: Step, components: Mapping[str, Component], mocked: Collection[str]) -> None:
    """Report items from two places or from nowhere, and steps that cannot run concurrently where they would."""
    if step.source is not None:
        if "items" in step.inputs:
            message = f"'{step.name}' has items and itemsFrom; it can have one of them"
            findings.add("invalid-loop", (*step.at, "inputs", "items"), message, key=True)
        _check_source(findings, step.source, components, mocked)
    if step.concurrency is None:
        return
    for inner, depth in inner_steps(step):
        at = action_place(findings, inner)
        if inner.concurrency is not None:
            message = f"'{inner.name}' is inside another loop with a concurrency; the outer one is enough"
            findings.add("invalid-loop", (*inner.at, "concurrency"), message, key=True)
        elif inner.operation == control_steps.BREAK_LOOP and depth == 0:
            message = f"'{inner.name}' cannot leave a concurrent loop"
            findings.add("invalid-loop", at, message, "stop-execution.stopExecution ends one iteration.")
        elif asks(inner, components, mocked):
            message = f"'{inner.name}' waits for a person, which a concurrent loop cannot"
            hint = "Let each iteration start a flow that asks, with invokeFlow."
            findings.add("invalid-loop", at, message, hint)
        elif inner.component == control_steps.PERSISTENCE and "Execution" in inner.action:
            message = f"'{inner.name}' stores a value for an execution, and each iteration is one of its own"
            findings.add("invalid-loop", at, message, "The loop's result counts its iterations.")


def check_breaks(findings: Findings, flow: Flow) -> None:
    """Report ``breakLoop`` outside of loops."""
    inside = {id(inner) for step in all_steps(flow.steps) if step.steps is not None for inner in all_steps(step.steps)}
    for step in all_steps(flow.steps):
        if step.operation == control_steps.BREAK_LOOP and id(step) not in inside:
            hint = "breakLoop belongs inside a loop's steps; stop-execution.stopExecution ends the whole execution."
            findings.add("break-outside-loop", step.at, f"'{step.name}' is not in a loop", hint)


def _check_source(
    findings: Findings, source: Source, components: Mapping[str, Component], mocked: Collection[str]
) -> None:
    if source.file is not None:
        if any(isinstance(part, Reference) for part in inner_inputs(source.file)):
            message = "the name of a file cannot depend on a step: it would be a stranger's to choose"
            findings.add("invalid-loop", source.file.at, message, "A config variable can name it.")
        else:
            check_item_file(findings, source.file)
        return
    listing = source.listing
    if listing is None or listing.operation in mocked:
        return
    action = action_of(listing, components)
    if action is not None and action.page is None:
        able = [key for key, offered in components[listing.component].actions.items() if offered.page is not None]
        message = f"{listing.operation} does not list page by page"
        hint = (
            f"Of {listing.component}, {join_names(able, word='or')} can; a step before the loop can give it items, too."
        )
        findings.add("invalid-loop", action_place(findings, listing), message, hint)
