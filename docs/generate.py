"""The generated pages of the documentation: ``python docs/generate.py --write docs``.

What can be read from the manifest and the error catalogue is written from there, and ``--check`` (a test runs it) fails
when a page no longer says what they say.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Any

import twilio_component
from twilio_component.cli.commands.describe import input_type
from twilio_component.host.errors import IntegrationError, PerformError
from twilio_component.host.manifest.loader import load_component
from twilio_component.twilio.error_codes import explanations
from twilio_component.twilio.plugin import manifest_file

if TYPE_CHECKING:
    from twilio_component.host.model import Component, Connection, JsonSchema, Operation

_NOTE = "<!-- Written by `make docs` from {source}; edit that instead. -->"


def inputs_page(component: Component) -> str:
    """Every input of every operation, and every field of every connection."""
    return "\n".join(_inputs_page(component)) + "\n"


def errors_page(_component: Component) -> str:
    """The errors of this package, and every code of Twilio's that the catalogue explains."""
    return "\n".join(_errors_page()) + "\n"


def comparison_page(component: Component) -> str:
    """What there is beyond the component as Prismatic publishes it."""
    return "\n".join(_comparison_page(component)) + "\n"


# The pages by their names below docs/.
PAGES: Mapping[str, Callable[[Component], str]] = {
    "reference/inputs.md": inputs_page,
    "reference/errors.md": errors_page,
    "reference/comparison.md": comparison_page,
}


def _inputs_page(component: Component) -> Iterator[str]:
    yield from ("# Inputs", "", _NOTE.format(source="component.yaml"), "")
    yield (
        'Every input may be given as text, as forms and flow files do: `"2000"`, `"false"`, a list or an object as '
        "JSON text. An empty text counts as absent. What is not in these tables is refused, with the nearest name."
    )
    sections: tuple[tuple[str, Mapping[str, Operation]], ...] = (
        ("Triggers", component.triggers),
        ("Actions", component.actions),
        ("Data sources", component.data_sources),
    )
    for title, operations in sections:
        if operations:
            yield from ("", f"## {title}")
        for operation in operations.values():
            yield from ("", f"### `{operation.key}`", "", f"{operation.display.description.rstrip('.')}.", "")
            yield from _table(operation.inputs, "input")
            yield from (f"\n{rule}" for rule in _rules(operation.inputs))
    yield from ("", "## Connections")
    for connection in component.connections.values():
        yield from ("", f"### `{connection.key}`", "", f"{connection.display.description.rstrip('.')}.", "")
        yield from _table(connection.inputs, "field")


def _errors_page() -> Iterator[str]:
    yield from (
        "# Twilio's error codes, explained",
        "",
        _NOTE.format(source="twilio_component/twilio/error_codes.json"),
        "",
    )
    yield (
        "An error of the component has Twilio's code, words and link, what they mean, what to do, and whether trying "
        "again can help. The same codes stand in a message's `errorCode` and in status callbacks: "
        "`twilio-component errors 30007` prints one, `twilio_component.twilio.error_codes.explain(30007)` returns it."
    )
    titles = {
        "answer": "Answers to requests",
        "message": "On messages and in status callbacks",
        "webhook": "About your webhooks, in Twilio's debugger",
    }
    yield from ("", "## Errors of this package", "", "| error | code | again? | it means |", "|---|---|---|---|")
    for kind in error_kinds():
        meaning = (kind.__doc__ or "").partition("\n")[0]
        yield f"| `{kind.__name__}` | `{kind.code}` | {_again(kind)} | {meaning} |"
    for arrives, title in titles.items():
        yield from ("", f"## {title}", "", "| code | what it means | what to do | again? |", "|---|---|---|---|")
        for entry in explanations():
            if entry.arrives == arrives:
                again = {"permanent": "no", "temporary": "later", "recipient": "never"}[entry.kind]
                yield f"| [{entry.code}]({entry.link}) | {entry.meaning} | {entry.remedy} | {again} |"


