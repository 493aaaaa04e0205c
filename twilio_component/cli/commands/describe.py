"""``twilio-component describe``: what the component offers, in words and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.host.errors import UnknownKeyError, did_you_mean, join_names

if TYPE_CHECKING:
    import argparse

    from twilio_component.host.model import Component, JsonSchema, Operation

_WIDTH = 100
_SECTIONS = {"action": "actions", "trigger": "triggers", "data source": "dataSources"}


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("describe", help="what the component offers", description="What the component offers.")
    parser.add_argument(
        "operation", nargs="?", metavar="KEY", help="one action, trigger or data source, with its inputs"
    )
    parser.add_argument("--json", action="store_true", help="the complete manifest, input schemas included")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the component, or one of its operations."""
    from twilio_component.host.manifest.loader import load_component
    from twilio_component.twilio.plugin import manifest_file

    component = load_component(manifest_file())
    print(as_json(component, options.operation) if options.json else as_text(component, options.operation))
    return exit_codes.DONE


def as_json(component: Component, operation: str | None = None) -> str:
    """Return the manifest as JSON, references resolved; or one operation of it. Raises ``UnknownKeyError``."""
    data: Any = component.manifest
    if operation is not None:
        found = _find(component, operation)
        data = component.manifest[_SECTIONS[found.kind]][found.key]
    return json.dumps(data, indent=2, ensure_ascii=False)


def as_text(component: Component, operation: str | None = None) -> str:
    """Return the component, or one operation with its inputs, in words. Raises ``UnknownKeyError``."""
    lines = _component_lines(component) if operation is None else _operation_lines(_find(component, operation))
    return "\n".join(lines)


def input_type(schema: JsonSchema) -> str:
    """Return an input's type in words: ``connection``, ``list of text``, ``enable or disable`` …."""
    if schema.get("format") in ("connection", "keyvaluelist"):
        return {"connection": "connection", "keyvaluelist": "key and value pairs"}[schema["format"]]
    kinds = schema.get("type", "any")
    names = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    if "enum" in schema:
        return join_names(schema["enum"], word="or")
    if kinds == "array":
        return f"list of {input_type(schema.get('items', {}))}"
    return join_names((names.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)), word="or")


def _operations(component: Component) -> dict[str, Mapping[str, Operation]]:
    return {
        "Triggers": component.triggers,
        "Actions": component.actions,
        "Data sources": component.data_sources,
    }


def _find(component: Component, key: str) -> Operation:
    known = {name: operation for offered in _operations(component).values() for name, operation in offered.items()}
    if key not in known:
        hint = did_you_mean(key, known) or f" (it has: {join_names(known)})"
        raise UnknownKeyError(f"{component.key} has no action, trigger or data source '{key}'{hint}")
    return known[key]


def _component_lines(component: Component) -> Iterator[str]:
    yield f"{component.display.label}: {component.display.description} (component key: {component.key})"
    yield from ("", *wrap(component.documentation, _WIDTH))
    yield from ("", "Connections")
    for connection in component.connections.values():
        yield f"  {connection.key:<16}{connection.display.label}: {', '.join(connection.inputs['properties'])}"
    for title, offered in _operations(component).items():
        if offered:
            yield from ("", title)
        for operation in offered.values():
            yield f"  {operation.key:<16}{operation.display.description}"
    yield from ("", "`describe KEY` shows the inputs of one of them.")


def _operation_lines(operation: Operation) -> Iterator[str]:
    yield f"{operation.display.label}: {operation.display.description} ({operation.kind} key: {operation.key})"
    yield from ("", "Inputs")
    required = operation.inputs.get("required", ())
    for name, schema in operation.inputs["properties"].items():
        notes = [input_type(schema)]
        if name in required:
            notes.append("required")
        if "default" in schema:
            notes.append(f"default {json.dumps(schema['default'])}")
        yield f"  {name} ({', '.join(notes)})"
        for line in wrap(schema["description"], _WIDTH - 6):
            yield f"      {line}"
    output = [*_output_lines(operation.output_schema)]
    if output:
        yield from ("", "Output", *output)
    if operation.example is not None:
        yield from ("", "Example of its result", json.dumps(operation.example, indent=2, ensure_ascii=False))


def _output_lines(schema: JsonSchema, indent: str = "  ") -> Iterator[str]:
    """The keys of an output, those of nested objects indented; a list's lines are those of its items."""
    if schema.get("type") == "array":
        yield from _output_lines(schema.get("items", {}), indent)
    for name, part in schema.get("properties", {}).items():
        description = f": {part['description']}" if "description" in part else ""
        yield from wrap(
            f"{name} ({_output_type(part)}){description}",
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=f"{indent}    ",
        )
        yield from _output_lines(part, f"{indent}  ")


def _output_type(schema: JsonSchema) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        schema = {**schema, "type": [kind for kind in kinds if kind != "null"]}
    if schema.get("type") == "array":
        return f"list of {_output_type(schema.get('items', {}))}"
    return input_type(schema)
