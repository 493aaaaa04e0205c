"""``twilio-component describe``: what a component offers, in words, as JSON and as a page of documentation."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.input_types import input_type
from twilio_component.host.errors import UnknownKeyError, did_you_mean, join_names

if TYPE_CHECKING:
    import argparse

    from twilio_component.host.model import Component, JsonSchema, Operation

_WIDTH = 100
_SECTIONS = {"action": "actions", "trigger": "triggers", "data source": "dataSources"}


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "describe",
        help="describe what a component offers",
        description="Describe what the Twilio component, or any other installed one, offers.",
    )
    parser.add_argument(
        "name",
        nargs="?",
        metavar="KEY",
        help="an action, trigger or data source: KEY of the Twilio component, or COMPONENT.KEY; or the key of a "
        "component",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the complete manifest, input schemas included")
    output.add_argument("--markdown", action="store_true", help="print a page of documentation")
    output.add_argument("--list", action="store_true", help="list the installed components")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the installed components, one of them, or one of its operations."""
    if options.list:
        print("\n".join(_list_lines(_components())))
        return exit_codes.DONE
    component, operation = _find(options.name)
    if options.markdown:
        from twilio_component.cli.markdown import component_page, operation_page

        print(component_page(component) if operation is None else operation_page(component, operation), end="")
    else:
        print(as_json(component, operation) if options.json else as_text(component, operation))
    return exit_codes.DONE


def _find(name: str | None) -> tuple[Component, Operation | None]:
    """Return the component and perhaps the operation of that name; only other components' names load every plugin."""
    from twilio_component.host.manifest.files import shipped_file
    from twilio_component.host.manifest.loader import load_component

    with _without_collection():
        twilio = load_component(shipped_file("component.yaml"))
    if name is None or name == twilio.key:
        return twilio, None
    own = {operation.key: operation for operation in twilio.operations()}
    if name.removeprefix("twilio.") in own:
        return twilio, own[name.removeprefix("twilio.")]
    from twilio_component.cli.components import find_operation

    components = _components()
    if name in components:
        return components[name], None
    if "." not in name:
        hint = did_you_mean(name, [*own, *components]) or f" (installed: {join_names(components)})"
        raise UnknownKeyError(f"there is no component '{name}', and no operation of twilio has this name{hint}")
    return find_operation(components, name)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no garbage meanwhile: a manifest is many objects that all stay, and the process ends soon."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _components() -> Mapping[str, Component]:
    from twilio_component.cli.components import discover_host

    return discover_host().components


def _list_lines(components: Mapping[str, Component]) -> Iterator[str]:
    width = max(map(len, components)) + 2
    for key, component in sorted(components.items()):
        yield f"{key:<{width}}{component.display.label}: {component.display.description}"


def as_json(component: Component, operation: Operation | None = None) -> str:
    """Return the manifest as JSON, references resolved; or one operation of it."""
    data: Any = component.manifest
    if operation is not None:
        data = component.manifest[_SECTIONS[operation.kind]][operation.key]
    return json.dumps(data, indent=2, ensure_ascii=False)


def as_text(component: Component, operation: Operation | None = None) -> str:
    """Return the component, or one operation with its inputs, in words."""
    lines = _component_lines(component) if operation is None else _operation_lines(operation)
    return "\n".join(lines)


def _operations(component: Component) -> dict[str, Mapping[str, Operation]]:
    return {
        "Triggers": component.triggers,
        "Actions": component.actions,
        "Data sources": component.data_sources,
    }


def _component_lines(component: Component) -> Iterator[str]:
    yield f"{component.display.label}: {component.display.description} (component key: {component.key})"
    if component.documentation:
        yield from ("", *wrap(component.documentation, _WIDTH))
    if component.connections:
        yield from ("", "Connections")
    keys = [*component.connections, *(key for offered in _operations(component).values() for key in offered)]
    width = max(map(len, keys), default=0)
    for connection in component.connections.values():
        yield f"  {connection.key:<{width}}  {connection.display.label}: {', '.join(connection.inputs['properties'])}"
    for title, offered in _operations(component).items():
        if offered:
            yield from ("", title)
        for operation in offered.values():
            yield f"  {operation.key:<{width}}  {operation.display.description}"
    prefix = "" if component.key == "twilio" else f"{component.key}."
    yield from ("", f"`describe {prefix}KEY` shows the inputs of one of them.")


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
        for line in wrap(schema.get("description", ""), _WIDTH - 6):
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