def error_kinds() -> list[type[IntegrationError]]:
    """Every error of this package that has a code of its own, by module and code."""
    for module in walk_packages(twilio_component.__path__, "twilio_component."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    found, kinds = set[type[IntegrationError]](), [IntegrationError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if "code" in vars(kind) and kind.__module__.startswith("twilio_component."):
            found.add(kind)
    return sorted(found, key=lambda kind: (kind.__module__, kind.code))


def _again(kind: type[IntegrationError]) -> str:
    if issubclass(kind, PerformError) and kind.may_have_happened:
        return "**only after looking**"
    return "later" if kind.retryable else "no"


def _comparison_page(component: Component) -> Iterator[str]:
    published = json.loads(Path(__file__).with_name("comparison.json").read_text(encoding="utf-8"))
    yield from ("# Beside the published component", "", _NOTE.format(source="component.yaml and comparison.json"), "")
    yield (
        "The component `twilio` as Prismatic publishes it for its own platform, and this one. Keys and inputs that "
        "both have mean the same, so a flow that uses the published one runs here; its `webhook` trigger wants an Auth "
        "Token, since here it checks the signature."
    )
    yield from ("", "| kind | key | published | here | more inputs here |", "|---|---|---|---|---|")
    sections: dict[str, Mapping[str, Connection | Operation]] = {
        "connections": component.connections,
        "triggers": component.triggers,
        "actions": component.actions,
        "dataSources": component.data_sources,
    }
    for section, offered in sections.items():
        word = {"dataSources": "data source"}.get(section, section.rstrip("s"))
        for key, operation in offered.items():
            theirs = published[section].get(key)
            more = [f"`{name}`" for name in operation.inputs["properties"] if theirs is not None and name not in theirs]
            yield f"| {word} | `{key}` | {'yes' if theirs is not None else ''} | yes | {', '.join(more)} |"
    yield from ("", "## What they do", "", "| | published | here |", "|---|---|---|")
    for what, there, here in published["behaviour"]:
        yield f"| {what} | {there} | {here} |"


def _table(schema: JsonSchema, word: str) -> Iterator[str]:
    yield f"| {word} | type | | what it is |"
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
        yield f"| `{name}` | {input_type(part)} | {', '.join(notes)} | {_described(part)} |"


def _described(part: Mapping[str, Any]) -> str:
    limits = {
        "minimum": "at least {}",
        "maximum": "at most {}",
        "maxLength": "at most {:,} characters",
        "maxItems": "at most {} items",
    }
    said = [text.format(part[keyword]) for keyword, text in limits.items() if keyword in part]
    example = part["examples"][0] if part.get("examples") else None
    if example is not None:
        said.append(f"e.g. `{example if isinstance(example, str) else json.dumps(example)}`")
    text = f"{part['description']} {'; '.join(said)}".strip()
    return text.replace("|", "\\|")


def _rules(schema: JsonSchema) -> Iterator[str]:
    """What the inputs must or must not be together."""
    for rule in schema.get("allOf", ()):
        if "message" in rule:
            yield f"- {rule['message']}"
    for name, needed in schema.get("dependentRequired", {}).items():
        yield f"- `{name}` can only be used together with {', '.join(f'`{other}`' for other in needed)}"


def main(arguments: list[str] | None = None) -> int:
    """Write the pages into a folder, or check that they are up to date; 1 when one is not."""
    parser = argparse.ArgumentParser(prog="python docs/generate.py", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", type=Path, metavar="FOLDER")
    mode.add_argument("--check", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    component = load_component(manifest_file())
    stale = []
    for name, make in PAGES.items():
        page = make(component)
        if options.write:
            (options.write / name).parent.mkdir(parents=True, exist_ok=True)
            (options.write / name).write_text(page, encoding="utf-8")
        elif not (options.check / name).exists() or (options.check / name).read_text(encoding="utf-8") != page:
            stale.append(name)
    if stale:
        sys.stderr.write(f"not up to date: {', '.join(stale)}; run `make docs`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
