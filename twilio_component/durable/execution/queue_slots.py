"""The place of a new run in the queue of its flow, as the flow's ``queueConfig`` says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.durable.ids import flow_id
from twilio_component.durable.store.queues import QueueSlot
from twilio_component.flows.expressions.evaluation import Scope, evaluate
from twilio_component.flows.expressions.references import follow
from twilio_component.flows.findings import EvaluationError

if TYPE_CHECKING:
    from twilio_component.durable.deployment import LoadedDefinition
    from twilio_component.flows.model import ConfigVar, Flow, Reference


def queue_slot(
    definition: LoadedDefinition,
    flow: Flow,
    trigger: Mapping[str, Any] | None = None,
    *,
    scheduled: bool = False,
    conversation: str | None = None,
) -> QueueSlot | None:
    """Return the slot of a run; None for a flow that does not queue.

    Where the trigger keeps the order of conversations, runs of the same ``conversation`` (a digest) follow each other.

    ``trigger`` is the envelope of the trigger, from whose payload the id comes by which equal executions are known. A
    run is ``scheduled`` when the clock starts it.
    """
    queue = flow_id(definition.integration.name, flow.name)
    if flow.trigger.order is not None and conversation is not None:
        return QueueSlot(queue=f"{queue}/{conversation}")
    config = flow.queue
    if config is None or (config.concurrency is None and not scheduled):
        return None
    return QueueSlot(
        queue=queue,
        limit=config.concurrency or 1,
        dedupe_id=_dedupe_id(definition, flow, trigger["payload"]) if trigger is not None else None,
        singleton=config.singleton and scheduled,
    )


def _dedupe_id(definition: LoadedDefinition, flow: Flow, payload: Any) -> str | None:
    """The digest of the id in the payload; None where it has none, so that the run equals no other."""
    assert flow.queue is not None  # noqa: S101 - the caller has looked
    if flow.queue.dedupe_id is None:
        return None

    def lookup(reference: Reference) -> Any:
        if reference.step != flow.trigger.key:
            raise EvaluationError(f"{reference} is not the trigger's payload")
        return follow(reference, payload)

    def config(variable: ConfigVar) -> Any:
        return definition.values.by_name.get(variable.name)

    value = evaluate(flow.queue.dedupe_id, Scope(lookup, config).lenient())
    if value in (None, ""):
        return None
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
