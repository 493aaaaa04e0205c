"""The values of a flow's config variables on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_component.flows.model import Integration
    from twilio_component.flows.runner.configuration import Configuration, Values
    from twilio_component.host import Host


def working_values(integration: Integration, configuration: Configuration, host: Host) -> Values:
    """Return the values of the config variables.

    Raises ``InputError`` for one whose name is misspelt, and for a connection that cannot work. A missing one is an
    error of the step that needs it.
    """
    from twilio_component.flows.runner.configuration import check_names, config_values
    from twilio_component.flows.runner.connection_values import check_connections
    from twilio_component.host.environment import FileEnvironment

    environment = FileEnvironment()
    check_names([integration], configuration)
    values = config_values(integration, configuration, host.components, environment)
    check_connections(integration, values, configuration, host.components, environment, complete=False)
    return values
