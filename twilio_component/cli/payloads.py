"""The payload of a trigger on the command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.cli.options import text_of_argument
from twilio_component.host.errors import InputError, Problem

if TYPE_CHECKING:
    from twilio_component.flows.model import Flow

_STANDARD_INPUT = "<standard input>"
_JSON_BEGINS = ("{", "[", '"')
_PLAIN_PATH = re.compile(r"\w+(\.\w+)*")


def payload_of(given: str | None) -> dict[str, Any]:
    """Return the payload of ``--payload``: a file, JSON, or ``-`` for standard input.

    Raises ``DocumentError`` or ``InputError``.
    """
    from twilio_component.host.manifest.documents import parse_document, read_document

    if given is None:
        return {}
    if given == "-":
        content = sys.stdin.buffer.read()
        if not content.strip():
            raise InputError("The payload is not valid", [Problem("", "is empty", _STANDARD_INPUT)])
        document = parse_document(content, _STANDARD_INPUT)
    elif given.lstrip()[:1] in _JSON_BEGINS:
        document = parse_document(text_of_argument(given), "--payload")
    else:
        document = read_document(given)
    if not isinstance(document.data, dict):
        raise InputError("The payload is not valid", [document.problem((), "must be an object")])
    return document.data


def payload_hint(flow: Flow, error: Mapping[str, Any] | None) -> str:
    """Return which ``--payload`` a flow needs that failed for a value that its trigger did not get; empty otherwise."""
    message = str((error or {}).get("message", ""))
    reference, found, _ = message.partition(" has no value: ")
    begin = f"{flow.trigger.key}.results."
    path = reference.removeprefix(begin)
    if not found or not reference.startswith(begin) or not _PLAIN_PATH.fullmatch(path):
        return ""
    text = "…"
    for key in reversed(path.split(".")):
        text = f'{{"{key}": {text}}}'
    return f"The payload of the trigger has no such value: give it with --payload '{text}'"
