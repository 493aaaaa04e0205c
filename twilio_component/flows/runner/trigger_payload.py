"""What a trigger is given: the caller's part of the payload, laid over everything that a payload has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.flows.model import camel_case
from twilio_component.host.serialization import json_ready

if TYPE_CHECKING:
    from twilio_component.flows.model import Flow, Integration

WEBHOOK_BASE = "https://flows.example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionInfo:
    """When, as what and where an execution runs; everything about it that is not in the definition."""

    execution_id: str
    started_at: str
    webhook_base: str = WEBHOOK_BASE


def webhook_urls(integration: Integration, base: str = WEBHOOK_BASE) -> dict[str, str]:
    """The URL of each flow, by its name."""
    return {flow.name: f"{base}/{camel_case(flow.name)}" for flow in integration.flows}


def complete_payload(
    given: Mapping[str, Any], integration: Integration, flow: Flow, occasion: ExecutionInfo
) -> dict[str, Any]:
    """The payload that the trigger gets, JSON-ready. A body without a ``rawBody`` is written out as one."""
    urls = webhook_urls(integration, occasion.webhook_base)
    given = json_ready(given)
    body = given.get("body")
    body = body if isinstance(body, Mapping) else {"data": body, "contentType": "application/json"}
    data = body.get("data")
    raw = given.get("rawBody") or {
        "data": data if isinstance(data, str) else json.dumps(data),
        "contentType": body.get("contentType", "application/json"),
    }
    return {
        "headers": {},
        "queryParameters": {},
        "pathFragment": "",
        "webhookUrls": urls,
        "webhookApiKeys": {},
        "invokeUrl": urls[flow.name],
        "customer": {"id": "customer-1", "externalId": "customer-1", "name": "Example customer"},
        "instance": {"id": "instance-1", "name": integration.name},
        "user": {"id": "", "email": "", "name": "", "externalId": ""},
        "integration": {"id": "integration-1", "name": integration.name, "versionSequenceId": "1"},
        "flow": {"id": camel_case(flow.name), "name": flow.name},
        "globalDebug": False,
        **given,
        "rawBody": raw,
        "body": body,
        "executionId": occasion.execution_id,
        "startedAt": occasion.started_at,
    }
