"""Inputs as a file or an execution has them, in the form that an operation's schema asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.host.model import Operation


def fit_inputs(inputs: Mapping[str, Any], operation: Operation) -> dict[str, Any]:
    """The inputs in the form that the operation's schema has in mind.

    Exports carry every input of the version they came from: one that is not known here and left empty is dropped. A
    key-value list becomes an object where the schema wants one.
    """
    properties = operation.inputs["properties"]
    fitting: dict[str, Any] = {}
    for name, value in inputs.items():
        if name in properties or not is_left_empty(value):
            wants_object = properties.get(name, {}).get("type") == "object"
            fitting[name] = _as_object(value) if wants_object and isinstance(value, list) else value
    return fitting


def is_left_empty(value: Any) -> bool:
    """Whether a form's field was left empty: nothing, no text, an empty list or object."""
    return value is None or value in ("", [], {})


def _as_object(pairs: list[Any]) -> Any:
    if all(isinstance(pair, Mapping) and pair.keys() == {"key", "value"} for pair in pairs):
        return {pair["key"]: pair["value"] for pair in pairs}
    return pairs
