"""From what callers pass to what a perform function can rely on.

Forms and flow files pass text: ``"2000"``, ``"false"``, ``'["https://…"]'``, and ``""`` for a field left empty. Each
input is converted to what its schema says, defaults are filled in, connections are checked against their type, the
inputs' own ``clean`` functions run, and the whole is validated. One ``InputError`` lists all problems.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cached_property
from typing import Any

from twilio_component.host.errors import InputError, Problem, did_you_mean, join_names, json_path
from twilio_component.host.inputs.fast_path import certainly_valid
from twilio_component.host.inputs.messages import display, error_messages, hint_for_input, type_name
from twilio_component.host.model import Connection, JsonSchema, resolve
from twilio_component.host.serialization import json_ready, number_text

Path = tuple[str | int, ...]
Problems = list[tuple[Path, str]]

# What forms and flow files write for a boolean, in any case.
_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
_INTEGER = re.compile(r"\s*[-+]?[0-9]{1,400}\s*")
_NUMBER = re.compile(r"\s*[-+]?([0-9]{1,300}(\.[0-9]{0,300})?|\.[0-9]{1,300})([eE][-+]?[0-9]{1,2})?\s*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST_NUMBER = 10**400  # Python refuses to write integers of more than 4,300 digits
_MOST_CONNECTIONS = 1_000
_EMPTY_TEXTS = ("[]", "{}")
# With one of these a text is of a form that the text of an empty list does not have.
_NARROWING = ("clean", "pattern", "enum", "const")


class AcceptedInputs(dict[str, Any]):
    """Inputs that this form has accepted, which does not check them again."""

    __slots__ = ("form",)

    def __init__(self, inputs: Mapping[str, Any], form: InputForm) -> None:
        super().__init__(inputs)
        self.form = form


class InputForm:
    """The inputs of one operation, or the fields of one connection type. Compiled once, used often.

    ``place`` is the start of the paths of problems, such as ``("inputs",)``; ``connections`` are the types that an
    input with ``format: connection`` accepts.
    """

    def __init__(
        self, schema: JsonSchema, connections: Mapping[str, Connection] | None = None, place: Path = ("inputs",)
    ) -> None:
        self.place = place
        self.properties: Mapping[str, JsonSchema] = schema["properties"]
        self.required = frozenset(schema.get("required", ()))
        self.defaults = {name: part["default"] for name, part in self.properties.items() if "default" in part}
        self.connections = {
            name: ConnectionForm(connections or {}, (*place, name))
            for name, part in self.properties.items()
            if part.get("format") == "connection"
        }
        self.cleaners = {name: resolve(part["clean"]) for name, part in self.properties.items() if "clean" in part}
        self.item_cleaners = {
            name: resolve(part["items"]["clean"])
            for name, part in self.properties.items()
            if "clean" in part.get("items", {})
        }
        # Connections are left out, since their forms say more.
        properties = {name: (name in self.connections) or part for name, part in self.properties.items()}
        self.schema: JsonSchema = {**schema, "properties": properties}
        self.certainly_valid = certainly_valid(self.schema)

    @cached_property
    def validator(self) -> Any:
        """The compiled schema, which decides."""
        from jsonschema import Draft202012Validator  # it costs 100 ms to import

        return Draft202012Validator(self.schema)

    def validate(self, inputs: Any) -> dict[str, Any]:
        """Return the inputs, converted, completed and valid; raises ``InputError`` that lists every problem."""
        if type(inputs) is AcceptedInputs and inputs.form is self:
            return dict(inputs)
        problems: Problems = []
        values = self.collect({} if inputs is None else inputs, problems)
        if problems:
            raise InputError("The inputs are not valid", [Problem(json_path(path), text) for path, text in problems])
        return values

    def accept(self, inputs: Any) -> AcceptedInputs:
        """Return the inputs as ``validate`` does; that, or this, does not check the result again."""
        return AcceptedInputs(self.validate(inputs), self)

    def validate_alone(self, name: str, value: Any) -> Any:
        """Return one input as ``validate`` would if all others had their defaults; raises ``InputError``."""
        from jsonschema import Draft202012Validator  # it costs 100 ms to import

        problems: Problems = []
        values = self._convert({name: value}, problems)
        self._clean(values, problems)
        if not problems:
            errors = Draft202012Validator(self.properties[name]).iter_errors(values.get(name))
            problems = [((*self.place, name, *path), message) for path, message in error_messages(errors)]
        if problems:
            raise InputError("The input is not valid", [Problem(json_path(path), text) for path, text in problems])
        return values[name]

    def collect(self, inputs: Any, problems: Problems) -> dict[str, Any]:
        """Return the inputs as ``validate`` does, but add what is wrong to ``problems``."""
        if not isinstance(inputs, Mapping):
            problems.append((self.place, f"must be an object by name, not {type_name(inputs)}"))
            return {}
        own: Problems = []
        values = self._convert(inputs, own)
        for name, form in self.connections.items():
            if name in values:
                values[name] = form.validate(values[name], own)
        self._clean(values, own)
        if not own and self.certainly_valid(values):
            return values
        wrong = {path[: len(self.place) + 1] for path, _ in own}
        for path, message in error_messages(self.validator.iter_errors(values)):
            full = (*self.place, *path)
            # What a conversion or a clean function said about an input is better than what its schema says.
            if full[: len(self.place) + 1] not in wrong:
                own.append((full, self._about_required(path, message)))
        problems.extend(own)
        return values

    def _convert(self, inputs: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in inputs.items():
            if name not in self.properties:
                hint = hint_for_input(str(name), self.schema)
                known = f" (known: {join_names(self.properties, limit=40)})"
                problems.append(((*self.place, str(name)), f"is not known{hint}{known}"))
            elif name in self.connections and type(value) is dict and (value or name in self.required):
                values[name] = value
            elif value is not None and value != "":
                part = self.properties[name]
                if name not in self.required and is_left_empty(value, part):
                    continue
                values[name] = convert(value, part)
                if name not in self.connections and _has_broken_text(values[name]):
                    problems.append(((*self.place, name), "contains an unpaired surrogate"))
        for name, default in self.defaults.items():
            if name not in values:
                values[name] = deepcopy(default) if isinstance(default, (list, dict)) else default
        return values

    def _clean(self, values: dict[str, Any], problems: Problems) -> None:
        for name, clean in self.cleaners.items():
            if name in values and isinstance(values[name], str):
                try:
                    values[name] = clean(values[name], values)
                except ValueError as error:
                    problems.append(((*self.place, name), str(error)))
        for name, clean in self.item_cleaners.items():
            if name not in values or not isinstance(values[name], list):
                continue
            values[name] = items = list(values[name])
            for index, item in enumerate(items):
                if isinstance(item, str):
                    try:
                        items[index] = clean(item, values)
                    except ValueError as error:
                        problems.append(((*self.place, name, index), str(error)))

    def _about_required(self, path: Path, message: str) -> str:
        if len(path) == 1 and path[0] in self.connections and message == "is required":
            return f"is required: a connection of type {join_names(self.connections[str(path[0])].kinds, word='or')}"
        return message


class ConnectionForm:
    """The form of a connection input: ``{"key": type, "fields": {…}}``, or that as JSON text.

    Without a key, the type is the one that the fields fit. Other keys, which platforms add, are ignored.
    """

    def __init__(self, kinds: Mapping[str, Connection], place: Path = ("connection",)) -> None:
        self.kinds = kinds
        self.place = place
        self.forms = {key: InputForm(kind.inputs, place=(*place, "fields")) for key, kind in kinds.items()}
        self._valid_fields: dict[tuple[Any, ...] | None, dict[str, Any]] = {}

    def validate(self, value: Any, problems: Problems) -> Any:
        """Return the connection with its fields converted and valid; add what is wrong to ``problems``."""
        if not isinstance(value, Mapping):
            wanted = 'must be a connection, {"key": …, "fields": {…}}'
            problems.append((self.place, f"{wanted}, not {type_name(value)}"))
            return value
        fields = value.get("fields")
        if not isinstance(fields, Mapping):
            problems.append(((*self.place, "fields"), f"must be an object of fields by name, not {type_name(fields)}"))
            return value
        key = value.get("key") or self._kind_of(fields)
        if isinstance(key, str) and key in self.forms:
            return {"key": key, "fields": self._validate_fields(key, fields, problems)}
        hint = did_you_mean(key, self.forms) if isinstance(key, str) else ""
        what = (
            f"{display(key)} is not a connection type here"
            if key
            else "is required, since the fields do not fit exactly one type"
        )
        problems.append(((*self.place, "key"), f"{what}{hint} (known: {join_names(self.forms)})"))
        return value

    def _validate_fields(self, key: str, fields: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        # Most calls repeat a connection. Only text is cached, because 1 equals True.
        known = (key, *fields.items()) if all(type(field) is str for field in fields.values()) else None
        if known in self._valid_fields:
            return dict(self._valid_fields[known])
        wrong: Problems = []
        valid = self.forms[key].collect(fields, wrong)
        problems.extend(wrong)
        if known and not wrong:
            if len(self._valid_fields) >= _MOST_CONNECTIONS:
                self._valid_fields.clear()
            self._valid_fields[known] = dict(valid)
        return valid

    def _kind_of(self, fields: Mapping[str, Any]) -> str | None:
        fitting = [
            key
            for key, form in self.forms.items()
            if fields.keys() <= form.properties.keys() and form.required <= fields.keys()
        ]
        return fitting[0] if len(fitting) == 1 else None


def is_left_empty(value: Any, schema: JsonSchema) -> bool:
    """Return whether a value is an empty list or object, or its JSON text, where the input takes no such value.

    That means the same as an empty text: nothing was given. Where any text may stand, ``"[]"`` is a text.
    """
    kind = schema.get("type")
    if isinstance(value, str):
        if value.strip() not in _EMPTY_TEXTS:
            return False
        if isinstance(kind, list):
            return schema.get("format") != "text" and not {"array", "object"}.isdisjoint(kind)
        return kind != "string" or any(keyword in schema for keyword in _NARROWING)
    if value not in ([], {}):
        return False
    own = "array" if isinstance(value, list) else "object"
    several = isinstance(kind, list) and own in kind and "minProperties" not in schema
    return kind is not None and not several


def convert(value: Any, schema: JsonSchema) -> Any:
    """Return a value converted to its schema's type if its meaning is certain; otherwise unchanged."""
    kind = schema.get("type")
    if kind == "string" and type(value) is str:
        return value
    if isinstance(value, (bytes, bytearray, dt.date)):
        return _python_value(value, schema)
    if not isinstance(kind, str):
        # Several types are allowed: only the operation knows which one a text means.
        return value
    if kind == "string":
        return _text(value)
    if kind == "boolean":
        return _boolean(value)
    conversion = _CONVERSIONS.get(kind)
    return conversion(value, schema) if conversion else value


