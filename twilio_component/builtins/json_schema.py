"""Values held against a JSON Schema that somebody else wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.builtins.formats import parse_json
from twilio_component.host.errors import PerformError, json_path

if TYPE_CHECKING:
    from twilio_component.host.context import Context

# A pattern can be written so that it takes for ever, and a reference can fetch: neither is worth it here.
_REFUSED = frozenset({"pattern", "patternProperties", "$ref", "$dynamicRef", "$recursiveRef"})
_MOST_SHOWN = 10


async def validate(_context: Context, inputs: dict[str, Any]) -> dict[str, bool]:
    """``{"valid": True}``; raises ``PerformError`` with the places that do not fit, and never with their values."""
    from jsonschema import Draft7Validator, Draft202012Validator, SchemaError  # it costs 100 ms to import
    from jsonschema.validators import validator_for

    from twilio_component.host.inputs.messages import error_messages

    schema, value = inputs["jsonSchema"], inputs["jsonInput"]
    _refuse_what_may_hang(schema)
    kind: Any = validator_for(schema, default=Draft202012Validator if "$schema" not in schema else Draft7Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise PerformError(f"jsonSchema is not a JSON Schema: {error.message}") from error
    if isinstance(value, str):
        value = parse_json(value)
    problems = [f"{json_path(path)} {text}" for path, text in error_messages(kind(schema).iter_errors(value))]
    if problems:
        more = f" and {len(problems) - _MOST_SHOWN} more" if len(problems) > _MOST_SHOWN else ""
        raise PerformError(f"the value does not fit the schema: {'; '.join(problems[:_MOST_SHOWN])}{more}")
    return {"valid": True}


def _refuse_what_may_hang(schema: Any) -> None:
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            refused = _REFUSED & part.keys()
            if refused:
                raise PerformError(f"a schema in a flow cannot use {min(refused)}")
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
