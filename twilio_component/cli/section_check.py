"""Whether the sections of a configuration that served flows follow are right, for commands that serve nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_component.durable.settings import Settings
    from twilio_component.flows import Configuration
    from twilio_component.host import Host


def check_sections(configuration: Configuration, host: Host) -> Settings | None:
    """Return the settings in the configuration, None where it has no such section.

    Raises ``InputError`` with the file and line of what is wrong. Secrets that it only names are not read: they are
    where the flows are served.
    """
    if not configuration.durability:
        return None
    from twilio_component.durable.sending.sender_rates import names_of_senders, settings_of_senders
    from twilio_component.durable.settings import settings_from
    from twilio_component.serving.endpoint_keys import check_key_section
    from twilio_component.serving.webhook_settings import webhook_settings

    with configuration.placing_problems():
        settings = settings_from(configuration.durability, reads_secrets=False)
        webhook_settings(configuration.durability)
        check_key_section(configuration.durability.get("endpointKeys", {}))
        names_of_senders(settings.senders, host.components)
        for section, values in (
            ("rateLimits", settings.rates),
            ("quietHours", settings.quiet_hours),
            ("frequencyCaps", settings.frequency_caps),
            ("order", settings.orders),
        ):
            settings_of_senders(section, values, host.components)
    return settings