def _python_value(value: bytes | bytearray | dt.date, schema: JsonSchema) -> Any:
    """What JSON has no type for: bytes as a buffer, where text is not wanted; a date as text, where a date belongs."""
    wants_text = schema.get("type") == "string"
    if isinstance(value, dt.date):
        # Not in a message, for example, which would be sent with it.
        is_wanted = wants_text and ("clean" in schema or schema.get("format") in ("date", "date-time"))
        return value.isoformat() if is_wanted else value
    return value if wants_text else json_ready(value)


def _text(value: Any) -> Any:
    """Numbers, booleans and null as text: a SID of digits, written without quotes in YAML, arrives as a number."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < _LARGEST_NUMBER else value
    return number_text(value) if isinstance(value, float) and math.isfinite(value) else value


def _boolean(value: Any) -> Any:
    if isinstance(value, str):
        return _BOOLEANS.get(value.strip().lower(), value)
    return bool(value) if isinstance(value, (int, float)) and value in (0, 1) else value


def _integer(value: Any, _schema: JsonSchema) -> Any:
    """A whole number; a fraction is cut off."""
    if isinstance(value, str):
        if _INTEGER.fullmatch(value):
            return int(value)
        value = float(value) if _NUMBER.fullmatch(value) else value
    return int(value) if isinstance(value, float) and math.isfinite(value) else value


def _number(value: Any, _schema: JsonSchema) -> Any:
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _list(value: Any, schema: JsonSchema) -> Any:
    items = schema.get("items", {})
    if isinstance(value, str):
        parsed = _json(value, "[")
        value = [value] if parsed is None else parsed
    if schema.get("format") == "keyvaluelist":
        if isinstance(value, list) and len(value) == 1 and (parsed := _json(value[0], "{")) is not None:
            value = parsed
        if isinstance(value, Mapping):
            value = [{"key": key, "value": item} for key, item in value.items()]
    return [convert(item, items) for item in value] if isinstance(value, (list, tuple)) else value


def _object(value: Any, schema: JsonSchema) -> Any:
    if isinstance(value, str):
        parsed = _json(value, "{")
        value = value if parsed is None else parsed
    if not isinstance(value, Mapping):
        return value
    properties = schema.get("properties", {})
    return {key: convert(item, properties[key]) if key in properties else item for key, item in value.items()}


_CONVERSIONS = {"array": _list, "object": _object, "integer": _integer, "number": _number}


def _json(value: Any, opening: str) -> Any:
    """Return the list or object that JSON text holds, or None."""
    if not isinstance(value, str) or not value.lstrip().startswith(opening):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _has_broken_text(value: Any) -> bool:
    """Whether a value holds text that UTF-8, and so a request, cannot encode. Does not recurse."""
    if type(value) is str and value.isascii():
        return False
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if _SURROGATE.search(item):
                return True
        elif isinstance(item, Mapping):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
    return False
