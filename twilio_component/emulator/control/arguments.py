"""Arguments of the control API, read from JSON."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.state import EmulatorState


def text_of(wanted: dict[str, Any], key: str) -> str:
    """Return a required text. Raises ValueError where it is missing."""
    value = wanted.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is required, as a text")
    return value


def bytes_of(text: str) -> bytes:
    """Return the bytes of a base64 text. Raises ValueError where it is not one."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"content has to be base64: {error}") from error


def account_of(state: EmulatorState, wanted: dict[str, Any]) -> Account:
    """Return the account that ``accountSid`` names, or the default one. Raises KeyError for one that does not exist."""
    sid = wanted.get("accountSid")
    return state.accounts.default_account() if sid is None else state.accounts.get(sid)
