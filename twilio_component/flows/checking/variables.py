"""Config variables: declared and not used, used and not declared, and connections of an unknown kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps
from twilio_component.flows.model import (
    ConfigVar,
    Input,
    Integration,
    Value,
    all_steps,
    inner_inputs,
    step_inputs,
)
from twilio_component.host.errors import did_you_mean, join_names

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.host.model import Component

_IN_JAVASCRIPT = re.compile(r"""configVars\s*(?:\[\s*(["'`])(.*?)\1\s*\]|\.\s*([A-Za-z_$][\w$]*))""")


def check_variables(findings: Findings, integration: Integration, components: Mapping[str, Component]) -> None:
    """Report what is wrong with config variables and the ways they are used."""
    declared = integration.config_variables
    uses = [part for part in _every_input(integration) if isinstance(part, ConfigVar) and part.name]
    # A page asks for a variable; that alone does not use it.
    for part in (*uses, *_page_variables(findings.document.data)):
        if part.name not in declared:
            findings.add(
                "undeclared-config-variable",
                part.at,
                f"the config variable '{part.name}' is not declared{did_you_mean(part.name, declared)}",
                f"Declare it in requiredConfigVars, which has {join_names(declared, limit=30)}.",
            )
    texts = _connection_texts(integration, components)
    used = {part.name for part in uses} | set(_in_javascript(integration))
    for key, variable in declared.items():
        if key and key not in used:
            near = sorted(text for text in texts if did_you_mean(text, [key]))
            hint = f"Is '{near[0]}' meant to be it?" if near else "Remove it from requiredConfigVars, or use it."
            findings.add("unused-config-variable", (*variable.at, "key"), f"nothing uses '{key}'", hint)
        component = components.get(variable.component)
        # Of a component that is not installed, the steps say so; a slip of the pen may be used by none of them.
        if variable.connection and component is None and (hint := did_you_mean(variable.component, components)):
            message = f"the component '{variable.component}' is not installed{hint}"
            findings.add("component-not-installed", (*variable.at, "connection"), message)
        if variable.connection and component is not None and variable.connection not in component.connections:
            kinds = component.connections
            hint = did_you_mean(variable.connection, kinds) or f" (it has: {join_names(kinds)})"
            message = f"{variable.component} has no connection '{variable.connection}'{hint}"
            findings.add("unknown-action", (*variable.at, "connection"), message)


def _every_input(integration: Integration) -> Iterator[Input]:
    for flow in integration.flows:
        for step in all_steps(flow.steps):
            yield from step_inputs(step)
    for variable in integration.config_variables.values():
        for value in variable.inputs.values():
            yield from inner_inputs(value)


def _connection_texts(integration: Integration, components: Mapping[str, Component]) -> set[str]:
    """The texts that stand where a connection belongs: names of config variables, perhaps misspelt."""
    found = set()
    for flow in integration.flows:
        for step in all_steps(flow.steps):
            component = components.get(step.component)
            offered: Mapping[str, Any] = {}
            if component is not None:
                offered = component.triggers if step.is_trigger else component.actions
            operation = offered.get(step.action)
            properties = operation.inputs["properties"] if operation is not None else {}
            for name, value in step.inputs.items():
                if properties.get(name, {}).get("format") == "connection" and isinstance(value, Value):
                    found.add(str(value.value))
    return found


def _page_variables(data: Mapping[str, Any]) -> Iterator[ConfigVar]:
    """The config variables that the pages of a form ask for."""
    for section in ("configPages", "userLevelConfigPages"):
        pages = data.get(section)
        for index, page in enumerate(pages if isinstance(pages, list) else []):
            elements = page.get("elements") if isinstance(page, Mapping) else None
            for number, element in enumerate(elements if isinstance(elements, list) else []):
                if isinstance(element, Mapping) and element.get("type") == "configVar":
                    at = (section, index, "elements", number, "value")
                    yield ConfigVar(str(element.get("value")), at)


def _in_javascript(integration: Integration) -> Iterator[str]:
    """The config variables that JavaScript mentions: it is not run here, but it is meant to use them."""
    for flow in integration.flows:
        for step in all_steps(flow.steps):
            code: Any = step.inputs.get(control_steps.JAVASCRIPT.get(step.operation, ""))
            if isinstance(code, Value):
                for match in _IN_JAVASCRIPT.finditer(str(code.value)):
                    yield match[2] if match[2] is not None else match[3]
