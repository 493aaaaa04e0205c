"""Twilio's Messages API on this machine, for tests, demonstrations and development. It never talks to Twilio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component._lazy import lazy_exports

if TYPE_CHECKING:
    from twilio_component.emulator.emulator import Emulator
    from twilio_component.emulator.http import Request, Response
    from twilio_component.emulator.server.server import Server
    from twilio_component.emulator.webhooks.transports import WebhookRequest

_HOMES = {
    "Emulator": "emulator",
    "Request": "http",
    "Response": "http",
    "Server": "server.server",
    "WebhookRequest": "webhooks.transports",
}

__all__ = ["Emulator", "Request", "Response", "Server", "WebhookRequest"]

if not TYPE_CHECKING:  # a checker would take any name for one that `__getattr__` knows
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
