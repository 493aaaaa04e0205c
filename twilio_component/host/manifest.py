"""Component manifests: `component.yaml`, read into the model and checked.

Reading is cheap and trusting: it serves `describe` and start-up. Checking finds every mistake at once, each with file,
line and path: the manifest's schema, inputs that are no JSON Schema, functions that do not resolve, examples that are
missing. A manifest may keep shared schemas and examples in files beside it::

    to: {$ref: "schemas/definitions.schema.json#/$defs/recipient", title: To}
    example: {$ref: fixtures/payloads/sendSMS.json}

Such references are resolved while reading, so that nobody after the reader meets one; keys beside a `$ref` win over
the keys of what it points to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twilio_component.host.documents import Document, PathParts, read_document
from twilio_component.host.errors import ManifestError, PluginError, Problem
from twilio_component.host.model import Action, Component, Connection, DataSource, Display, Operation, Trigger, resolve

_KINDS: Mapping[str, type[Operation]] = {"actions": Action, "triggers": Trigger, "dataSources": DataSource}
_OPERATION_FIELDS = frozenset({"display", "perform", "inputs", "result", "example", "repeatable"})
# The manifest's own schema is part of the host; it stands with the other schemas, where editors look for it.
_SCHEMA = "component.schema.json"


def load_component(path: Path, *, version: str = "") -> Component:
    """The component that the manifest at ``path`` declares, without checking more than reading needs.

    Raises ``DocumentError`` or ``ManifestError``. ``check_manifest`` finds the mistakes that this overlooks.
    """
    manifest = _Manifest(path)
    if manifest.problems:
        raise manifest.error()
    try:
        return _component(manifest.data, version)
    except (KeyError, TypeError, AttributeError) as error:
        # Its shape is wrong: the schema says where, in words.
        problems = list(manifest.schema_problems())
        raise manifest.error(problems or [Problem("$", f"cannot be understood ({error})", str(path))]) from error


def check_manifest(path: Path) -> list[Problem]:
    """Every mistake in the manifest at ``path``, in the order of the file; an empty list when there is none."""
    manifest = _Manifest(path)
    problems = [*manifest.problems, *manifest.schema_problems()]
    if not problems:
        problems += [*manifest.input_problems(), *manifest.function_problems()]
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))


class _Manifest:
    """A manifest's document, with its references resolved as far as they can be."""

    def __init__(self, path: Path) -> None:
        self.document: Document = read_document(path)
        self.folder = path.parent
        self.problems: list[Problem] = []
        self.files: dict[Path, Any] = {}
        self.data: Any = self.inline(self.document.data, (), (), path)

    def error(self, problems: list[Problem] | None = None) -> ManifestError:
        return ManifestError(f"{self.document.file} is not a valid component manifest", problems or self.problems)

    def inline(self, value: Any, path: PathParts, via: tuple[str, ...], file: Path) -> Any:
        if isinstance(value, list):
            return [self.inline(item, (*path, index), via, file) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("$ref"), str):
            return self.referred(value, path, via, file)
        return {key: self.inline(item, (*path, key), via, file) for key, item in value.items()}

    def referred(self, value: dict[str, Any], path: PathParts, via: tuple[str, ...], file: Path) -> Any:
        name, _, pointer = value["$ref"].partition("#")
        target_file = (file.parent / name).resolve() if name else file
        target = f"{target_file}#{pointer}"
        if target in via:
            self.problems.append(self.document.problem(path, f"the $ref '{value['$ref']}' leads back to itself"))
            return {}
        try:
            found = _follow(self.file(target_file), pointer)
        except (OSError, ValueError, LookupError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.problems.append(self.document.problem(path, f"the $ref '{value['$ref']}' leads nowhere: {reason}"))
            return {}
        resolved = self.inline(found, path, (*via, target), target_file)
        beside = {key: self.inline(item, (*path, key), via, file) for key, item in value.items() if key != "$ref"}
        return {**resolved, **beside} if beside and isinstance(resolved, dict) else resolved

    def file(self, path: Path) -> Any:
        if path not in self.files:
            self.files[path] = json.loads(path.read_text(encoding="utf-8"))
        return self.files[path]

    def schema_problems(self) -> Iterator[Problem]:
        from jsonschema import Draft202012Validator  # it costs 100 ms to import

        from twilio_component.host.schemas import sentence

        schema = self.file(schema_file(_SCHEMA))
        for error in Draft202012Validator(schema).iter_errors(self.data):
            for parts, message in sentence(error):
                # An unknown key is where its key stands; everything else where its value stands.
                yield self.document.problem(parts, message, key=error.validator == "additionalProperties")

    def input_problems(self) -> Iterator[Problem]:
        from jsonschema import Draft202012Validator, SchemaError

        for path, part in self.parts():
            for name in ("inputs", "result"):
                try:
                    Draft202012Validator.check_schema(part.get(name, True))
                except SchemaError as error:
                    yield self.document.problem((*path, name, *error.path), f"not a JSON Schema: {error.message}")

    def function_problems(self) -> Iterator[Problem]:
        for path, part in self.parts():
            named = [((*path, "perform"), part["perform"])] if "perform" in part else []
            for name, schema in part.get("inputs", {}).get("properties", {}).items():
                if "clean" in schema:
                    named.append(((*path, "inputs", "properties", name, "clean"), schema["clean"]))
            for place, function in named:
                try:
                    resolve(function)
                except PluginError as error:
                    yield self.document.problem(place, str(error))

    def parts(self) -> Iterator[tuple[PathParts, dict[str, Any]]]:
        for section in ("connections", *_KINDS):
            for key, part in self.data.get(section, {}).items():
                yield (section, key), part


def schema_file(name: str) -> Path:
    """Where the schema ``name`` stands: inside the package in an installation, beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "schemas" / name
    return installed if installed.exists() else package.parent / "schemas" / name


def _follow(value: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, dict) or key not in value:
            raise LookupError(f"it has no '{key}'")
        value = value[key]
    return value


def _component(data: Mapping[str, Any], version: str) -> Component:
    connections = {
        key: Connection(key=key, display=_display(part), inputs=part["inputs"])
        for key, part in data.get("connections", {}).items()
    }
    operations: dict[str, Any] = {
        section: {key: _operation(kind, key, part) for key, part in data.get(section, {}).items()}
        for section, kind in _KINDS.items()
    }
    return Component(
        key=data["key"],
        display=_display(data),
        documentation=data.get("documentation", ""),
        version=version,
        connections=connections,
        actions=operations["actions"],
        triggers=operations["triggers"],
        data_sources=operations["dataSources"],
        manifest=data,
    )


def _display(part: Mapping[str, Any]) -> Display:
    display = part["display"]
    return Display(label=display["label"], description=display.get("description", ""))


def _operation(kind: type[Operation], key: str, part: Mapping[str, Any]) -> Operation:
    optional = {name: part[name] for name in ("inputs", "result", "example", "repeatable") if name in part}
    options = {name: value for name, value in part.items() if name not in _OPERATION_FIELDS}
    return kind(key=key, display=_display(part), perform=part["perform"], options=options, **optional)
