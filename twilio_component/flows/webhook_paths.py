"""The paths of flows' webhooks."""

from __future__ import annotations

from urllib.parse import quote

from twilio_component.flows.model import camel_case


def path_segment(name: str) -> str:
    """How the URL of a flow's webhook writes a name: as references do, and encoded, since a URL has ASCII alone.

    >>> path_segment("Café Reminders")
    'caf%C3%A9Reminders'
    """
    return quote(camel_case(name))
