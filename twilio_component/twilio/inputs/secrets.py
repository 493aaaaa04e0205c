"""Secrets as inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A file's byte order mark and zero-width spaces are copied with a secret and seen by nobody.
_INVISIBLE = "\ufeff\u200b\u2060"


def secret(value: str, _inputs: Mapping[str, Any]) -> str:
    """Return a token or secret without the blanks and line ends around it.

    Raises ``ValueError``, without the secret, for one with a line break inside: then it is not one secret.
    """
    text = trim(value)
    if not text:
        raise ValueError("must not be blank")
    if len(text.splitlines()) > 1:
        raise ValueError("has a line break inside; give one secret alone")
    return text


def code(value: str, _inputs: Mapping[str, Any]) -> str:
    """Return a one-time code without the blanks and hyphens that people put into it, such as ``123 456``."""
    return "".join(character for character in trim(value) if character != "-" and not character.isspace())


def trim(value: str) -> str:
    """Return ``value`` without white space and invisible characters at its ends."""
    return value.strip().strip(_INVISIBLE).strip()
