"""How JavaScript converts and compares values, for values as JSON has them.

Exported flows were written for a runtime in JavaScript: ``"5"`` equals 5 there, null is smaller than 1, and a list is
compared with text as its members joined by commas. Operators and conversions build upon these functions.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from twilio_component.host.serialization import number_text


class _Absent:
    """The value of a reference that has none. To JSON it is null."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()
# What stands for null and for an absent value where a text is needed: no other text contains or equals it.
_NOTHING = {False: "\ue000null", True: "\ue000undefined"}
_SPACE = " \t\n\v\f\r\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_DECIMAL = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_RADIX = {"0x": 16, "0o": 8, "0b": 2}
_TRIM = re.compile(f"^[{_SPACE}]+|[{_SPACE}]+$")


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def parse_json(text: str) -> Any:
    """The value that JSON text holds; raises ``ValueError`` for anything else, also for NaN, and ``RecursionError``."""
    return json.loads(text, parse_constant=_refuse_constant)


def json_text(value: Any, *, indent: int | None = None, compact: bool = True) -> str:
    """A value as JSON text, as ``JSON.stringify`` writes it: NaN and infinite numbers are null."""
    separators = (",", ":") if compact and indent is None else None
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=separators, indent=indent)
    except ValueError:
        return json_text(_without_nan(value), indent=indent, compact=compact)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _without_nan(member) for key, member in value.items()}
    return [_without_nan(member) for member in value] if isinstance(value, list) else value


def is_nothing(value: Any) -> bool:
    """Whether a value is null or absent."""
    return value is None or value is ABSENT


def to_text(value: Any) -> str:
    """A value as text, as in a JavaScript template. What is null or absent is a text that no other text contains."""
    if isinstance(value, str):
        return value
    if is_nothing(value):
        return _NOTHING[value is ABSENT]
    return _text_of(value)


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, Mapping):
        return "[object Object]"
    return ",".join("" if is_nothing(member) else _text_of(member) for member in value)


def to_number(value: Any) -> float:
    """A value as a number: null is 0, an absent value and text without a number are NaN, lists go by their text."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    if value is None:
        return 0
    if isinstance(value, list):
        value = _text_of(value)
    return _number_in(value) if isinstance(value, str) else math.nan


def _number_in(text: str) -> float:
    text = _TRIM.sub("", text)
    if not text:
        return 0
    base = _RADIX.get(text[:2].lower())
    try:
        if base is not None and re.fullmatch(r"[0-9a-zA-Z]+", text[2:]):
            return int(text[2:], base)
        if _DECIMAL.fullmatch(text):
            return float(text)
    except (ValueError, OverflowError):
        return math.nan
    return math.nan


def _primitive(value: Any) -> Any:
    return _text_of(value) if isinstance(value, (list, Mapping)) else value


def equals(left: Any, right: Any) -> bool:
    """``left == right`` of JavaScript, except that two lists or two objects are never equal here."""
    if is_nothing(left) or is_nothing(right):
        return is_nothing(left) and is_nothing(right)
    if isinstance(left, (list, Mapping)) and isinstance(right, (list, Mapping)):
        return False
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return to_number(left) == to_number(right)


def compare(left: Any, right: Any) -> int | None:
    """Below 0, 0 or above 0 as ``left`` is smaller, equal or greater; None where they have no order."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        first, second = _code_units(left), _code_units(right)
        return (first > second) - (first < second)
    one, other = to_number(left), to_number(right)
    if math.isnan(one) or math.isnan(other):
        return None
    return (one > other) - (one < other)


def _code_units(text: str) -> bytes:
    # JavaScript orders text by its UTF-16 units, Python by characters; that differs beyond the first plane only.
    return text.encode("utf-16-be", "surrogatepass")
