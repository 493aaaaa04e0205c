"""The host: finds components and runs them. It does not know Twilio.

``Host`` and ``BlockingHost`` invoke; ``Component``, ``Action``, ``Trigger``, ``DataSource``, ``Connection``,
``Display``, ``Reconciliation``, ``Page``, ``PollAgain`` and ``Result`` describe components; ``load_component`` reads a
manifest, ``ManifestFile`` is a component whose manifest is read when it is needed, and ``check_manifest`` checks one;
``hookimpl`` marks a plugin's hooks; ``Context`` is what a perform function receives. ``connection_from_environment``
and ``connection_from_file`` read connections, and ``check_connection`` checks one. Every error derives from
``IntegrationError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component._lazy import lazy_exports

if TYPE_CHECKING:
    from twilio_component.host.blocking import BlockingHost
    from twilio_component.host.connection_check import ConnectionFinding, check_connection
    from twilio_component.host.connections import connection_from_environment, connection_from_file
    from twilio_component.host.context import Context
    from twilio_component.host.discovery import PluginFailure
    from twilio_component.host.errors import (
        DocumentError,
        DuplicateComponentError,
        HostStateError,
        InputError,
        IntegrationError,
        ManifestError,
        PerformError,
        PluginError,
        Problem,
        UnknownKeyError,
    )
    from twilio_component.host.hookspecs import hookimpl
    from twilio_component.host.host import Host
    from twilio_component.host.http.messages import HttpTransport, Request, Response
    from twilio_component.host.manifest.loader import check_manifest, load_component
    from twilio_component.host.manifest.manifest_file import ManifestFile
    from twilio_component.host.model import (
        Action,
        Component,
        Connection,
        DataSource,
        Display,
        Reconciliation,
        Trigger,
    )
    from twilio_component.host.pagination import collect_pages
    from twilio_component.host.results import Candidate, Page, PollAgain, Result

_HOMES = {
    "BlockingHost": "blocking",
    "Context": "context",
    "collect_pages": "pagination",
    "hookimpl": "hookspecs",
    **dict.fromkeys(("ConnectionFinding", "check_connection"), "connection_check"),
    **dict.fromkeys(("connection_from_environment", "connection_from_file"), "connections"),
    "Host": "host",
    "PluginFailure": "discovery",
    **dict.fromkeys(("HttpTransport", "Request", "Response"), "http.messages"),
    **dict.fromkeys(("check_manifest", "load_component"), "manifest.loader"),
    "ManifestFile": "manifest.manifest_file",
    **dict.fromkeys(("Candidate", "Page", "PollAgain", "Result"), "results"),
    **dict.fromkeys(
        ("Action", "Component", "Connection", "DataSource", "Display", "Reconciliation", "Trigger"), "model"
    ),
    **dict.fromkeys(
        (
            "DocumentError",
            "DuplicateComponentError",
            "HostStateError",
            "InputError",
            "IntegrationError",
            "ManifestError",
            "PerformError",
            "PluginError",
            "Problem",
            "UnknownKeyError",
        ),
        "errors",
    ),
}

__all__ = [
    "Action",
    "BlockingHost",
    "Candidate",
    "Component",
    "Connection",
    "ConnectionFinding",
    "Context",
    "DataSource",
    "Display",
    "DocumentError",
    "DuplicateComponentError",
    "Host",
    "HostStateError",
    "HttpTransport",
    "InputError",
    "IntegrationError",
    "ManifestError",
    "ManifestFile",
    "Page",
    "PerformError",
    "PluginError",
    "PluginFailure",
    "PollAgain",
    "Problem",
    "Reconciliation",
    "Request",
    "Response",
    "Result",
    "Trigger",
    "UnknownKeyError",
    "check_connection",
    "check_manifest",
    "collect_pages",
    "connection_from_environment",
    "connection_from_file",
    "hookimpl",
    "load_component",
]

if not TYPE_CHECKING:  # a checker would take any name for one that `__getattr__` knows
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
