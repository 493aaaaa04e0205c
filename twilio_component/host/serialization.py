"""Python values as plain JSON, with the platform's forms for bytes and times."""

from __future__ import annotations

import datetime as dt
import math
import operator
from collections.abc import Mapping
from typing import Any

_PLAIN = frozenset({str, int, float, bool, type(None)})


def json_ready(value: Any) -> Any:
    """Return ``value`` as plain JSON: bytes as ``{"type": "Buffer", "data": […]}``, times as ISO 8601 in milliseconds.

    Mappings become dicts with text keys; sequences and sets become lists. A value that is plain JSON already is
    returned itself, not a copy. Raises ``TypeError`` for anything else.
    """
    # By exact type first: nearly everything is one of these, and a result may hold a million of them.
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict or isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [item if type(item) in _PLAIN else json_ready(item) for item in value]
        return value if kind is list and all(map(operator.is_, items, value)) else items
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"type": "Buffer", "data": list(bytes(value))}
    if isinstance(value, dt.datetime):
        return iso_time(value)
    if isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"a result may hold only what JSON holds, bytes and times, not {kind.__name__}")


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    same = type(value) is dict
    for key, item in value.items():
        if type(item) not in _PLAIN:
            ready = json_ready(item)
            if ready is not item:
                changed[key] = ready
        same = same and type(key) is str
    if same and not changed:
        return value  # type: ignore[return-value]  # it is a dict with text keys
    return {str(key): changed.get(key, item) for key, item in value.items()}


def from_buffer(value: Any) -> bytes:
    """Return the bytes of a Buffer object, of bytes or of text (as UTF-8); raises ``ValueError`` for anything else."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, Mapping) and value.get("type") == "Buffer" and isinstance(value.get("data"), (list, tuple)):
        try:
            return bytes(value["data"])
        except (TypeError, ValueError) as error:
            raise ValueError("a Buffer's data must be a list of numbers from 0 to 255") from error
    raise ValueError('must be text, bytes or a Buffer object, {"type": "Buffer", "data": [69, 120]}')


def iso_time(moment: dt.datetime) -> str:
    """Return a time as ``2010-04-01T00:00:00.000Z``; one without a time zone is taken as UTC."""
    moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def number_text(value: float) -> str:
    """A number as JavaScript writes it: ``5.0`` as ``5``, ``1e-07`` as ``1e-7``. Integers keep all their digits."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if value == 0:
        return "0"
    if value.is_integer() and abs(value) < 1e21:  # noqa: PLR2004 - from here on JavaScript writes an exponent
        return str(int(value))
    mantissa, _, exponent = repr(value).partition("e")
    power = int(exponent or 0)
    if -7 < power < 0:  # noqa: PLR2004 - JavaScript writes an exponent from 1e-7 on, Python from 1e-5 on
        sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
        return f"{sign}0.{'0' * (-power - 1)}{digits.replace('.', '')}"
    return f"{mantissa.removesuffix('.0')}e{'+' if power > 0 else '-'}{abs(power)}" if power else mantissa
