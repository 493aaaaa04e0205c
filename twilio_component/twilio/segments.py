"""How a text is sent as SMS: its encoding, and the segments that it is split into and billed by.

A text of GSM 03.38 characters alone has 160 units a segment, 153 when it needs several; one character outside that
alphabet turns the whole text into UCS-2, with 70 and 67 units. A character of the GSM extension table takes two
units, as does a character outside Unicode's basic plane. What is seen as one character, such as a letter with its
accent or a flag, is never split between segments, as in Twilio's own calculator.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")
_LAST_OF_BASIC_PLANE = 0xFFFF
_JOINER = "\u200d"
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_JOINING = frozenset({"Mn", "Me", "Mc"})
_DATA = Path(__file__).with_name("smart_encoding.json")

GSM_7 = "GSM-7"
UCS_2 = "UCS-2"

# Units of a single segment, and of one of several, which also carries the header that joins them again.
_CAPACITY = {GSM_7: (160, 153), UCS_2: (70, 67)}


@dataclass(frozen=True, slots=True)
class Segmentation:
    """How a text is split: ``encoding`` (``GSM-7`` or ``UCS-2``), ``segments`` (0 for an empty text), ``units`` used.

    ``capacity`` is the number of units of each segment. ``unicode_characters`` are the characters, each once and in
    order of appearance, that force UCS-2 (empty for GSM-7).
    """

    encoding: str
    segments: int
    units: int
    capacity: int
    unicode_characters: tuple[str, ...] = ()


def smart_encode(text: str) -> str:
    """Return ``text`` as Smart Encoding sends it: with Unicode characters replaced by similar ones of GSM-7."""
    return text.translate(_replacements())


@cache
def _replacements() -> dict[int, str]:
    """What Smart Encoding replaces, as Twilio's own segment calculator has it."""
    table = json.loads(_DATA.read_text(encoding="utf-8"))
    return {ord(character): plain for plain, characters in table.items() for character in characters}


def segment(text: str) -> Segmentation:
    """Return how ``text`` is split into segments."""
    foreign = tuple(dict.fromkeys(one for one in text if one not in _GSM_BASIC and one not in _GSM_EXTENDED))
    encoding = UCS_2 if foreign else GSM_7
    units = sum(_width(one, encoding) for one in text)
    alone, joined = _CAPACITY[encoding]
    if units <= alone:
        return Segmentation(encoding, 1 if text else 0, units, alone, foreign)
    # Of GSM-7's characters only the two of a line end belong together.
    seen = _characters(text) if encoding == UCS_2 or "\r\n" in text else text
    widths = [sum(_width(one, encoding) for one in character) for character in seen]
    return Segmentation(encoding, _segments(widths, joined), units, joined, foreign)


def _characters(text: str) -> Iterator[str]:
    """What is seen as one character each: a letter with its accents, an emoji with its parts, a line end."""
    begin = flags = 0
    for at in range(1, len(text) + 1):
        flags = flags + 1 if ord(text[at - 1]) in _FLAG_LETTERS else 0
        if at == len(text) or not _belong_together(text[at - 1], text[at], in_pair=flags % 2 == 1):
            yield text[begin:at]
            begin = at


def _belong_together(before: str, after: str, *, in_pair: bool) -> bool:
    if after < "\u0300":
        return before + after == "\r\n"
    if unicodedata.category(before) in ("Cc", "Zl", "Zp"):
        return False
    code = ord(after)
    if code in _FLAG_LETTERS:
        return in_pair
    if after in (_JOINER, "\u200c") or code in _SKIN_TONES or unicodedata.category(after) in _JOINING:
        return True
    return before == _JOINER and unicodedata.category(after) == "So"


def _width(character: str, encoding: str) -> int:
    if encoding == GSM_7:
        return 2 if character in _GSM_EXTENDED else 1
    return 2 if ord(character) > _LAST_OF_BASIC_PLANE else 1


def _segments(widths: list[int], capacity: int) -> int:
    """Count the segments of ``capacity`` units for characters of these widths, none of which is split."""
    segments, used = 1, 0
    for width in widths:
        if used + width > capacity:
            segments, used = segments + 1, 0
        used += width
    return segments
