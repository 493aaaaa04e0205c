"""One call of an execution, through a host or a mock, and what its errors mean to the execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.nesting import DEEPEST, deeper_than
from twilio_component.flows.parsing.fitting import fit_inputs
from twilio_component.flows.runner.connection_values import name_connections
from twilio_component.host.errors import InputError, IntegrationError, PerformError
from twilio_component.host.inputs.form import AcceptedInputs
from twilio_component.host.redaction import RedactingLogger

if TYPE_CHECKING:
    import datetime as dt
    import logging

    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.flows.model import Flow
    from twilio_component.flows.runner.configuration import Configuration, Values
    from twilio_component.flows.runner.mocks import Mocks
    from twilio_component.host import Host
    from twilio_component.host.context import Context
    from twilio_component.host.model import Asking, Operation
    from twilio_component.host.questions import Question
    from twilio_component.host.resources import Clock
    from twilio_component.host.results import Candidate


class ResultTooDeepError(IntegrationError):
    """A result that is nested too deep to be stored; what was asked for has been done."""

    code = "result-too-deep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoker:
    """Carries out calls through a host, or through a mock.

    ``clock`` (seconds) tells for how long an action has been repeated; for stored executions it must outlive the
    process.
    """

    host: Host
    mocks: Mocks
    configuration: Configuration
    values: Values
    logger: logging.Logger | logging.LoggerAdapter[Any]
    clock: Clock
    _operations: dict[tuple[str, str, bool], Operation] = field(default_factory=dict, init=False, repr=False)

    @property
    def _logger(self) -> RedactingLogger:
        """The logger, which writes no secrets, whatever a component gives it."""
        return RedactingLogger(self.logger, self.values.redactor)

    def operation(self, call: Call) -> Operation | None:
        """The action or trigger that the call names, if its component is installed and has it."""
        place = (call.component, call.action, call.is_trigger)
        if place not in self._operations:
            component = self.host.components.get(call.component)
            operations = {} if component is None else component.triggers if call.is_trigger else component.actions
            if call.action not in operations:
                return None  # it may be registered later
            self._operations[place] = operations[call.action]
        return self._operations[place]

    def idempotent(self, call: Call) -> bool:
        """Whether doing it twice would do no harm, as the component's manifest says."""
        operation = self.operation(call)
        return operation is not None and operation.idempotent

    def has_effect(self, call: Call) -> bool:
        """Whether the call does something outside of the flow; that of an action that is not known may do anything."""
        operation = self.operation(call)
        return operation is None or operation.has_effect

    def validate_inputs(self, call: Call) -> Mapping[str, Any]:
        """The inputs as the action is given them. It is not given what is not valid: that is returned as it is.

        A call that is given the result as its inputs has them checked no more.
        """
        operation = self.operation(call)
        if operation is None:
            return call.inputs
        try:
            return self.host.validate_inputs(call.component, call.action, fit_inputs(call.inputs, operation))
        except InputError:
            return call.inputs

    def question(self, call: Call, asks: Asking) -> Question | Failure:
        """The question that a call of an action that asks is about, or why it cannot be asked."""
        operation = self.operation(call)
        try:
            inputs = fit_inputs(call.inputs, operation) if operation else call.inputs
            return asks.question(self.host.validate_inputs(call.component, call.action, inputs))
        except Exception as error:  # noqa: BLE001 - a flow decides what follows, also from a component's bug
            return self.failure(call, error)

    async def invoke(self, flow: Flow, call: Call, payload: Mapping[str, Any]) -> dict[str, Any] | Failure:
        """The envelope of the call, or why it failed."""
        try:
            return await self.perform_once(flow, call, payload)
        except Exception as error:  # noqa: BLE001 - a flow decides what follows, also from a component's bug
            return self.failure(call, error)

    async def perform_once(
        self, flow: Flow, call: Call, payload: Mapping[str, Any], *, attempt_seconds: float | None = None
    ) -> dict[str, Any]:
        """The envelope of the call; raises what the component raises.

        With ``attempt_seconds`` the component makes one request, in this time, and leaves its repetition to the caller.
        """
        operation, begun = self.operation(call), self.clock()
        if f"{call.component}.{call.action}" in self.mocks:
            envelope = await self.mocks.envelope(call, operation)
        else:
            context = self._context(flow, call, payload, attempt_seconds)
            envelope = await self._through_host(call, operation, context)
        if "again" in envelope and not call.is_trigger:
            since = begun if call.since is None else call.since
            return {"again": envelope["again"], "since": since, "until": self.clock() + envelope["again"]}
        if deeper_than(envelope, DEEPEST + 1):
            raise ResultTooDeepError(f"the result is nested more than {DEEPEST} levels deep")
        return envelope

    async def page(self, flow: Flow, call: Call, payload: Mapping[str, Any], after: str | None) -> dict[str, Any]:
        """``{"items": […], "next": …}``: a page of what the call lists; raises what the component raises.

        A mock returns all items as one page.
        """
        operation = self.operation(call)
        if f"{call.component}.{call.action}" in self.mocks:
            envelope = await self.mocks.envelope(call, operation)
            return {"items": envelope["data"], "next": None}
        inputs = fit_inputs(call.inputs, operation) if operation else call.inputs
        context = self._context(flow, call, payload)
        page = await self.host.list_page(call.component, call.action, inputs, after=after, context=context)
        return {"items": page.items, "next": page.next}

    def failure(self, call: Call, error: Exception) -> Failure:
        """What an error of ``perform_once`` means to the execution; its message, which is stored, has no secrets."""
        failure = self._failure(call, error)
        return replace(failure, message=self.values.redactor.text(failure.message))

    def _failure(self, call: Call, error: Exception) -> Failure:
        if isinstance(error, PerformError):
            unknown = error.may_have_happened and not self.idempotent(call)
            return Failure(
                code=error.code,
                message=str(error),
                permanent=error.permanent,
                outcome_unknown=unknown,
                reason=error.reason or "",
                concerns=error.concerns or "",
            )
        operation = self.operation(call)
        if isinstance(error, InputError) and operation is not None:
            error = name_connections(error, call.inputs, operation, self.values)
        if isinstance(error, IntegrationError):
            acted = isinstance(error, ResultTooDeepError) and not self.idempotent(call)
            return Failure(code=error.code, message=str(error), permanent=True, acted=acted)
        # A bug in a component. What it had done by then is not known.
        self._logger.error("%s failed unexpectedly", call.id, exc_info=error)
        message = f"{call.component}.{call.action} failed unexpectedly with {type(error).__name__}"
        return Failure(code="unexpected-error", message=message, outcome_unknown=not self.idempotent(call))

    async def find_candidates(
        self, flow: Flow, call: Call, payload: Mapping[str, Any], since: dt.datetime
    ) -> list[Candidate] | None:
        """What may be the doing of such a call since then; None when nothing can tell."""
        operation = self.operation(call)
        if operation is None or operation.reconciliation is None:
            return None
        inputs = fit_inputs(call.inputs, operation)
        context = self._context(flow, call, payload)
        return await self.host.look_for(call.component, call.action, inputs, since, context=context)

    async def _through_host(self, call: Call, operation: Operation | None, context: Context) -> dict[str, Any]:
        inputs = call.inputs
        if operation is not None and not isinstance(inputs, AcceptedInputs):
            inputs = fit_inputs(inputs, operation)
        if call.is_trigger:
            return await self.host.invoke_trigger(call.component, call.action, call.payload, inputs, context=context)
        return await self.host.invoke_action(call.component, call.action, inputs, context=context)

    def _context(
        self, flow: Flow, call: Call, payload: Mapping[str, Any], attempt_seconds: float | None = None
    ) -> Context:
        # A component changes a state by returning what changes, not behind the execution's back.
        return self.host.context(
            logger=self._logger,
            instance_state=MappingProxyType(call.stored_state["instanceState"]),
            cross_flow_state=MappingProxyType(call.stored_state["crossFlowState"]),
            execution_state=MappingProxyType(call.stored_state["executionState"]),
            integration_state=MappingProxyType(call.stored_state["integrationState"]),
            config_vars=self.values.by_name,
            step_id=call.id,
            execution_id=payload["executionId"],
            webhook_urls=payload["webhookUrls"],
            webhook_api_keys=payload["webhookApiKeys"],
            invoke_url=payload["invokeUrl"],
            customer=payload["customer"],
            # What the deployment allows is the deployment's to say: never the payload's, which comes from outside.
            instance={**payload["instance"], "httpHosts": list(self.configuration.http_hosts)},
            user=payload["user"],
            integration=payload["integration"],
            flow={"name": flow.name},
            started_at=payload["startedAt"],
            waited=0.0 if call.since is None else max(0.0, self.clock() - call.since),
            asks_again=True,
            attempt_seconds=attempt_seconds,
        )
