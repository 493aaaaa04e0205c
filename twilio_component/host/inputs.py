"""From what callers give to what a perform function may rely on.

Forms and flow files give text: ``"2000"``, ``"false"``, ``'["https://…"]'``, and ``""`` for a field left empty. Each
input is converted to what its schema says, defaults are filled in, connections are checked against their kind, the
inputs' own ``clean`` functions run, and the whole is validated. All problems come in one ``InputError``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from twilio_component.host.errors import InputError, Problem, did_you_mean, json_path, listed
from twilio_component.host.json_ready import json_ready
from twilio_component.host.model import Connection, JsonSchema, resolve
from twilio_component.host.schemas import sentence, type_name

Clean = Callable[[Any, Mapping[str, Any]], Any]
Path = tuple[str | int, ...]

_BOOLEANS = {"true": True, "false": False}
_MOST_CONNECTIONS = 1_000


class Form:
    """The inputs of one operation, or the fields of one kind of connection. Compiled once, used often.

    ``place`` is where problems are said to be, e.g. ``("inputs",)``; ``connections`` are the kinds that an input with
    ``format: connection`` may be of.
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
        self.schema = schema

    @cached_property
    def validator(self) -> Any:
        """The compiled schema; connections are left out of it, since their forms say more."""
        from jsonschema import Draft202012Validator  # it costs 100 ms to import

        properties = {name: (name in self.connections) or part for name, part in self.properties.items()}
        return Draft202012Validator({**self.schema, "properties": properties})

    def accept(self, inputs: Any) -> dict[str, Any]:
        """The inputs, converted, completed and valid; raises ``InputError`` with everything that is wrong."""
        if inputs is not None and not isinstance(inputs, Mapping):
            problem = Problem(json_path(self.place), f"must be an object of inputs by name, not {type_name(inputs)}")
            raise InputError("The inputs are not valid", [problem])
        problems: list[tuple[Path, str]] = []
        values = self._converted(inputs or {}, problems)
        for name, form in self.connections.items():
            if name in values:
                values[name] = form.accept(values[name], problems)
        self._clean(values, problems)
        wrong = {path[: len(self.place) + 1] for path, _ in problems}
        for error in self.validator.iter_errors(values):
            for path, message in sentence(error):
                if (full := (*self.place, *path))[: len(self.place) + 1] not in wrong:
                    problems.append((full, self._about_required(path, message)))
        if problems:
            raise InputError("The inputs are not valid", [Problem(json_path(path), text) for path, text in problems])
        return values

    def _converted(self, inputs: Mapping[str, Any], problems: list[tuple[Path, str]]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in inputs.items():
            if name not in self.properties:
                known = f"{did_you_mean(str(name), self.properties)} (known: {listed(self.properties, limit=40)})"
                problems.append(((*self.place, str(name)), f"is not known{known}"))
            elif value is not None and value != "":
                values[name] = convert(value, self.properties[name])
        for name, default in self.defaults.items():
            values.setdefault(name, default)
        return values

    def _clean(self, values: dict[str, Any], problems: list[tuple[Path, str]]) -> None:
        for name, clean in self.cleaners.items():
            if isinstance(values.get(name), str):
                try:
                    values[name] = clean(values[name], values)
                except ValueError as error:
                    problems.append(((*self.place, name), str(error)))
        for name, clean in self.item_cleaners.items():
            items = values.get(name)
            if not isinstance(items, list):
                continue
            values[name] = items = list(items)
            for index, item in enumerate(items):
                if isinstance(item, str):
                    try:
                        items[index] = clean(item, values)
                    except ValueError as error:
                        problems.append(((*self.place, name, index), str(error)))

    def _about_required(self, path: Path, message: str) -> str:
        if len(path) == 1 and path[0] in self.connections and message == "is required":
            return f"is required: a connection of kind {listed(self.connections[str(path[0])].kinds, word='or')}"
        return message


class ConnectionForm:
    """What a connection input takes: ``{"key": kind, "fields": {…}}``, or JSON text of it.

    Without a key the kind is the one whose fields are given. Keys beside those two, which hosts add, are ignored.
    """

    def __init__(self, kinds: Mapping[str, Connection], place: Path = ("connection",)) -> None:
        self.kinds = kinds
        self.place = place
        self.forms = {key: Form(kind.inputs, place=(*place, "fields")) for key, kind in kinds.items()}
        self._accepted: dict[tuple[Any, ...], dict[str, Any]] = {}

    def accept(self, value: Any, problems: list[tuple[Path, str]]) -> Any:
        """The connection with its fields converted and valid; what is wrong is added to ``problems``."""
        if not isinstance(value, Mapping):
            wanted = 'must be a connection, {"key": …, "fields": {…}}'
            problems.append((self.place, f"{wanted}, not {type_name(value)}"))
            return value
        fields = value.get("fields")
        if not isinstance(fields, Mapping):
            problems.append(((*self.place, "fields"), f"must be an object of fields by name, not {type_name(fields)}"))
            return value
        key = value.get("key") or self._kind_of(fields)
        if key not in self.forms:
            hint = did_you_mean(str(key), self.forms) if key else ""
            what = f"'{key}' is no kind of connection here" if key else "is required, since the fields fit no one kind"
            problems.append(((*self.place, "key"), f"{what}{hint} (known: {listed(self.forms)})"))
            return value
        return self._accept_fields(str(key), fields, problems)

    def _accept_fields(self, key: str, fields: Mapping[str, Any], problems: list[tuple[Path, str]]) -> Any:
        try:
            known = (key, *fields.items())
            if known in self._accepted:
                return self._accepted[known]
        except TypeError:  # a field that is a list or an object: not to be remembered, and refused below
            known = ()
        try:
            accepted = {"key": key, "fields": self.forms[key].accept(fields)}
        except InputError as error:
            problems.extend(((*self.place, "fields", *_field(problem)), problem.message) for problem in error.problems)
            return {"key": key, "fields": fields}
        if known:
            if len(self._accepted) >= _MOST_CONNECTIONS:
                self._accepted.clear()
            self._accepted[known] = accepted
        return accepted

    def _kind_of(self, fields: Mapping[str, Any]) -> str | None:
        fitting = [
            key
            for key, form in self.forms.items()
            if fields.keys() <= form.properties.keys() and form.required <= fields.keys()
        ]
        return fitting[0] if len(fitting) == 1 else None


def convert(value: Any, schema: JsonSchema) -> Any:
    """A value as its schema wants it, where the meaning is beyond doubt; else unchanged, for the schema to refuse."""
    if isinstance(value, (bytes, bytearray)):
        return json_ready(value)
    kind = schema.get("type")
    if kind == "string":
        # A phone number or a SID written without quotes in YAML arrives as a number.
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if kind == "boolean" and isinstance(value, str):
        return _BOOLEANS.get(value.strip().lower(), value)
    conversion = _CONVERSIONS.get(kind) if isinstance(kind, str) else None
    return conversion(value, schema) if conversion else value


def _number(value: Any, schema: JsonSchema) -> Any:
    if isinstance(value, str):
        try:
            value = int(value) if schema["type"] == "integer" else float(value)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _list(value: Any, schema: JsonSchema) -> Any:
    items = schema.get("items", {})
    if isinstance(value, str):
        value = _json(value, "[") or [value]
    if schema.get("format") == "keyvaluelist":
        if isinstance(value, Mapping):
            value = [{"key": key, "value": item} for key, item in value.items()]
        elif isinstance(value, list) and len(value) == 1 and isinstance(parsed := _json(value[0], "{"), dict):
            return _list(parsed, schema)
    return [convert(item, items) for item in value] if isinstance(value, (list, tuple)) else value


def _object(value: Any, schema: JsonSchema) -> Any:
    if isinstance(value, str):
        parsed = _json(value, "{")
        value = value if parsed is None else parsed
    if not isinstance(value, Mapping):
        return value
    properties = schema.get("properties", {})
    return {key: convert(item, properties[key]) if key in properties else item for key, item in value.items()}


_CONVERSIONS = {"array": _list, "object": _object, "integer": _number, "number": _number}


def _json(value: Any, opening: str) -> Any:
    """The list or object that JSON text holds; None when it holds none."""
    if not isinstance(value, str) or not value.lstrip().startswith(opening):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _field(problem: Problem) -> Path:
    return (problem.path.rpartition(".")[2],)
