"""Component manifests: `component.yaml`, read into the model and checked.

Reading is cheap and trusts the manifest: it serves `describe` and start-up. Checking finds every mistake at once, each
with file, line and path: unknown and missing keys, inputs that are not JSON Schema, functions that do not resolve,
references without a target. Discovery checks a manifest as soon as reading it fails.

Manifests may refer to files beside them; see `references`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import ManifestError, PluginError, Problem, did_you_mean, json_path
from twilio_component.host.manifest.files import shipped_file
from twilio_component.host.manifest.references import References, read_carefully, read_quickly
from twilio_component.host.manifest.structure import (
    FORMATS,
    KEYWORDS,
    TYPES,
    has_unknown_words,
    own_keywords,
    unknown_words,
)
from twilio_component.host.model import (
    Action,
    Asking,
    Component,
    Connection,
    DataSource,
    Display,
    Operation,
    Reconciliation,
    Trigger,
    resolve,
)

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

    from twilio_component.host.manifest.documents import Document, PathParts

_KINDS: Mapping[str, type[Operation]] = {"actions": Action, "triggers": Trigger, "dataSources": DataSource}
# Functions beside `perform` that a kind of operation may have, and what the model calls them.
_FUNCTIONS: Mapping[type[Operation], Mapping[str, str]] = {
    Action: {"page": "page"},
    Trigger: {
        "onInstanceDeploy": "on_instance_deploy",
        "onInstanceDelete": "on_instance_delete",
        "identifyEvent": "identify_event",
        "identifyReply": "identify_reply",
        "identifyReport": "identify_report",
    },
    DataSource: {},
}
# Other keys that a kind of operation may have.
_TRAITS: Mapping[type[Operation], tuple[str, ...]] = {Action: ("waits", "branches"), Trigger: (), DataSource: ()}
_FUNCTION_NAMES = frozenset(name for names in _FUNCTIONS.values() for name in names)
_OPERATION_FIELDS = _FUNCTION_NAMES | {
    "display",
    "perform",
    "inputs",
    "outputSchema",
    "example",
    "idempotent",
    "waits",
    "branches",
    "reconciliation",
    "asks",
}
# What a host returns of each kind of operation is an object with this key.
_RESULT_KEYS = {"actions": "data", "triggers": "payload", "dataSources": "result"}
# The manifest's own schema is part of the host, but is kept with the other schemas, where editors look for it.
_SCHEMA = "schemas/component.schema.json"
_ABOUT_THE_KEY = frozenset({"additionalProperties", "pattern"})


def load_component(path: Path, *, version: str = "") -> Component:
    """Return the component that the manifest at ``path`` declares, checked no further than reading needs.

    Raises ``DocumentError`` or ``ManifestError``. ``check_manifest`` finds the mistakes that this overlooks.
    """
    try:
        unresolved: list[str] = []
        content, _ = read_quickly(path)
        data = References(path, content, read_quickly, lambda _, message: unresolved.append(message)).resolve()
        if not unresolved and not has_unknown_words(data, _manifest_schema()):
            return _component(data, version, path)
    except (KeyError, TypeError, AttributeError, RecursionError):
        # Its structure is wrong: the schema says where.
        pass
    raise ManifestError(f"{path} is not a valid component manifest", check_manifest(path))


def check_manifest(path: Path) -> list[Problem]:
    """Return every mistake in the manifest at ``path``, in the order of the file.

    Raises ``DocumentError`` if the file is not YAML.
    """
    return _Manifest(path).all_problems()


def named_packages(path: Path) -> set[str]:
    """Return the top-level packages of the functions that the manifest at ``path`` names.

    Raises ``DocumentError`` if the file is not YAML.
    """
    return {name.partition(":")[0].partition(".")[0] for _, name in _Manifest(path).functions()}


class _Manifest:
    """A manifest's document with its references resolved where possible, and everything that is wrong with it."""

    def __init__(self, path: Path) -> None:
        from twilio_component.host.manifest.documents import read_document  # loads the parser of YAML

        self.problems: list[Problem] = []
        self.document: Document = read_document(path, self.problems)
        self.data: Any = References(path, self.document.data, read_carefully, self.note).resolve()

    def note(self, path: PathParts, message: str) -> None:
        self.problems.append(self.document.problem(path, message))

    def all_problems(self) -> list[Problem]:
        found = [*self.problems, *self.schema_problems(), *self.input_problems(), *self.example_problems()]
        found += self.function_problems()
        return sorted(dict.fromkeys(found), key=lambda problem: (problem.line or 0, problem.column or 0))

    def schema_problems(self) -> Iterator[Problem]:
        from jsonschema import Draft202012Validator  # it costs 100 ms to import

        schema = _manifest_schema()
        yield from self.found_by(Draft202012Validator(schema), self.data, ())
        for written, section in self.sections():
            if written != section:  # misspelt, which is said; its mistakes are to be mended too
                part = {**schema["properties"][section], "$defs": schema["$defs"]}
                yield from self.found_by(Draft202012Validator(part), self.data[written], (written,))

    def input_problems(self) -> Iterator[Problem]:
        from jsonschema import Draft202012Validator

        meta = _meta_validator()
        for path, part in self.parts():
            for name in ("inputs", "outputSchema"):
                yield from self.found_by(meta, part.get(name, {}), (*path, name))
                yield from self.keyword_problems(part.get(name, {}), (*path, name))
            inputs = _mapping(part.get("inputs"))
            properties = _mapping(inputs.get("properties"))
            required = inputs.get("required")
            for index, name in enumerate(required if isinstance(required, list) else ()):
                if isinstance(name, str) and name not in properties:
                    hint = did_you_mean(name, properties)
                    yield self.document.problem((*path, "inputs", "required", index), f"'{name}' is not an input{hint}")
            for name, schema in properties.items():
                form = _mapping(schema).get("format")
                if isinstance(form, str) and form not in FORMATS and (hint := did_you_mean(form, FORMATS)):
                    place = (*path, "inputs", "properties", name, "format")
                    yield self.document.problem(place, f"'{form}' is not known{hint}")
                if "default" in _mapping(schema) and meta.is_valid(schema):
                    place = (*path, "inputs", "properties", name, "default")
                    yield from self.found_by(Draft202012Validator(schema), schema["default"], place)

    def example_problems(self) -> Iterator[Problem]:
        without_target, sections = {problem.path for problem in self.problems}, dict(self.sections())
        for (section, key), part in self.parts():
            name = _RESULT_KEYS.get(sections[section])
            if not name or "example" not in part:
                continue
            place = (section, key, "example")
            # What has no target is empty here, and that is said.
            if not any(path.startswith(json_path(place)) for path in without_target):
                yield from self.problems_of_example(part, name, place)

    def problems_of_example(self, part: Mapping[str, Any], name: str, place: PathParts) -> Iterator[Problem]:
        """What is wrong with an example, which stands in for the result in mocks and dry runs."""
        from jsonschema import Draft202012Validator

        if name not in _mapping(part["example"]):
            yield self.document.problem(place, f"must be a whole result, an object with the key '{name}'")
            return
        schema = part.get("outputSchema", {})
        if _meta_validator().is_valid(schema):  # if not, `input_problems` says so
            problems = self.found_by(Draft202012Validator(schema), part["example"][name], (*place, name))
            yield from (replace(one, message=f"contradicts outputSchema: {one.message}") for one in problems)

    def keyword_problems(self, schema: Any, place: PathParts) -> Iterator[Problem]:
        own = own_keywords(_manifest_schema())
        for path, word in unknown_words(schema, own):
            if path[-1] == word and word not in TYPES:
                hint = did_you_mean(word, KEYWORDS | own)
                message = f"is not a keyword of JSON Schema{hint} (keywords of your own start with x-)"
                yield self.document.problem((*place, *path), message, key=True)

    def found_by(self, validator: Draft202012Validator, data: Any, place: PathParts) -> Iterator[Problem]:
        from twilio_component.host.inputs.messages import error_messages

        for error in validator.iter_errors(data):
            # Of the allowed forms, the one that it is closest to.
            closest = max(error.context or [error], key=lambda part: (len(part.path), part.validator != "type"))
            for parts, message in error_messages([closest]):
                # An unexpected key is reported at the key, everything else at its value.
                yield self.document.problem((*place, *parts), message, key=closest.validator in _ABOUT_THE_KEY)

    def function_problems(self) -> Iterator[Problem]:
        from twilio_component.host.manifest.functions import misuse  # needed for the check alone

        broken: set[str] = set()  # modules that cannot be imported; said once, with the first function of each
        for place, name in self.functions():
            module = name.partition(":")[0]
            if module in broken:
                continue
            try:
                function = resolve(name)
            except PluginError as error:
                yield self.document.problem(place, str(error))
                if error.__cause__ is not None:
                    broken.add(module)
                continue
            for wrong in misuse(function, place):
                yield self.document.problem(place, f"'{name}' {wrong}")

    def functions(self) -> Iterator[tuple[PathParts, str]]:
        """Yield every function that the manifest names in the right form; the schema reports the others."""
        for path, part in self.parts():
            named: dict[PathParts, Any] = {(*path, name): part.get(name) for name in ("perform", "check")}
            named |= {(*path, name): part.get(name) for name in sorted(_FUNCTION_NAMES)}
            for name in ("lookFor", "features"):
                named[*path, "reconciliation", name] = _mapping(part.get("reconciliation")).get(name)
            for name in ("plan", "judge", "outcomeOf"):
                named[*path, "asks", name] = _mapping(part.get("asks")).get(name)
            named[*path, "proof", "when"] = _mapping(part.get("proof")).get("when")
            for name, schema in _mapping(_mapping(part.get("inputs")).get("properties")).items():
                place = (*path, "inputs", "properties", name)
                named[*place, "clean"] = _mapping(schema).get("clean")
                named[*place, "items", "clean"] = _mapping(_mapping(schema).get("items")).get("clean")
            yield from ((place, name) for place, name in named.items() if isinstance(name, str) and ":" in name)

    def parts(self) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
        for section, _ in self.sections():
            for key, part in _mapping(_mapping(self.data).get(section)).items():
                yield (section, key), _mapping(part)

    def sections(self) -> Iterator[tuple[str, str]]:
        """Yield the keys of the manifest's sections, as they are written, which may be misspelt, and as they are."""
        known, given = ("connections", *_KINDS), _mapping(self.data)
        own = _manifest_schema()["properties"]
        for key in given:
            if key in known:
                yield key, key
            elif key not in own:
                near = [
                    section for section in known if section not in given and f"'{section}'" in did_you_mean(key, own)
                ]
                yield from ((key, section) for section in near)


