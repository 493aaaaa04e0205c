"""Inputs as Twilio's request parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def parameters(inputs: Mapping[str, Any], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the given inputs as pairs of Twilio's parameter names and texts, in the order of ``names``.

    ``names`` maps inputs to parameters. A list becomes a repeated parameter, a boolean ``true`` or ``false``, an object
    a JSON text whose values are texts.
    """
    form: list[tuple[str, str]] = []
    for name, parameter in names.items():
        if name in inputs:
            value = inputs[name]
            if isinstance(value, list):
                form.extend((parameter, _text(item)) for item in value)
            else:
                form.append((parameter, _text(value)))
    return form


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        # Twilio refuses a content variable that is a number (21656).
        return json.dumps({name: _text(item) for name, item in value.items()}, ensure_ascii=False)
    return str(value)
