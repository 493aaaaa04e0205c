"""The host: finds components and runs them. Knows no Twilio.

``Host`` and ``BlockingHost`` invoke; ``Component``, ``Action``, ``Trigger``, ``DataSource``, ``Connection``,
``Display``, ``Page``, ``Again`` and ``Result`` describe; ``load_component`` reads a manifest; ``hookimpl`` marks a
plugin's hooks; ``Context`` is what a perform function is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.host.exports import lazily

if TYPE_CHECKING:
    from twilio_component.host.answers import Again, Page, Result
    from twilio_component.host.blocking import BlockingHost
    from twilio_component.host.context import Context
    from twilio_component.host.hookspecs import hookimpl
    from twilio_component.host.manifest import check_manifest, load_component
    from twilio_component.host.model import Action, Component, Connection, DataSource, Display, Trigger
    from twilio_component.host.runner import Host

_HOMES = {
    "BlockingHost": "blocking",
    "Host": "runner",
    "Context": "context",
    "hookimpl": "hookspecs",
    "check_manifest": "manifest",
    "load_component": "manifest",
    **dict.fromkeys(("Again", "Page", "Result"), "answers"),
    **dict.fromkeys(("Action", "Component", "Connection", "DataSource", "Display", "Trigger"), "model"),
}

__all__ = [
    "Action",
    "Again",
    "BlockingHost",
    "Component",
    "Connection",
    "Context",
    "DataSource",
    "Display",
    "Host",
    "Page",
    "Result",
    "Trigger",
    "check_manifest",
    "hookimpl",
    "load_component",
]

__getattr__ = lazily(__name__, _HOMES)
