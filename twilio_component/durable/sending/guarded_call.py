"""A call of a flow as the guard sees it: what the component's manifest says about making it once."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from twilio_component.durable.clock import Clock
from twilio_component.durable.ids import flow_id
from twilio_component.flows.expressions.references import as_text
from twilio_component.flows.interpreter.backoff import deadline_failure
from twilio_component.host.model import resolve, resolve_once

if TYPE_CHECKING:
    import datetime as dt

    from twilio_component.durable.store.item_ends import LastCall
    from twilio_component.durable.store.journal import JournalEntry
    from twilio_component.flows.interpreter.effects import Call, Failure
    from twilio_component.flows.model import Flow
    from twilio_component.flows.runner.invoker import Invoker
    from twilio_component.flows.send_order import SendOrder
    from twilio_component.flows.send_rules import FrequencyCaps, QuietHours
    from twilio_component.host.contacts import Contact
    from twilio_component.host.model import Operation
    from twilio_component.host.results import Candidate


class GuardedCall(Protocol):
    """One call that must not be repeated, as the guard sees it."""

    @property
    def expired(self) -> Failure | None:
        """The failure of a call that must not start any more, else None."""

    @property
    def limit_keys(self) -> Mapping[str, str]:
        """The keys by which the call is throttled: one for the ``connection``, one for the ``sender``."""

    @property
    def sender(self) -> str:
        """The sender, by the name under which it may have a rate limit."""

    @property
    def longest_wait(self) -> float:
        """Seconds that the call may wait for its turn, from when it was planned."""

    @property
    def must_identify(self) -> bool:
        """Whether a successful result names the resource that the call created."""

    @property
    def order(self) -> SendOrder | None:
        """The order that the call keeps in its conversation, if its step says so."""

    @property
    def contact(self) -> Contact | None:
        """The person that the call reaches, and from whom; None when it reaches nobody."""

    @property
    def question(self) -> str | None:
        """The key of the question that the call sends, if it is part of one."""

    @property
    def opted_out(self) -> Failure:
        """The failure of a call to somebody who has opted out."""

    @property
    def opted_out_reasons(self) -> Collection[str]:
        """The reasons of failures that mean that the person has opted out."""

    @property
    def quiet_hours(self) -> QuietHours | None:
        """The quiet hours of the step or its flow; their zone is a value."""

    @property
    def frequency_caps(self) -> FrequencyCaps | None:
        """The caps of the flow."""

    @property
    def flow_key(self) -> str:
        """The flow, in words that tell it from all other flows of the database."""

    async def perform_once(self, seconds: float) -> dict[str, Any]:
        """Make one request within ``seconds``; the envelope, or an exception."""

    def failure(self, error: Exception) -> Failure:
        """The failure that the exception is for the flow."""

    def envelope_for(self, resource_id: str) -> dict[str, Any]:
        """The envelope for a call of which only the resource's id is known."""

    def resource_id(self, envelope: Mapping[str, Any]) -> str | None:
        """The id of the resource that the call created."""

    def last_call(self, entry: JournalEntry) -> LastCall | None:
        """What ends with this result, if nothing comes after it; stored in one transaction with the result."""

    async def find_candidates(self, since: dt.datetime) -> list[Candidate] | None:
        """The resources that the call may have created since then, the newest first; None when nothing can tell."""


EndWith = Callable[["JournalEntry"], "LastCall | None"]
"""Says what ends with a result of a call, before the result is stored."""

LONGEST_WAIT = 24 * 3600.0
"""Seconds that a call waits to be sent where the flow sets no ``validFor``."""


