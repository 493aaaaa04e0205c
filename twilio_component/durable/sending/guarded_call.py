"""A call of a flow as the guard sees it: what the component's manifest says about doing it once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.references import as_text
from twilio_component.flows.interpreter.backoff import deadline_failure

if TYPE_CHECKING:
    import datetime as dt

    from twilio_component.flows.interpreter.effects import Call, Failure
    from twilio_component.flows.model import Flow
    from twilio_component.flows.runner.invoker import Invoker
    from twilio_component.host.model import Operation
    from twilio_component.host.results import Candidate


@dataclass(frozen=True)
class GuardedFlowCall:
    """A call through an invoker; ``payload`` is what the run was started with.

    ``callback`` is the URL at which a callback may prove what the call did, if there is one; ``run_began`` is when the
    run was stored, in seconds since 1970.
    """

    invoker: Invoker
    flow: Flow
    call: Call
    payload: Mapping[str, Any]
    operation: Operation
    callback: str = ""
    run_began: float = 0.0

    @property
    def expired(self) -> Failure | None:
        """Why it is not to be begun any more, if that is so."""
        return deadline_failure(self.call, time.time() - self.run_began)

    @cached_property
    def limit_keys(self) -> Mapping[str, str]:
        """By whom the call is slowed down."""
        connection = _digest({name: self.call.inputs.get(name) for name in self._connections()})
        return {"connection": connection, "sender": f"{connection}:{self.sender}"}

    @cached_property
    def sender(self) -> str:
        """Who sends, as the request says it: however the flow writes a number, it is one sender."""
        inputs = self.invoker.validate_inputs(self.call)
        named = self.operation.options.get("rateLimitedBy", ())
        return as_text(next((inputs[name] for name in named if inputs.get(name)), ""))

    @property
    def fingerprint(self) -> str:
        """Equal for calls with equal inputs; the connection, whose secrets may be renewed, does not count."""
        connections = self._connections()
        inputs = {name: value for name, value in self.call.inputs.items() if name not in connections}
        return _digest([self.call.component, self.call.action, inputs])

    async def perform_once(self) -> dict[str, Any]:
        """Do it; the envelope, or what the component raises."""
        return await self.invoker.perform_once(self.flow, self._with_callback(), self.payload)

    def failure(self, error: Exception) -> Failure:
        """What the exception means to the flow."""
        return self.invoker.failure(self.call, error)

    def envelope_for(self, resource_id: str) -> dict[str, Any]:
        """The envelope of which no more is known than the id of what was done."""
        reconciliation = self.operation.reconciliation
        return {"data": {reconciliation.identified_by: resource_id} if reconciliation is not None else None}

    def resource_id(self, envelope: Mapping[str, Any]) -> str | None:
        """The id of what was done, where the manifest says which it is."""
        reconciliation, data = self.operation.reconciliation, envelope.get("data")
        if reconciliation is None or not isinstance(data, Mapping):
            return None
        return as_text(data.get(reconciliation.identified_by)) or None

    async def find_candidates(self, since: dt.datetime) -> list[Candidate] | None:
        """What may be its doing; None when nothing can tell."""
        return await self.invoker.find_candidates(self.flow, self.call, self.payload, since)

    def _with_callback(self) -> Call:
        proof = self.operation.options.get("proof")
        if proof is None or not self.callback or self.call.inputs.get(proof["callbackInput"]):
            return self.call  # a flow that wants the callbacks itself gets them
        return replace(self.call, inputs={**self.call.inputs, proof["callbackInput"]: self.callback})

    def _connections(self) -> frozenset[str]:
        properties = self.operation.inputs["properties"]
        return frozenset(name for name, schema in properties.items() if schema.get("format") == "connection")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=as_text).encode()).hexdigest()
