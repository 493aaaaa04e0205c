"""The calls of an execution that must not be repeated, and its questions, which consist of such calls."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from twilio_component.durable.asking.asker import QuestionResult
from twilio_component.durable.errors import CallHeld, NondeterminismError, RunParked
from twilio_component.durable.execution.redacted_inputs import redact_inputs
from twilio_component.durable.ids import call_key, started_by_item
from twilio_component.durable.sending.guarded_call import GuardedFlowCall
from twilio_component.durable.sending.intents import CallIdentity
from twilio_component.flows.interpreter.backoff import deadline_failure
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.host.questions import MOST_SENDS

if TYPE_CHECKING:
    from twilio_component.durable.deployment import LoadedDefinition
    from twilio_component.durable.execution.replay_services import ReplayServices
    from twilio_component.durable.sending.guarded_call import EndWith
    from twilio_component.durable.store.journal import JournalEntry
    from twilio_component.durable.store.run_rows import Run
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.flows.model import Flow
    from twilio_component.host.model import Asking, Operation

_MOMENT = 0.05
_IN_LOOP = "a concurrent loop cannot wait for people: let each iteration start a flow that asks, with invokeFlow"
_FOR_ITEM = "a flow that an iteration of a concurrent loop waits for cannot wait for people: remove its isSynchronous"


class UnrepeatableCalls:
    """Makes such calls for a run, or for the iteration of its ``item``."""

    def __init__(
        self, services: ReplayServices, run: Run, definition: LoadedDefinition, flow: Flow, item: str | None
    ) -> None:
        self._services = services
        self._run = run
        self._definition = definition
        self._flow = flow
        self._item = item

    async def call(
        self,
        call: Call,
        operation: Operation,
        ordinal: int,
        *,
        question: str | None = None,
        until: float = math.inf,
        end_with: EndWith = lambda _entry: None,
    ) -> JournalEntry | None:
        """Make a call at most once; its journal entry if this process has made it.

        ``question`` is the key of the question that the call is part of, and ``until`` when that one ends;
        ``end_with`` says what ends with the call's result. Raises ``RunParked`` when the run waits without a process
        until the call may be made, and ``CallHeld`` when the iteration waits.
        """
        caller = self._item or self._run.id
        guarded = GuardedFlowCall(
            invoker=self._definition.invoker,
            flow=self._flow,
            call=call,
            payload=self._run.payload,
            operation=operation,
            callback=self._services.deployment.callback_url(call.component, call.action, caller, ordinal),
            run_began=self._run.created_at,
            question=question,
            clock=self._services.guard.clock,
            end_with=end_with,
        )
        identity = CallIdentity(
            run=self._run.id,
            item=self._item,
            ordinal=ordinal,
            step_id=call.id,
            fingerprint=guarded.fingerprint,
            redact_inputs=partial(redact_inputs, call.inputs, operation),
            limit_keys=tuple(guarded.limit_keys.values()),
            person=guarded.contact.person if guarded.contact is not None else None,
        )
        while True:
            try:
                return await self._services.guard.perform(identity, guarded, may_park=self.can_park)
            except CallHeld as held:
                held.until = _earlier(held.until, min(guarded.expires_at, until))
                if self._item is not None:
                    raise
                if await self._services.runs.waits.hold(self._run.id, held, question):
                    raise RunParked from None

    async def ask(self, call: Call, asks: Asking, ordinal: int) -> QuestionResult:
        """The result of a question; its sends are the calls before ``ordinal``.

        Raises ``RunParked`` when the run waits without a process.
        """
        invoker = self._definition.invoker
        late = deadline_failure(call, time.time() - self._run.created_at)
        if late is not None and not await self._services.asker.has_entered(self._run.id, ordinal):
            return QuestionResult(value=late)
        question = self._cannot_wait() or invoker.question(call, asks)
        if isinstance(question, Failure):
            return QuestionResult(value=question)

        async def send(sending: Call, number: int, until: float | None) -> JournalEntry:
            operation = invoker.operation(sending)
            if operation is None:
                raise NondeterminismError(f"there is no action {sending.component}.{sending.action} to ask with")
            sending = replace(sending, id=f"{call.id}{OF_QUESTION}{number + 1}")
            place = ordinal - MOST_SENDS + number
            key = call_key(self._run.id, ordinal)
            entry = await self.call(sending, operation, place, question=key, until=math.inf if until is None else until)
            entry = entry or await self._services.runs.entry_at(self._run.id, place)
            if entry is None:
                raise NondeterminismError(f"the recorded result of {sending.id} is gone")
            return entry

        return await self._services.asker.ask((self._run.id, ordinal), call, asks, question, send, late=late)

    @property
    def can_park(self) -> bool:
        """Whether the execution may wait as a row: no iteration, which has a process, waits for it."""
        return self._cannot_wait() is None

    def awaited_effect(self, call: Call) -> str | None:
        """The resource whose report ends the wait of a call that is to be made again, if it will be reported."""
        operation = self._definition.invoker.operation(call)
        name = operation.options.get("waitsFor") if operation is not None else None
        effect = call.inputs.get(name) if name is not None and self._services.deployment.has_callbacks else None
        return effect if isinstance(effect, str) and effect else None

    def _cannot_wait(self) -> Failure | None:
        """Why this execution cannot wait for a person, if something waits for it."""
        if self._item is not None:
            return Failure(code="cannot-ask", message=_IN_LOOP, permanent=True)
        if self._flow.is_synchronous and started_by_item(self._run.id):
            return Failure(code="cannot-ask", message=_FOR_ITEM, permanent=True)
        return None


def _earlier(until: float | None, expires_at: float) -> float | None:
    return None if until is None else min(until, expires_at + _MOMENT)


OF_QUESTION = ".question"
"""Between the id of a step that asks and the number of a send, in the id of that send."""
