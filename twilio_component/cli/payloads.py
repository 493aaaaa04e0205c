"""The payload of a trigger on the command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.cli.options import text_of_argument
from twilio_component.host.errors import InputError

if TYPE_CHECKING:
    from twilio_component.flows.model import Flow

_PLAIN_PATH = re.compile(r"\w+(\.\w+)*")


def payload_of(given: str | None) -> dict[str, Any]:
    """Return the payload of ``--payload``: a file, JSON, or ``-`` for standard input.

    Raises ``DocumentError`` or ``InputError``.
    """
    from twilio_component.host.manifest.documents import parse_document, read_document

    if given is None:
        return {}
    if given == "-":
        document = parse_document(sys.stdin.buffer.read(), "<standard input>")
    elif given.lstrip().startswith("{"):
        document = parse_document(text_of_argument(given), "--payload")
    else:
        document = read_document(given)
    if not isinstance(document.data, dict):
        raise InputError("The payload is not valid", [document.problem((), "must be an object")])
    return document.data


def payload_hint(flow: Flow, error: Mapping[str, Any] | None) -> str:
    """Return which ``--payload`` a flow needs that failed without one for a value of its trigger's; empty otherwise."""
    message = str((error or {}).get("message", ""))
    reference, found, _ = message.partition(" has no value: ")
    begin = f"{flow.trigger.key}.results."
    path = reference.removeprefix(begin)
    if not found or not reference.startswith(begin) or not _PLAIN_PATH.fullmatch(path):
        return ""
    text = "…"
    for key in reversed(path.split(".")):
        text = f'{{"{key}": {text}}}'
    return f"The trigger got no payload: give it with --payload '{text}'"
