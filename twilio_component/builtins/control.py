"""Actions that steer an execution. The flow's interpreter executes most of them and never invokes them."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from twilio_component.builtins.formats import as_text
from twilio_component.host.errors import PerformError
from twilio_component.host.results import Result

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_LEVELS = {"debug": logging.DEBUG, "metric": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


async def only_in_flows(_context: Context, _inputs: dict[str, Any]) -> None:
    """Refuse: outside a flow there is nothing to loop over, to branch to or to wait for."""
    raise PerformError("this action steers a flow: it works only as a step of a flow definition")


async def executed_result(_context: Context, inputs: dict[str, Any]) -> Any:
    """The first result that is there: the others are those of steps in branches that were not taken."""
    return next((result for result in inputs["stepResult"] if result is not None), None)


async def stop(_context: Context, inputs: dict[str, Any]) -> Result:
    """Nothing but the HTTP response: ``{"statusCode", "contentType", "headers", "body"}``, the body as text."""
    response = {
        "statusCode": inputs["statusCode"],
        "contentType": inputs["contentType"],
        "headers": {pair["key"]: pair["value"] for pair in inputs.get("headers", [])},
        "body": _body(inputs.get("jsonBody", ""), inputs["contentType"]),
    }
    return Result(value=None, response=response)


def _body(body: Any, content_type: str) -> str:
    """The body as text. For a JSON response, text that is not JSON becomes a JSON string."""
    if not isinstance(body, str) or not content_type.split(";", maxsplit=1)[0].strip().endswith("json") or not body:
        return as_text(body)
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return json.dumps(body, ensure_ascii=False)
    return body


async def write_log(context: Context, inputs: dict[str, Any]) -> None:
    """Log the message at its level."""
    context.logger.log(_LEVELS.get(inputs["level"], logging.INFO), "%s", as_text(inputs.get("message")))
