"""Triggers that take the payload as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.host.results import Result

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_RESPONSE = ("body", "contentType", "headers", "statusCode")


async def webhook(_context: Context, payload: dict[str, Any], inputs: dict[str, Any]) -> Result:
    """Return the payload, with the HTTP response that the inputs describe, if they describe one."""
    return static_response(payload, inputs)


def static_response(payload: dict[str, Any], inputs: dict[str, Any]) -> Result:
    """Return the payload with the HTTP response that the inputs ``body``, ``contentType`` … describe, if any."""
    if not any(inputs.get(name) for name in _RESPONSE):  # exports have every input, empty
        return Result(value=payload)
    response = {
        "statusCode": inputs.get("statusCode", 200),
        "contentType": inputs.get("contentType", "text/plain"),
        "headers": {pair["key"]: pair["value"] for pair in inputs.get("headers", [])},
        "body": inputs.get("body", ""),
    }
    return Result(value=payload, response=response)


async def passed_on(_context: Context, payload: dict[str, Any], _inputs: dict[str, Any]) -> dict[str, Any]:
    """The payload."""
    return payload
