"""``endpointSecurityType``, ``organizationApiKeys`` and ``queueConfig`` of a flow: who may call it, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.model import EndpointSecurity, Input, QueueConfig
from twilio_component.flows.parsing.field_reader import FieldReader
from twilio_component.flows.parsing.known_keys import QUEUE_CONFIG
from twilio_component.host.errors import did_you_mean, join_names
from twilio_component.host.inputs.messages import type_name

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.host.manifest.documents import PathParts

SECURITY_TYPES = ("unsecured", "customer_optional", "customer_required", "organization")
_LEAST_CONCURRENCY, _MOST_CONCURRENCY = 2, 15


def read_endpoint_security(findings: Findings, raw: Mapping[str, Any], at: PathParts) -> EndpointSecurity:
    """Return who may call the flow; anybody with one of its keys, where it has some, if nothing is said."""
    kind = raw.get("endpointSecurityType") or "customer_optional"
    if kind not in SECURITY_TYPES:
        message = f"endpointSecurityType must be {join_names(SECURITY_TYPES, word='or')}"
        hint = did_you_mean(str(kind), SECURITY_TYPES)
        findings.add("invalid-endpoint", (*at, "endpointSecurityType"), message + hint)
        kind = "customer_optional"
    keys = raw.get("organizationApiKeys") or []
    if not isinstance(keys, list) or not all(isinstance(key, str) and key for key in keys):
        findings.add("invalid-endpoint", (*at, "organizationApiKeys"), "organizationApiKeys must be a list of texts")
        keys = []
    if keys and kind != "organization":
        message = f"organizationApiKeys need endpointSecurityType: organization, not {kind}"
        findings.add("invalid-endpoint", (*at, "organizationApiKeys"), message)
    return EndpointSecurity(kind=str(kind), organization_keys=tuple(keys))


def check_queue_config(findings: Findings, queue: QueueConfig, *, is_scheduled: bool, is_synchronous: bool) -> None:
    """Add findings about a queue that cannot be honoured for this kind of flow."""
    if queue.concurrency is not None and is_synchronous:
        message = "usesFifoQueue is only allowed for an asynchronous flow: the caller of a synchronous one cannot wait"
        findings.add("invalid-endpoint", (*queue.at, "usesFifoQueue"), message)
    if queue.concurrency is not None and is_scheduled:
        message = "usesFifoQueue is only allowed for a flow that requests start; singletonExecutions is for schedules"
        findings.add("invalid-endpoint", (*queue.at, "usesFifoQueue"), message)
    if queue.singleton and not is_scheduled:
        message = "singletonExecutions is only allowed for a flow with a schedule; usesFifoQueue is for requests"
        findings.add("invalid-endpoint", (*queue.at, "singletonExecutions"), message)


def read_queue_config(
    findings: Findings, raw: Any, at: PathParts, read_input: Callable[[Any, PathParts], Input]
) -> QueueConfig | None:
    """Return how executions of the flow queue, if they do."""
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        findings.add("wrong-type", at, f"queueConfig must be an object, not {type_name(raw)}")
        return None
    fields = FieldReader(findings)
    fields.keys(raw, at, QUEUE_CONFIG, ())
    uses_fifo = bool(fields.flag(raw, "usesFifoQueue", at))
    singleton = bool(fields.flag(raw, "singletonExecutions", at))
    limit = raw.get("concurrencyLimit")
    if limit in ("", 0, 1, "0", "1"):
        limit = None  # one at a time, as exports say it
    number = int(str(limit)) if str(limit).isdigit() else 0
    if limit is not None and (isinstance(limit, bool) or not _LEAST_CONCURRENCY <= number <= _MOST_CONCURRENCY):
        message = f"concurrencyLimit must be a whole number from {_LEAST_CONCURRENCY} to {_MOST_CONCURRENCY}"
        findings.add("invalid-endpoint", (*at, "concurrencyLimit"), message)
        limit = None
    dedupe = raw.get("dedupeIdField")
    if (limit is not None or dedupe) and not uses_fifo:
        findings.add(
            "invalid-endpoint",
            (*at, "dedupeIdField" if dedupe else "concurrencyLimit"),
            "concurrencyLimit and dedupeIdField are only allowed with usesFifoQueue: true",
        )
    if not (uses_fifo or singleton):
        return None
    return QueueConfig(
        concurrency=(number if limit is not None else 1) if uses_fifo else None,
        singleton=singleton,
        dedupe_id=read_input(dedupe, (*at, "dedupeIdField")) if dedupe else None,
        at=at,
    )
