"""``application/x-www-form-urlencoded``, read as bytes and without losing anything.

A signature covers every parameter Twilio sent: blank ones, repeated ones, ones whose bytes are no UTF-8. Parsers made
for web pages drop, trim, limit or re-decode some of them, so that a genuine request would be refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

FORM_TYPE = "application/x-www-form-urlencoded"

Pair = tuple[bytes, bytes]


def parse_form(encoded: bytes) -> list[Pair]:
    """The names and values of a form in their order, decoded to bytes; ``&&`` adds nothing, ``a`` is a blank ``a=``.

    Takes time in proportion to the length, whatever the bytes are.
    """
    pairs: list[Pair] = []
    for piece in encoded.replace(b"+", b" ").split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((_unquoted(name), _unquoted(value)))
    return pairs


def _unquoted(part: bytes) -> bytes:
    return unquote_to_bytes(part) if b"%" in part else part


def by_name(pairs: Iterable[Pair]) -> dict[str, str | list[str]]:
    """Parameters for people and flows: text by name, a list where a name is repeated, U+FFFD for what is no UTF-8."""
    found: dict[str, str | list[str]] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("utf-8", "replace"), raw_value.decode("utf-8", "replace")
        known = found.get(name)
        if known is None:
            found[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            found[name] = [known, value]
    return found
