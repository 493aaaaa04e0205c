"""What must be there before flows are served, checked at start and not when a message is to be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from twilio_component.flows.model import environment_name
from twilio_component.host.errors import InputError, Problem, join_names

if TYPE_CHECKING:
    from twilio_component.durable.deployment import LoadedDefinition
    from twilio_component.host.model import Component


def check_connections(definition: LoadedDefinition, components: Mapping[str, Component]) -> None:
    """Raise ``InputError`` for connections of the definition that have no value, with the variables that give one."""
    problems = [*_missing(definition, components)]
    if problems:
        raise InputError(f"{definition.integration.file} cannot be served", problems)


def _missing(definition: LoadedDefinition, components: Mapping[str, Component]) -> Iterator[Problem]:
    for name, variable in definition.integration.config_variables.items():
        component = components.get(variable.component) if variable.is_connection else None
        value = definition.values.by_name.get(name) or {}
        kind = component.connections.get(value.get("key", "")) if component is not None else None
        if kind is None:
            continue  # a component that is not installed is a finding of the check
        fields = value.get("fields") or {}
        missing = [field for field in kind.inputs.get("required", ()) if fields.get(field) in (None, "")]
        if missing:
            properties = kind.inputs["properties"]
            own = [properties[field]["environment"] for field in missing if "environment" in properties[field]]
            hint = f", or the environment variables {join_names(own)}" if len(own) == len(missing) else ""
            yield Problem(
                f"configVars.{name}",
                f"has no {join_names(missing)}: give the connection in --config, or as JSON in "
                f"{environment_name(name)}{hint}",
            )
