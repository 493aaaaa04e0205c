"""The types of inputs in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from twilio_component.host.model import JsonSchema


def input_type(schema: JsonSchema) -> str:
    """Return an input's type in words: ``connection``, ``list of text``, ``enable or disable`` …."""
    if schema.get("format") in ("connection", "keyvaluelist"):
        return {"connection": "connection", "keyvaluelist": "key and value pairs"}[schema["format"]]
    kinds = schema.get("type", "any")
    names = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    if "enum" in schema:
        return join_names(schema["enum"], word="or")
    if kinds == "array":
        return f"list of {input_type(schema.get('items', {}))}"
    return join_names((names.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)), word="or")
