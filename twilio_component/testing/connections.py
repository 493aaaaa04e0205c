"""Connections and payloads for tests."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any


def create_connection(key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a connection value: ``create_connection("basic", {"username": "AC…", "password": "…"})``."""
    return {"key": key, "fields": dict(fields)}


def connection_from_variable(name: str = "PRISMATIC_CONNECTION_VALUE") -> dict[str, Any]:
    """Return the connection that an environment variable holds as JSON.

    Raises ``KeyError`` if the variable is not set, and ``ValueError`` if it does not hold a JSON object.
    """
    value = json.loads(os.environ[name])
    if not isinstance(value, dict):
        raise ValueError(f"the environment variable {name} must hold a connection as a JSON object")  # noqa: TRY004 - its content
    return value


def default_trigger_payload() -> dict[str, Any]:
    """Return a trigger payload with every key that a host sets, filled with examples."""
    return {
        "headers": {"content-type": "application/json"},
        "queryParameters": {},
        "rawBody": {"data": b"{}", "contentType": "application/json"},
        "body": {"data": {}, "contentType": "application/json"},
        "pathFragment": "",
        "webhookUrls": {"Flow 1": "https://hooks.example.com/trigger/flow-1"},
        "webhookApiKeys": {"Flow 1": ["example-key"]},
        "invokeUrl": "https://hooks.example.com/trigger/flow-1",
        "executionId": "execution-1",
        "customer": {"id": "customer-1", "externalId": "customer-example-external-id", "name": "John Doe"},
        "instance": {"id": "instance-1", "name": "Example instance"},
        "user": {"id": "user-1", "email": "john.doe@example.com", "name": "John Doe", "externalId": "user-example"},
        "integration": {"id": "integration-1", "name": "Example integration", "versionSequenceId": "1"},
        "flow": {"id": "flow-1", "name": "Flow 1"},
        "startedAt": "2026-01-01T00:00:00.000Z",
        "globalDebug": False,
    }
