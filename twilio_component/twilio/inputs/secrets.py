"""Secrets as inputs."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any


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
    """Return ``value`` without white space and invisible characters at its ends.

    A file's byte order mark, zero-width spaces and directional marks are copied with a text and seen by nobody.
    """
    begin, end = 0, len(value)
    while begin < end and _is_nothing(value[begin]):
        begin += 1
    while begin < end and _is_nothing(value[end - 1]):
        end -= 1
    return value[begin:end]


def _is_nothing(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cf"
