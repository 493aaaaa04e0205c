"""JSON Schema errors, told to people.

jsonschema's messages quote the offending value, which may be a phone number or a secret, and speak of the schema
rather than of what is allowed. These sentences do neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from twilio_component.host.errors import did_you_mean, listed

if TYPE_CHECKING:
    from jsonschema import ValidationError

    from twilio_component.host.documents import PathParts

_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_LONGEST_SHOWN = 40


def type_name(value: Any) -> str:
    """What a JSON value is, in words, such as ``text`` or ``a list``."""
    kinds = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return _TYPES.get(kinds.get(type(value), "null" if value is None else ""), type(value).__name__)


def shown(value: Any) -> str:
    """A value as a message may quote it: short, and only where it is a word, a number or a boolean.

    Text with digits in a row or with spaces may be a phone number, a key or a message, and is described instead.
    """
    if isinstance(value, str):
        harmless = len(value) <= _LONGEST_SHOWN and value.isprintable() and " " not in value
        digits = sum(character.isdigit() for character in value)
        return f"'{value}'" if harmless and digits <= 4 else f"text of {len(value)} characters"  # noqa: PLR2004 - shorter than any number or key
    if value is None or isinstance(value, (bool, int, float)):
        text = json.dumps(value)
        return text if len(text) <= 6 else type_name(value)  # noqa: PLR2004 - likewise
    return type_name(value)


def sentence(error: ValidationError) -> Iterator[tuple[PathParts, str]]:
    """The places and messages that one validation error stands for, secrets and contents left out."""
    path: PathParts = tuple(error.absolute_path)
    schema: Any = error.schema if isinstance(error.schema, dict) else {}
    keyword, allowed, value = str(error.validator), cast("Any", error.validator_value), cast("Any", error.instance)
    if "message" in schema and keyword in _AUTHORED:
        yield path, schema["message"]
    elif keyword in _ABOUT_KEYS:
        for name, text in _ABOUT_KEYS[keyword](error):
            yield (*path, name), text
    else:
        reason = _REASONS.get(keyword)
        yield path, reason(allowed, value) if reason else f"does not fit the schema ({keyword})"


def _missing(error: ValidationError) -> Iterator[tuple[str, str]]:
    # One error a missing key, which only the message names.
    for name in cast("Any", error.validator_value):
        if name not in cast("Any", error.instance) and repr(name) in error.message:
            yield name, "is required"


def _unknown(error: ValidationError) -> Iterator[tuple[str, str]]:
    known = cast("Any", error.schema).get("properties", {})
    for name in cast("Any", error.instance):
        if name not in known:
            yield name, f"is not known here{did_you_mean(name, known)} (known: {listed(known)})"


def _alone(error: ValidationError) -> Iterator[tuple[str, str]]:
    given = cast("Any", error.instance)
    for name, needed in cast("Any", error.validator_value).items():
        missing = [other for other in needed if name in given and other not in given]
        # One error a missing companion: the one that its message names.
        if missing and repr(missing[0]) in error.message:
            yield name, f"can only be used together with {listed(missing)}"


# Keywords for which the schema's author may have better words, in the key `message` beside them.
_AUTHORED = frozenset({"pattern", "not", "anyOf", "oneOf", "if"})
_ABOUT_KEYS = {"required": _missing, "additionalProperties": _unknown, "dependentRequired": _alone}


def _none_of(allowed: Any, value: Any) -> str:
    needed = [name for option in allowed if isinstance(option, dict) for name in option.get("required", [])]
    if needed and isinstance(value, dict):
        return f"needs {listed(needed, word='or')}"
    return f"fits none of the {len(allowed)} forms that are allowed here"


def _wrong_type(allowed: Any, value: Any) -> str:
    wanted = allowed if isinstance(allowed, list) else [allowed]
    return f"must be {listed((_TYPES[name] for name in wanted), word='or')}, not {type_name(value)}"


def _too_short(allowed: Any, value: Any) -> str:
    return "must not be empty" if allowed == 1 else f"must have at least {allowed} characters, not {len(value)}"


_REASONS: dict[str, Callable[[Any, Any], str]] = {
    "type": _wrong_type,
    "enum": lambda allowed, value: f"must be {listed(allowed, word='or')}, not {shown(value)}",
    "const": lambda allowed, _value: f"must be {shown(allowed)}",
    "minLength": _too_short,
    "maxLength": lambda allowed, value: f"must have at most {allowed:,} characters, not {len(value):,}",
    "minItems": lambda allowed, value: f"must have at least {allowed} items, not {len(value)}",
    "maxItems": lambda allowed, value: f"must have at most {allowed} items, not {len(value)}",
    "minimum": lambda allowed, value: f"must be at least {allowed}, not {shown(value)}",
    "maximum": lambda allowed, value: f"must be at most {allowed}, not {shown(value)}",
    "uniqueItems": lambda _allowed, _value: "must not have the same item twice",
    "pattern": lambda allowed, _value: f"must match the pattern {allowed}",
    "minProperties": lambda _allowed, _value: "must not be empty",
    "anyOf": _none_of,
    "oneOf": _none_of,
}