def _meta_validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


@lru_cache(maxsize=1)
def _manifest_schema() -> Any:
    return json.loads(shipped_file(_SCHEMA).read_bytes())


def _mapping(value: Any) -> Mapping[str, Any]:
    # A manifest with mistakes may have any value here.
    return value if isinstance(value, Mapping) else {}


def _component(data: Mapping[str, Any], version: str, path: Path) -> Component:
    connections = {
        key: Connection(key=key, display=_display(part), inputs=_inputs(part), check=part.get("check"))
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
        file=path,
    )


def _display(part: Mapping[str, Any]) -> Display:
    display = part["display"]
    return Display(label=display["label"], description=display.get("description", ""))


def _inputs(part: Mapping[str, Any]) -> Mapping[str, Any]:
    inputs: Mapping[str, Any] = part["inputs"]
    inputs["properties"].items()
    return inputs


def _operation(kind: type[Operation], key: str, part: Mapping[str, Any]) -> Operation:
    optional = {name: part[name] for name in ("example", "idempotent", *_TRAITS[kind]) if name in part}
    if "outputSchema" in part:
        optional["output_schema"] = part["outputSchema"]
    if "inputs" in part:
        optional["inputs"] = _inputs(part)
    if "reconciliation" in part:
        given = part["reconciliation"]
        optional["reconciliation"] = Reconciliation(
            look_for=given["lookFor"], identified_by=given["identifiedBy"], features=given.get("features")
        )
    if "asks" in part:
        given = part["asks"]
        optional["asks"] = Asking(
            action=given["action"], plan=given["plan"], judge=given["judge"], outcome_of=given["outcomeOf"]
        )
    optional |= {field: part[name] for name, field in _FUNCTIONS[kind].items() if name in part}
    options = {name: value for name, value in part.items() if name not in _OPERATION_FIELDS}
    return kind(key=key, display=_display(part), perform=part["perform"], options=options, **optional)
