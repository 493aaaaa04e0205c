"""The payload of a trigger on the command line."""

from __future__ import annotations

import sys
from typing import Any

from twilio_component.host.errors import InputError


def payload_of(given: str | None) -> dict[str, Any]:
    """Return the payload of ``--payload``: a file, JSON, or ``-`` for standard input.

    Raises ``DocumentError`` or ``InputError``.
    """
    from twilio_component.host.manifest.documents import parse_document, read_document

    if given is None:
        return {}
    if given == "-":
        document = parse_document(sys.stdin.read(), "<standard input>")
    elif given.lstrip().startswith("{"):
        document = parse_document(given, "--payload")
    else:
        document = read_document(given)
    if not isinstance(document.data, dict):
        raise InputError("The payload is not valid", [document.problem((), "must be an object")])
    return document.data