@dataclass(frozen=True, kw_only=True)
class GuardedFlowCall:
    """A call of a flow, made through an invoker; ``payload`` is what started its run.

    ``callback`` is the URL at which a callback may prove what the call created, or empty; ``run_began`` is when the run
    was stored, in seconds since 1970; ``question`` is the key of the question that the call sends, if it sends one;
    ``end_with`` says what ends with the call's result.
    """

    invoker: Invoker
    flow: Flow
    call: Call
    payload: Mapping[str, Any] = field(repr=False)
    operation: Operation
    callback: str = ""
    run_began: float = 0.0
    question: str | None = None
    clock: Clock = field(default_factory=Clock)
    end_with: EndWith = lambda _entry: None

    @property
    def expired(self) -> Failure | None:
        """The failure of a call past its ``validFor``, else None."""
        return deadline_failure(self.call, self.clock.now() - self.run_began)

    @property
    def expires_at(self) -> float:
        """When the call is past its ``validFor``, in seconds since 1970; infinite without one."""
        return math.inf if self.call.valid_for is None else self.run_began + self.call.valid_for

    @property
    def longest_wait(self) -> float:
        """Seconds that the call may wait for its turn."""
        return LONGEST_WAIT if self.call.valid_for is None else math.inf

    @cached_property
    def limit_keys(self) -> Mapping[str, str]:
        """The keys by which the call is throttled: for the ``connection`` and for the ``sender``."""
        connection = _digest_of_connections(
            {name: self.call.inputs.get(name) for name in self.operation.connection_inputs}
        )
        return {"connection": connection, "sender": f"{connection}:{self.sender}"}

    @cached_property
    def sender(self) -> str:
        """The sender as the request names it: however a flow writes a number, it is one sender."""
        named = self.operation.options.get("rateLimitedBy", ())
        return as_text(next((self._accepted[name] for name in named if self._accepted.get(name)), ""))

    @property
    def fingerprint(self) -> str:
        """Equal for calls whose resources nothing at the provider tells apart, however a flow writes their inputs.

        The connection does not count, since its secrets may be renewed, nor does a callback of our own.
        """
        own = {*self.operation.connection_inputs, self._callback_input}
        inputs = {name: value for name, value in self._accepted.items() if name not in own}
        reconciliation = self.operation.reconciliation
        features = inputs if reconciliation is None else reconciliation.features_of(inputs)
        return _digest([self.call.component, self.call.action, features])

    @property
    def must_identify(self) -> bool:
        """Whether a successful result names the resource that the call created."""
        return self.operation.reconciliation is not None

    @property
    def order(self) -> SendOrder | None:
        """The order that the call keeps in its conversation, if its step says so."""
        return self.call.order

    @cached_property
    def contact(self) -> Contact | None:
        """The person that the call reaches, and from whom; None when it reaches nobody."""
        declared = self.operation.options.get("contact")
        return None if declared is None else resolve_once(declared["of"])(self._accepted)

    @property
    def opted_out(self) -> Failure:
        """The failure of a call to somebody who has opted out."""
        return self.failure(resolve(self.operation.options["contact"]["optedOut"])())

    @property
    def opted_out_reasons(self) -> Collection[str]:
        """The reasons of failures that mean that the person has opted out."""
        reasons: list[str] = self.operation.options.get("contact", {}).get("optedOutReasons", [])
        return reasons

    @property
    def quiet_hours(self) -> QuietHours | None:
        """The quiet hours of the step or its flow; their zone is a value."""
        return self.call.quiet_hours

    @property
    def frequency_caps(self) -> FrequencyCaps | None:
        """The caps of the flow."""
        return self.flow.frequency_caps

    @property
    def flow_key(self) -> str:
        """The flow, in words that tell it from all other flows of the database."""
        return flow_id(self.payload["integration"]["name"], self.flow.name)

    async def perform_once(self, seconds: float) -> dict[str, Any]:
        """Make one request within ``seconds``; the envelope, or what the component raises."""
        call = replace(self.call, inputs=self._accepted)
        return await self.invoker.perform_once(self.flow, call, self.payload, attempt_seconds=seconds)

    def failure(self, error: Exception) -> Failure:
        """The failure that the exception is for the flow."""
        return self.invoker.failure(self.call, error)

    def envelope_for(self, resource_id: str) -> dict[str, Any]:
        """The envelope for a call of which only the resource's id is known."""
        reconciliation = self.operation.reconciliation
        return {"data": {reconciliation.identified_by: resource_id} if reconciliation is not None else None}

    def resource_id(self, envelope: Mapping[str, Any]) -> str | None:
        """The id of the resource that the call created, where the manifest says which it is."""
        reconciliation, data = self.operation.reconciliation, envelope.get("data")
        if reconciliation is None or not isinstance(data, Mapping):
            return None
        return as_text(data.get(reconciliation.identified_by)) or None

    def last_call(self, entry: JournalEntry) -> LastCall | None:
        """What ends with this result, if nothing comes after it."""
        return self.end_with(entry)

    async def find_candidates(self, since: dt.datetime) -> list[Candidate] | None:
        """The resources that the call may have created since then; None when nothing can tell."""
        return await self.invoker.find_candidates(self.flow, self.call, self.payload, since)

    @cached_property
    def _accepted(self) -> Mapping[str, Any]:
        """The inputs as the action is given them, with the callback that may prove the call."""
        call, added = self.call, self._callback_input
        if added is not None:
            call = replace(call, inputs={**call.inputs, added: self.callback})
        return self.invoker.validate_inputs(call)

    @cached_property
    def _callback_input(self) -> str | None:
        """The name of the input that gets a callback of our own, if one does."""
        proof = self.operation.options.get("proof")
        if proof is None or not self.callback or self.call.inputs.get(proof["callbackInput"]):
            return None  # a flow that wants the callbacks itself gets them
        if "when" in proof and not resolve_once(proof["when"])(self.call.inputs):
            return None
        name: str = proof["callbackInput"]
        return name


def _digest(value: Any) -> str:
    return hashlib.sha256(_ENCODER.encode(value).encode()).hexdigest()


def _digest_of_connections(connections: Mapping[str, Any]) -> str:
    """The digest of connections by the names of their inputs, made once: nearly all calls of a process share one."""
    same = tuple((name, id(connection)) for name, connection in connections.items())
    if same not in _DIGESTS:
        if len(_DIGESTS) >= _MOST_DIGESTS:
            _DIGESTS.clear()
        _DIGESTS[same] = (connections, _digest(connections))
    return _DIGESTS[same][1]


_MOST_DIGESTS = 100
_DIGESTS: dict[tuple[tuple[str, int], ...], tuple[Mapping[str, Any], str]] = {}
"""By the identity of the connections, which are kept with the digest: no others can have it meanwhile."""

_ENCODER = json.JSONEncoder(sort_keys=True, default=as_text)
