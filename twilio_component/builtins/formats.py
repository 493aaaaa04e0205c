"""Between JSON, form data, text and values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from twilio_component.flows.expressions import references
from twilio_component.flows.nesting import DEEPEST, deeper_than
from twilio_component.host.errors import PerformError
from twilio_component.host.serialization import from_buffer

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_MOST_FIELDS = 10_000


async def from_json(_context: Context, inputs: dict[str, Any]) -> Any:
    """The value that JSON text holds; raises ``PerformError`` with line and column where it is none."""
    return parse_json(_text(inputs["data"]))


async def to_json(_context: Context, inputs: dict[str, Any]) -> str:
    """A value as JSON text."""
    return json.dumps(inputs["data"], ensure_ascii=False)


async def from_form(_context: Context, inputs: dict[str, Any]) -> dict[str, Any]:
    """The fields of a form body, blank ones kept, those that occur more than once as lists."""
    data = _body_data(inputs["data"])
    if isinstance(data, Mapping) and not _is_buffer(data):
        # A trigger that knows forms has done it already.
        return dict(data)
    try:
        pairs = parse_qsl(_text(data), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise PerformError(f"the form has more than {_MOST_FIELDS:,} fields") from error
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields


async def binary_to_json(_context: Context, inputs: dict[str, Any]) -> Any:
    """The value in bytes or text with JSON; a value that is neither is returned unchanged."""
    data = inputs["data"]
    return parse_json(_text(data)) if isinstance(data, str) or _is_buffer(data) else data


async def to_text(_context: Context, inputs: dict[str, Any]) -> str:
    """A value as text."""
    return as_text(inputs.get("value"))


def parse_json(text: str) -> Any:
    """What JSON text holds; raises ``PerformError`` when it is not JSON or nested more than 200 levels deep."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise PerformError(f"the JSON is nested more than {DEEPEST} levels deep") from error
    except json.JSONDecodeError as error:
        # Its message, unlike its document, never repeats what was in there.
        where = f"line {error.lineno} column {error.colno}"
        raise PerformError(f"the text is not JSON: {error.msg}, {where}") from error
    except ValueError as error:
        raise PerformError("the JSON has a number of more digits than can be read") from error
    if deeper_than(value):
        raise PerformError(f"the JSON is nested more than {DEEPEST} levels deep")
    return value


def as_text(value: Any) -> str:
    """A value as text: ``5.0`` as ``5``, null as nothing, bytes by their text, lists and objects as JSON."""
    if _is_buffer(value):
        return from_buffer(value).decode("utf-8", "replace")
    return references.as_text(value)


def _is_buffer(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("type") == "Buffer"


def _body_data(data: Any) -> Any:
    """What is in a body, ``{"data": …, "contentType": …}``; anything else as it is."""
    return data["data"] if isinstance(data, Mapping) and data.keys() == {"data", "contentType"} else data


def _text(data: Any) -> str:
    held = _body_data(data)
    if not isinstance(held, str) and not _is_buffer(held):
        raise PerformError("the data must be text, a Buffer or a body with one of them")
    try:
        return from_buffer(held).decode("utf-8")
    except ValueError as error:
        raise PerformError("the data is not text in UTF-8") from error
