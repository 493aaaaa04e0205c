"""Outlines of inputs: what may be kept and shown of them when the inputs themselves may not.

An outline tells an operator what a step was given without repeating what people wrote or how they are reached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.host.model import JsonSchema, Operation

_MOST_ITEMS = 20
_DEEPEST = 4
_ID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_KEY = re.compile(r"[A-Za-z_$][\w$.-]{0,59}|\d{1,3}", re.ASCII)
# Digits in groups, perhaps with a scheme before them (whatsapp:, tel:).
_DIALLED = re.compile(r"(?:[a-z]+:)?\+?[\d\s().\-/]{5,30}")
_LEAST_DIGITS = 5
_LEAST_UNQUOTED = 10**7  # from here on a number may be a phone number without its quotes
_MAILED = re.compile(r"(?:[a-z]+:)?[^@\s]+@[^@\s]+")


def redact_inputs(inputs: Mapping[str, Any], operation: Operation | None = None) -> dict[str, Any]:
    """Return the outline of a step's inputs.

    Numbers, booleans, ids and words that the schema lists stay; connections and secrets are ``<connection>`` and
    ``<secret>``; addresses keep their last two characters and texts become their lengths; lists and objects keep
    up to 20 items. Without an ``operation`` nothing is known of the inputs but their values.
    """
    properties = operation.inputs["properties"] if operation is not None else {}
    return {name: _outline(value, properties.get(name, {})) for name, value in inputs.items()}


def _outline(value: Any, schema: JsonSchema, depth: int = 1) -> Any:
    if schema.get("format") == "connection":
        return "<connection>"
    if schema.get("writeOnly"):
        return "<secret>"
    if isinstance(value, Mapping):
        return _of_object(value, schema, depth)
    if isinstance(value, (list, tuple)):
        return _of_list(value, schema, depth)
    return _of_plain(value, schema)


def _of_plain(value: Any, schema: JsonSchema) -> Any:
    if isinstance(value, str):
        return value if value in schema.get("enum", ()) else _of_text(value)
    if type(value) is int and abs(value) >= _LEAST_UNQUOTED:
        return _of_text(str(value))
    return value if value is None or isinstance(value, (bool, int, float)) else f"<{type(value).__name__}>"


def _of_text(text: str) -> str:
    if _ID.fullmatch(text):
        return text
    stripped = text.strip()
    dialled = _DIALLED.fullmatch(stripped) and sum(map(str.isdigit, stripped)) >= _LEAST_DIGITS
    if dialled or _MAILED.fullmatch(stripped):
        return f"***{stripped[-2:]}"
    return f"text of {len(text):,} character{'' if len(text) == 1 else 's'}"


def _of_object(value: Mapping[Any, Any], schema: JsonSchema, depth: int) -> Any:
    if depth >= _DEEPEST:
        return f"object of {len(value):,}"
    properties = schema.get("properties", {})
    found: dict[str, Any] = {}
    for number, (key, item) in enumerate(value.items()):
        if number == _MOST_ITEMS:
            found["…"] = f"{len(value) - number:,} more"
            break
        # A key is the flow's own word as long as it looks like one.
        name = key if isinstance(key, str) and _KEY.fullmatch(key) else f"key {number + 1}"
        found[name] = _outline(item, properties.get(key, {}), depth + 1)
    return found


def _of_list(value: list[Any] | tuple[Any, ...], schema: JsonSchema, depth: int) -> Any:
    if depth >= _DEEPEST:
        return f"list of {len(value):,}"
    items = schema.get("items", {})
    found = [_outline(item, items, depth + 1) for item in value[:_MOST_ITEMS]]
    return [*found, f"… {len(value) - _MOST_ITEMS:,} more"] if len(value) > _MOST_ITEMS else found
