"""Every input of every operation of the Twilio component, and every field of its connections."""

from __future__ import annotations

from collections.abc import Iterator

from pagewriters import NOTE
from twilio_component.cli.markdown import connection_sections, sections
from twilio_component.host.manifest.loader import load_component
from twilio_component.twilio.plugin import manifest_file

_INTRODUCTION = (
    'Every input accepts text, as forms and flow files give it: `"2000"`, `"false"`, a list or an object as JSON text. '
    "An empty text, list or object counts as absent, unless it is a value of the input itself. An input that is not in "
    "these tables is refused, with the nearest name."
)


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    component = load_component(manifest_file())
    yield from ("# Inputs of the Twilio component", "", NOTE.format(source="component.yaml"), "", _INTRODUCTION)
    yield from sections(component, "##")
    yield from connection_sections(component)
