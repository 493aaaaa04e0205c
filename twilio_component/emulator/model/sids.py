"""Twilio's identifiers: two letters that tell the kind, and 32 hexadecimal digits."""

from __future__ import annotations

import re
import uuid


def new_sid(prefix: str) -> str:
    """Return a fresh identifier, such as ``SM`` and 32 digits."""
    return prefix + uuid.uuid4().hex


def is_sid(text: str, *prefixes: str) -> bool:
    """Return whether ``text`` is an identifier of one of the kinds that ``prefixes`` name."""
    return text[:2] in prefixes and re.fullmatch(r"[0-9a-fA-F]{32}", text[2:]) is not None
