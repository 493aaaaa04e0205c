"""The emulator in the place of Twilio: connections of a configuration that lead to it. Used by ``flow run`` too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.connection import emulator_connection
from twilio_component.flows.model import environment_name
from twilio_component.host.environment import FileEnvironment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twilio_component.flows import Configuration
    from twilio_component.flows.model import ConfigVariable, Integration


def twilio_connections(integration: Integration) -> list[ConfigVariable]:
    """Return the config variables that are connections to Twilio."""
    return [
        variable
        for variable in integration.config_variables.values()
        if variable.is_connection and variable.component == "twilio"
    ]


def with_emulator(
    configuration: Configuration, variables: Iterable[ConfigVariable], base_url: str = ""
) -> Configuration:
    """Return the configuration with these connections led to the emulator: real credentials stay unused.

    ``base_url`` is where the emulator listens, if it does not carry the requests itself.
    """
    connection: dict[str, Any] = emulator_connection()
    if base_url:
        connection["fields"]["baseUrl"] = base_url
    ours = {variable.key: connection for variable in variables}
    return replace(configuration, config_vars={**configuration.config_vars, **ours})


def without_connections(environment: Mapping[str, str], variables: Iterable[ConfigVariable]) -> FileEnvironment:
    """Return the environment without the values of these connections, which would win over a configuration."""
    return FileEnvironment(environment).without({environment_name(variable.key) for variable in variables})
