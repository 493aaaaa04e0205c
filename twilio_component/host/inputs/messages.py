"""JSON Schema errors as messages for people.

jsonschema's messages quote the offending value, which may be a phone number or a secret, and describe the schema
rather than what is allowed. These messages do neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from twilio_component.host.errors import Problem, did_you_mean, join_names, json_path

if TYPE_CHECKING:
    from jsonschema import ValidationError

    from twilio_component.host.manifest.documents import PathParts

_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_LONGEST_DISPLAYED, _LONGEST_KEY = 20, 40


def type_name(value: Any) -> str:
    """Return the type of a JSON value in words, such as ``text`` or ``a list``."""
    kinds = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return _TYPES.get(kinds.get(type(value), "null" if value is None else ""), type(value).__name__)


def display(value: Any) -> str:
    """Return a value as a message may quote it: a short word, a number or a boolean.

    Text with several digits or with spaces may be a phone number, a key or a message, and is described instead.
    """
    if isinstance(value, str):
        harmless = len(value) <= _LONGEST_DISPLAYED and value.isprintable() and " " not in value
        digits = sum(character.isdigit() for character in value)
        return f"'{value}'" if harmless and digits <= 4 else f"text of {len(value)} characters"  # noqa: PLR2004 - shorter than any number or key
    if value is None or isinstance(value, (bool, int, float)):
        text = json.dumps(value)
        return text if len(text) <= 6 else f"a number of {len(text)} digits"  # noqa: PLR2004 - the same
    return type_name(value)


def display_key(key: str) -> str:
    """Return the key of an entry as a message may name it: of what may be a number the last four characters, ``…2661``.

    Its author finds it by them, and by its line.
    """
    digits = sum(character.isdigit() for character in key)
    return key if digits <= 4 and len(key) <= _LONGEST_KEY else f"…{key[-4:]}"  # noqa: PLR2004 - as above


def entry_problem(section: str, key: str, message: str, inside: PathParts = ()) -> Problem:
    """Return the problem of the entry ``key`` of a configuration's section, or of what is ``inside`` it."""
    path = json_path((section, display_key(key), *inside), "").removeprefix(".")
    return Problem(path, message, at=(section, key, *inside))


def hint_for_input(wrong: str, schema: Mapping[str, Any]) -> str:
    """Return ``; did you mean 'message'?`` for the input that ``wrong`` is another name of, or nearly its own.

    For a name that the ``schema`` of the inputs lists under ``notInputs``, return what it says to do instead.
    """
    folded = wrong.casefold().replace("_", "")
    for name, instead in schema.get("notInputs", {}).items():
        if folded == name.casefold():
            return f"; {instead}"
    properties = schema["properties"]
    for name, part in properties.items():
        if isinstance(part, Mapping) and folded in (other.casefold() for other in part.get("otherNames", ())):
            return f"; did you mean '{name}'?"
    return did_you_mean(wrong, properties)


def error_messages(errors: Iterable[ValidationError]) -> list[tuple[PathParts, str]]:
    """Return the path and message of every validation error, each once, without secrets or contents."""
    return [*dict.fromkeys(found for error in errors for found in _messages(error))]


def _messages(error: ValidationError) -> Iterator[tuple[PathParts, str]]:
    path: PathParts = tuple(error.absolute_path)
    schema: Any = error.schema if isinstance(error.schema, dict) else {}
    keyword, allowed, value = str(error.validator), cast("Any", error.validator_value), cast("Any", error.instance)
    if "propertyNames" in error.relative_schema_path:
        path = (*path, value)
    by = _required_by(error)
    if "message" in schema and keyword in _AUTHORED:
        yield path, schema["message"]
    elif by and keyword == "required":
        # Said of what is there: what is missing has no line.
        for name, _ in _missing(schema, allowed, value):
            wanted = schema.get("properties", {}).get(name, {})
            value = f": {json.dumps(wanted['const'])}" if "const" in wanted else ""
            yield (*path, by), f"can only be used together with {name}{value}"
    elif keyword in _ABOUT_KEYS:
        for name, text in _ABOUT_KEYS[keyword](schema, allowed, value):
            yield (*path, name), text
    else:
        reason = _REASONS.get(keyword)
        since = f", since {by} is given" if by else ""
        yield path, f"{reason(allowed, value)}{since}" if reason else f"does not match the schema ({keyword})"


