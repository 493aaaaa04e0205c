"""Between JSON, form data, text and values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl, urlencode

from twilio_component.flows.expressions import references
from twilio_component.flows.expressions.conversions import as_bool, as_int, as_number
from twilio_component.flows.expressions.javascript import ABSENT, json_text
from twilio_component.flows.nesting import DEEPEST, deeper_than
from twilio_component.host.errors import PerformError
from twilio_component.host.serialization import from_buffer

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_MOST_FIELDS = 10_000
_TOO_MANY_DIGITS = "the JSON has a number of more digits than can be read"


async def from_json(_context: Context, inputs: dict[str, Any]) -> Any:
    """The value that JSON text holds; raises ``PerformError`` with line and column where it is none."""
    return parse_json(_text(inputs["data"]))


async def to_json(_context: Context, inputs: dict[str, Any]) -> str:
    """A value as JSON text; what JSON has no word for, such as NaN, is null."""
    return json_text(inputs["data"], compact=False)


async def pretty_print(_context: Context, inputs: dict[str, Any]) -> str:
    """A value, or the value in JSON text, as indented JSON text."""
    data = inputs["data"]
    return json_text(parse_json(data) if isinstance(data, str) else data, indent=2)


async def from_json_lines(_context: Context, inputs: dict[str, Any]) -> list[Any]:
    """The values in text with a JSON value on each line; blank lines are skipped."""
    return [parse_json(line) for line in _text(inputs["data"]).splitlines() if line.strip()]


async def to_json_lines(_context: Context, inputs: dict[str, Any]) -> str:
    """The members of a list as JSON text, each on a line of its own."""
    return "\n".join(json_text(item) for item in inputs["data"])


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


async def to_form(_context: Context, inputs: dict[str, Any]) -> str:
    """An object's members as a form body; a list is a field for each of its members."""
    pairs = [
        (name, as_text(item))
        for name, value in inputs["data"].items()
        for item in (value if isinstance(value, list) else [value])
    ]
    return urlencode(pairs)


async def to_boolean(_context: Context, inputs: dict[str, Any]) -> bool:
    """A value as a boolean, as Spectral converts it."""
    return as_bool(inputs.get("value"))


async def to_integer(_context: Context, inputs: dict[str, Any]) -> int:
    """A value as a whole number, as Spectral converts it; raises ``PerformError`` where there is none."""
    return as_int(inputs.get("value", ABSENT))


async def to_number(_context: Context, inputs: dict[str, Any]) -> float:
    """A value as a number, as Spectral converts it; raises ``PerformError`` where there is none."""
    return as_number(inputs.get("value"))


async def from_binary(_context: Context, inputs: dict[str, Any]) -> str:
    """The text in bytes."""
    return _text(inputs["data"])


async def to_text(_context: Context, inputs: dict[str, Any]) -> str:
    """A value as text."""
    return as_text(inputs.get("value"))


def parse_json(text: str) -> Any:
    """What JSON text holds; raises ``PerformError`` when it is not JSON or nested more than 200 levels deep."""
    try:
        value = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise PerformError(f"the JSON is nested more than {DEEPEST} levels deep") from error
    except json.JSONDecodeError as error:
        # Its message, unlike its document, never repeats what was in there.
        where = f"line {error.lineno} column {error.colno}"
        raise PerformError(f"the text is not JSON: {error.msg}, {where}") from error
    except ValueError as error:
        raise PerformError(
            f"the JSON cannot be read: {error}" if "not JSON" in str(error) else _TOO_MANY_DIGITS
        ) from error
    if deeper_than(value):
        raise PerformError(f"the JSON is nested more than {DEEPEST} levels deep")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def file_in(value: Any) -> tuple[bytes, str] | None:
    """The bytes and the content type of a file, ``{"data": Buffer or text, "contentType": …}``; None for others."""
    if not isinstance(value, Mapping) or value.keys() != {"data", "contentType"}:
        return None
    data, kind = value["data"], value["contentType"]
    if not isinstance(kind, str) or not (isinstance(data, str) or _is_buffer(data)):
        return None
    try:
        return from_buffer(data), kind
    except ValueError as error:
        raise PerformError(str(error)) from error


def as_bytes(value: Any) -> bytes:
    """A value as bytes: those of a Buffer or a file, else its text in UTF-8."""
    file = file_in(value)
    if file is not None:
        return file[0]
    return from_buffer(value) if _is_buffer(value) else as_text(value).encode()


def as_text(value: Any) -> str:
    """A value as text: ``5.0`` as ``5``, null as nothing, bytes by their text, lists and objects as JSON."""
    if _is_buffer(value):
        return from_buffer(value).decode("utf-8", "replace")
    return references.as_text(value)


def _is_buffer(value: Any) -> bool:
    return isinstance(value, bytes) or (isinstance(value, Mapping) and value.get("type") == "Buffer")


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
