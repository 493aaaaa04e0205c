"""What there is beyond the component as Prismatic publishes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pagewriters import NOTE
from twilio_component.host.manifest.loader import load_component
from twilio_component.twilio.plugin import manifest_file

if TYPE_CHECKING:
    from twilio_component.host.model import Connection, Operation

PUBLISHED = Path(__file__).parents[1] / "comparison.json"
_INTRODUCTION = (
    "The component `twilio` as Prismatic publishes it for its own platform, and this one. Keys and inputs that both "
    "have mean the same, so a flow that uses the published one runs here; its `webhook` trigger needs an Auth Token, "
    "since here it verifies the signature."
)


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    component = load_component(manifest_file())
    yield from ("# Comparison with the published component", "")
    yield from (NOTE.format(source="component.yaml and comparison.json"), "", _INTRODUCTION)
    yield from ("", "| kind | key | published | here | more inputs here |", "|---|---|---|---|---|")
    offers: dict[str, Mapping[str, Connection | Operation]] = {
        "connections": component.connections,
        "triggers": component.triggers,
        "actions": component.actions,
        "dataSources": component.data_sources,
    }
    for section, operations in offers.items():
        word = {"dataSources": "data source"}.get(section, section.rstrip("s"))
        for key, operation in operations.items():
            theirs = published[section].get(key)
            more = [f"`{name}`" for name in operation.inputs["properties"] if theirs is not None and name not in theirs]
            yield f"| {word} | `{key}` | {'yes' if theirs is not None else ''} | yes | {', '.join(more)} |"
    yield from ("", "## Behaviour", "", "| | published | here |", "|---|---|---|")
    for what, there, here in published["behaviour"]:
        yield f"| {what} | {there} | {here} |"