def _required_by(error: ValidationError) -> str | None:
    """The key whose presence brings the schema that is not met (``dependentSchemas``)."""
    steps = [*error.relative_schema_path]
    return str(steps[steps.index("dependentSchemas") + 1]) if "dependentSchemas" in steps[:-1] else None


# jsonschema yields one error for each missing key and names the key in its message only: here each error yields all of
# them, and `error_messages` drops the repetitions.
def _missing(_schema: Any, required: Any, value: Any) -> Iterator[tuple[str, str]]:
    yield from ((name, "is required") for name in required if name not in value)


def _unknown(schema: Any, _allowed: Any, value: Any) -> Iterator[tuple[str, str]]:
    known = schema.get("properties", {})
    for name in value:
        if name not in known:
            yield name, f"is not known here{did_you_mean(name, known)} (known: {join_names(known)})"


def _alone(_schema: Any, companions: Any, value: Any) -> Iterator[tuple[str, str]]:
    for name, needed in companions.items():
        missing = [other for other in needed if name in value and other not in value]
        if missing:
            yield name, f"can only be used together with {join_names(missing)}"


# Keywords for which the schema may have a message of its own, in the key `message` beside them.
_AUTHORED = frozenset({"pattern", "not", "anyOf", "oneOf", "if"})
_ABOUT_KEYS = {"required": _missing, "additionalProperties": _unknown, "dependentRequired": _alone}


def _none_of(allowed: Any, value: Any) -> str:
    needed = [name for option in allowed if isinstance(option, dict) for name in option.get("required", [])]
    if needed and isinstance(value, dict):
        return f"needs {join_names(needed, word='or')}"
    if all(isinstance(option, dict) and "const" in option for option in allowed):
        return _none_of_the_words([option["const"] for option in allowed], value)
    return f"matches none of the {len(allowed)} forms that are allowed here"


def _wrong_type(allowed: Any, value: Any) -> str:
    wanted = allowed if isinstance(allowed, list) else [allowed]
    return f"must be {join_names((_TYPES[name] for name in wanted), word='or')}, not {type_name(value)}"


def _none_of_the_words(allowed: Any, value: Any) -> str:
    words = [word for word in allowed if isinstance(word, str)]
    hint = did_you_mean(value, words) if isinstance(value, str) else ""
    return f"must be {join_names(allowed, word='or')}, not {display(value)}{hint}"


def _too_short(allowed: Any, value: Any) -> str:
    return "must not be empty" if allowed == 1 else f"must have at least {allowed} characters, not {len(value)}"


_REASONS: dict[str, Callable[[Any, Any], str]] = {
    "type": _wrong_type,
    "enum": _none_of_the_words,
    "const": lambda allowed, _value: f"must be {display(allowed)}",
    "minLength": _too_short,
    "maxLength": lambda allowed, value: f"must have at most {allowed:,} characters, not {len(value):,}",
    "minItems": lambda allowed, value: f"must have at least {allowed} items, not {len(value)}",
    "maxItems": lambda allowed, value: f"must have at most {allowed} items, not {len(value)}",
    "minimum": lambda allowed, value: f"must be at least {allowed}, not {display(value)}",
    "maximum": lambda allowed, value: f"must be at most {allowed}, not {display(value)}",
    "uniqueItems": lambda _allowed, _value: "must not have the same item twice",
    "format": lambda allowed, _value: f"must have the format {allowed}",
    "pattern": lambda allowed, _value: f"must match the pattern {allowed}",
    "minProperties": lambda _allowed, _value: "must not be empty",
    "anyOf": _none_of,
    "oneOf": _none_of,
}
