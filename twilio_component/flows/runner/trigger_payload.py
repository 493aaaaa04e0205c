"""What a trigger is given: the caller's part of the payload, laid over everything that a payload has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.flows.model import camel_case
from twilio_component.flows.webhook_paths import path_segment
from twilio_component.host.http.request_payload import request_parts
from twilio_component.host.serialization import json_ready

if TYPE_CHECKING:
    from twilio_component.flows.model import Flow, Integration
    from twilio_component.host.model import Component

WEBHOOK_BASE = "https://flows.example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionInfo:
    """When, as what and where an execution runs; everything about it that is not in the definition."""

    execution_id: str
    started_at: str
    webhook_base: str = WEBHOOK_BASE


def webhook_urls(integration: Integration, base: str = WEBHOOK_BASE) -> dict[str, str]:
    """The URL of each flow, by its name."""
    return {flow.name: f"{base}/{path_segment(flow.name)}" for flow in integration.flows}


def parses_request(flow: Flow, components: Mapping[str, Component]) -> bool:
    """Return whether the flow's trigger verifies and parses the request itself, as its manifest declares."""
    component = components.get(flow.trigger.component)
    trigger = component.triggers.get(flow.trigger.action) if component is not None else None
    return trigger is not None and bool(trigger.options.get("parsesRequest"))


def complete_payload(
    given: Mapping[str, Any], integration: Integration, flow: Flow, info: ExecutionInfo, *, parses_body: bool = True
) -> dict[str, Any]:
    """Return the complete payload of a trigger, JSON-ready.

    ``given`` is the caller's part: a ``body``, which is written out as a ``rawBody``, or a request (``rawBody``,
    ``headers``, ``method``, ``invokeUrl``) whose body and query are parsed. Without ``parses_body`` the body of a
    request stays null, for a trigger that parses it itself. Raises ``RequestBodyError`` for a body that is not what its
    content type says.
    """
    urls = webhook_urls(integration, info.webhook_base)
    given = {"headers": {}, "invokeUrl": urls[flow.name], **given}
    is_request = "body" not in given and any(key in given for key in ("rawBody", "method"))
    if is_request:
        given = {**request_parts(given, urls[flow.name], parses_body=parses_body), **given}
        # As HTTP has them: without case.
        given["headers"] = {str(name).lower(): value for name, value in given["headers"].items()}
        given.setdefault("rawBody", {"data": b"", "contentType": ""})
    given = json_ready(given)
    body = given.get("body")
    body = body if isinstance(body, Mapping) else {"data": body, "contentType": "application/json"}
    data = body.get("data")
    raw = given.get("rawBody") or {
        "data": data if isinstance(data, str) else json.dumps(data),
        "contentType": body.get("contentType", "application/json"),
    }
    return {
        "queryParameters": {},
        "pathFragment": "",
        "webhookUrls": urls,
        "webhookApiKeys": {},
        "customer": {"id": "customer-1", "externalId": "customer-1", "name": "Example customer"},
        "instance": {"id": "instance-1", "name": integration.name},
        "user": {"id": "", "email": "", "name": "", "externalId": ""},
        "integration": {"id": "integration-1", "name": integration.name, "versionSequenceId": "1"},
        "flow": {"id": camel_case(flow.name), "name": flow.name},
        "globalDebug": False,
        **given,
        "rawBody": raw,
        "body": body,
        "executionId": info.execution_id,
        "startedAt": info.started_at,
    }
