"""Parses ``application/x-www-form-urlencoded`` as bytes, without losing anything.

A signature covers every parameter that Twilio sent: blank and repeated ones, and ones that are not UTF-8. Parsers for
web pages drop, trim, limit or re-decode some of them, so that a genuine request would be refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

FORM_TYPE = "application/x-www-form-urlencoded"

Pair = tuple[bytes, bytes]


def parse_form(encoded: bytes) -> list[Pair]:
    """Return the names and values of a form in their order, as bytes; ``&&`` adds nothing, ``a`` counts as ``a=``.

    Takes linear time for any input.
    """
    pairs: list[Pair] = []
    for piece in encoded.replace(b"+", b" ").split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((_unquote(name), _unquote(value)))
    return pairs


def _unquote(part: bytes) -> bytes:
    return unquote_to_bytes(part) if b"%" in part else part


def group_by_name(pairs: Iterable[Pair]) -> dict[str, str | list[str]]:
    """Return parameters as text by name, a list where a name is repeated; bytes that are not UTF-8 become U+FFFD."""
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
