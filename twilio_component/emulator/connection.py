"""The connection that an emulator accepts by itself."""

from __future__ import annotations

from typing import Any

from twilio_component.emulator.model.accounts import DEFAULT_ACCOUNT_SID, DEFAULT_AUTH_TOKEN

EMULATOR_ACCOUNT = DEFAULT_ACCOUNT_SID
EMULATOR_TOKEN = DEFAULT_AUTH_TOKEN


def emulator_connection() -> dict[str, Any]:
    """Return a connection value, ``{"key": "basic", "fields": {…}}``, that every emulator without accounts accepts."""
    return {"key": "basic", "fields": {"username": EMULATOR_ACCOUNT, "password": EMULATOR_TOKEN}}
