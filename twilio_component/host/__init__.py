"""The host: finds components and runs them. Knows no Twilio.

``Host`` and ``BlockingHost`` invoke; ``Component``, ``Action``, ``Trigger``, ``DataSource``, ``Connection``,
``Display``, ``Page``, ``PollAgain`` and ``Result`` describe; ``load_component`` reads a manifest; ``hookimpl`` marks a
plugin's hooks; ``Context`` is what a perform function is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component._lazy import lazy_exports

if TYPE_CHECKING:
    from twilio_component.host.blocking import BlockingHost
    from twilio_component.host.context import Context
    from twilio_component.host.hookspecs import hookimpl
    from twilio_component.host.host import Host
    from twilio_component.host.manifest.loader import check_manifest, load_component
    from twilio_component.host.model import Action, Component, Connection, DataSource, Display, Trigger
    from twilio_component.host.results import Page, PollAgain, Result

_HOMES = {
    "BlockingHost": "blocking",
    "Host": "host",
    "Context": "context",
    "hookimpl": "hookspecs",
    "check_manifest": "manifest.loader",
    "load_component": "manifest.loader",
    **dict.fromkeys(("PollAgain", "Page", "Result"), "results"),
    **dict.fromkeys(("Action", "Component", "Connection", "DataSource", "Display", "Trigger"), "model"),
}

__all__ = [
    "Action",
    "BlockingHost",
    "Component",
    "Connection",
    "Context",
    "DataSource",
    "Display",
    "Host",
    "Page",
    "PollAgain",
    "Result",
    "Trigger",
    "check_manifest",
    "hookimpl",
    "load_component",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
