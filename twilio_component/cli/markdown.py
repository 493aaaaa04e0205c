"""A component's documentation in Markdown, from its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.cli.input_types import input_type

if TYPE_CHECKING:
    from twilio_component.host.model import Component, JsonSchema, Operation


def component_page(component: Component) -> str:
    """Return the page of a component: its operations with their inputs, and the fields of its connections."""
    display = component.display
    documentation = component.documentation.strip()
    lines = [f"# {display.label}", "", f"{display.description.rstrip('.')}. Its key is `{component.key}`."]
    lines += ["", documentation] if documentation else []
    lines += [*sections(component, "##"), *connection_sections(component)]
    return "\n".join(lines) + "\n"


def operation_page(component: Component, operation: Operation) -> str:
    """Return the page of one operation."""
    lines = [f"# `{component.key}.{operation.key}`", *operation_section(operation, "##")[2:]]
    return "\n".join(lines) + "\n"


def connection_sections(component: Component) -> Iterator[str]:
    """Yield a section for each connection type that the component has."""
    if component.connections:
        yield from ("", "## Connections")
    for connection in component.connections.values():
        yield from ("", f"### `{connection.key}`", "", f"{connection.display.description.rstrip('.')}.", "")
        yield from table(connection.inputs, "field")


def sections(component: Component, level: str) -> Iterator[str]:
    """Yield a section for each kind of operation that the component has, and one for each operation in it."""
    kinds: tuple[tuple[str, Mapping[str, Operation]], ...] = (
        ("Triggers", component.triggers),
        ("Actions", component.actions),
        ("Data sources", component.data_sources),
    )
    for title, operations in kinds:
        if operations:
            yield from ("", f"{level} {title}")
        for operation in operations.values():
            yield from operation_section(operation, f"{level}#")


def operation_section(operation: Operation, level: str) -> list[str]:
    """Return an operation's description, its inputs and the rules between them."""
    lines = ["", f"{level} `{operation.key}`", "", f"{operation.display.description.rstrip('.')}."]
    if operation.inputs["properties"]:
        lines += ["", *table(operation.inputs, "input")]
    return [*lines, *(f"\n{rule}" for rule in _rules(operation.inputs))]


def table(schema: JsonSchema, word: str) -> Iterator[str]:
    """Yield a table of a schema's properties, a row each; ``word`` heads the first column."""
    yield f"| {word} | type | | description |"
    yield "|---|---|---|---|"
    for name, part in schema["properties"].items():
        notes = []
        if name in schema.get("required", ()):
            notes.append("required")
        if "default" in part:
            notes.append(f"default `{json.dumps(part['default'])}`")
        if part.get("writeOnly"):
            notes.append("secret")
        if "environment" in part:
            notes.append(f"`{part['environment']}`")
        yield f"| `{name}` | {input_type(part)} | {', '.join(notes)} | {_describe(part)} |"


def _describe(part: Mapping[str, Any]) -> str:
    limits = {
        "minimum": "At least {:,}.",
        "maximum": "At most {:,}.",
        "maxLength": "At most {:,} characters.",
        "maxItems": "At most {:,} items.",
    }
    description = part.get("description", "").rstrip(".")
    sentences = [f"{description}."] if description else []
    sentences += [
        text.format(part[keyword])
        for keyword, text in limits.items()
        if keyword in part and f"at most {part[keyword]:,}" not in description  # which many descriptions say already
    ]
    example = part["examples"][0] if part.get("examples") else None
    if example is not None:
        sentences.append(f"Example: `{example if isinstance(example, str) else json.dumps(example)}`")
    return " ".join(sentences).replace("|", "\\|")


def _rules(schema: JsonSchema) -> Iterator[str]:
    """What the inputs must or must not be together."""
    for rule in schema.get("allOf", ()):
        if "message" in rule:
            yield f"- {rule['message']}"
    for name, needed in schema.get("dependentRequired", {}).items():
        yield f"- `{name}` can only be used together with {', '.join(f'`{other}`' for other in needed)}"
