"""The HTTP response of an execution to the request that started it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.javascript import json_text

if TYPE_CHECKING:
    from twilio_component.flows.model import Flow

JSON = "application/json"


def final_response(flow: Flow, state: Mapping[str, Any], result: Any) -> Mapping[str, Any] | None:
    """What stopExecution or the trigger said; else, for a synchronous flow, the last step's result as JSON.

    ``{"statusCode": 200, "contentType": …, "headers": {…}, "body": text}``; None when neither has.
    """
    if not flow.is_synchronous or state["stopped"]:
        given: Mapping[str, Any] | None = state["response"]
        return given
    if state["error"] is not None:
        # The sender learns that it failed, not why: the reason is for the operator.
        body = json.dumps({"error": "The flow failed."})
        return {"statusCode": 500, "contentType": JSON, "headers": {}, "body": body}
    return {"statusCode": 200, "contentType": JSON, "headers": {}, "body": json_text(result, compact=False)}
