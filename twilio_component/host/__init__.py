"""The host: finds components and runs them. Knows no Twilio.

``Host`` and ``BlockingHost`` invoke; ``Component``, ``Action``, ``Trigger``, ``DataSource``, ``Connection``,
``Display`` and ``Result`` describe; ``load_component`` reads a manifest; ``hookimpl`` marks a plugin's hooks;
``Context`` is what a perform function is told.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.host.blocking import BlockingHost
    from twilio_component.host.context import Context
    from twilio_component.host.hookspecs import hookimpl
    from twilio_component.host.manifest import check_manifest, load_component
    from twilio_component.host.model import Action, Component, Connection, DataSource, Display, Result, Trigger
    from twilio_component.host.runner import Host

_HOMES = {
    "BlockingHost": "blocking",
    "Host": "runner",
    "Context": "context",
    "hookimpl": "hookspecs",
    "check_manifest": "manifest",
    "load_component": "manifest",
    **dict.fromkeys(("Action", "Component", "Connection", "DataSource", "Display", "Result", "Trigger"), "model"),
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
    "Result",
    "Trigger",
    "check_manifest",
    "hookimpl",
    "load_component",
]


def __getattr__(name: str) -> Any:
    """Import on first use: reading a manifest needs neither asyncio nor pluggy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
