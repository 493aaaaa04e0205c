"""Spectral's conversions (``util.types``), for values as JSON has them.

They guess where inputs are strict: ``to_int("12abc")`` is 12. The built-in components use them for what exports expect.
"""

from __future__ import annotations

import math
import re
from typing import Any

from twilio_component.flows.expressions.javascript import ABSENT, is_nothing, to_number
from twilio_component.host.errors import PerformError

_TRUE = frozenset({"t", "true", "y", "yes"})
_FALSE = frozenset({"f", "false", "n", "no"})
_LEADING_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,400})")


def as_bool(value: Any) -> bool:
    """Words such as yes and no in any case; else what JavaScript takes for true. ``"0"`` is a text, and true."""
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    if isinstance(value, (list, dict)):
        return True
    return bool(value) and value == value  # noqa: PLR0124 - NaN is the value that differs from itself


def as_int(value: Any) -> int:
    """A number without its fraction, or the integer that text starts with; nothing is 0.

    Raises ``PerformError`` for anything else.
    """
    if value is ABSENT or value == "":
        return 0
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return int(value)
    match = _LEADING_INTEGER.match(value) if isinstance(value, str) else None
    if match is None:
        raise PerformError("the value cannot be converted to a whole number")
    return int(match[1])


def as_number(value: Any) -> float:
    """The number that JavaScript makes of a value; null and nothing are 0. Raises ``PerformError`` for no number."""
    number = 0 if is_nothing(value) else to_number(value)
    if not math.isfinite(number):
        raise PerformError("the value cannot be converted to a number")
    return int(number) if isinstance(number, float) and number.is_integer() else number
