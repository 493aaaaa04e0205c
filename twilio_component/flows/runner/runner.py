"""Flows, run to their end in this process.

The runner does what an execution asks for: it invokes actions through a host (or a mock), waits, and starts other
flows. A durable engine does the same with a memory; the execution cannot tell them apart.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from twilio_component.flows.declared_rules import has_send_rules
from twilio_component.flows.findings import FlowError
from twilio_component.flows.interpreter.backoff import deadline_failure
from twilio_component.flows.interpreter.effects import Call, Done, Failure, FanOut, StartFlow, TakePage, Wait
from twilio_component.flows.interpreter.ends import PARTLY_FAILED, SUCCEEDED, UNKNOWN, end_of
from twilio_component.flows.interpreter.execution import Execution
from twilio_component.flows.interpreter.state import initial_state
from twilio_component.flows.interpreter.stop_rule import StopRule
from twilio_component.flows.model import Flow, Integration, Step, all_operations, find_flow
from twilio_component.flows.nesting import DEEPEST, deeper_than
from twilio_component.flows.runner.concurrency import run_iterations
from twilio_component.flows.runner.configuration import Configuration, check_names, config_values
from twilio_component.flows.runner.invoker import Invoker
from twilio_component.flows.runner.item_sources import Sources
from twilio_component.flows.runner.mocks import Mocks, example_of
from twilio_component.flows.runner.trigger_payload import ExecutionInfo, complete_payload, parses_request
from twilio_component.host.cancellation import is_cancelled
from twilio_component.host.environment import FileEnvironment
from twilio_component.host.errors import join_names
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.iterations import Iteration
    from twilio_component.host import Host

_MOST_STARTED = 10_000
_DEEPEST = 10
_LOGGER = logging.getLogger("twilio_component.execution")

Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an execution went. Secrets are hidden in everything here.

    ``state`` says it in one word (``ends.end_of``).
    ``result`` is what the last step returned and ``results`` what each step returned, by its key (of steps in loops:
    only the loop's own list stays). ``response``, ``error`` and ``handled`` are as in ``Done``, but iterations that
    failed are an ``error`` too; ``started`` are the executions of flows that this one started, in the order of their
    end. ``acted`` tells whether it did something that must not be done twice.
    """

    flow: str
    execution_id: str
    result: Any
    results: Mapping[str, Any]
    response: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    handled: tuple[Mapping[str, Any], ...]
    state: str = SUCCEEDED
    started: tuple[Outcome, ...] = ()
    acted: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether this execution, and each that it started, came to its end, and no iteration of a loop failed."""
        return self.error is None and all(other.succeeded for other in self.started)

    @property
    def outcome_unknown(self) -> bool:
        """Whether something may or may not have happened, here or in an execution that this one started."""
        errors = (*self.handled, *filter(None, [self.error]))
        return any(error["outcomeUnknown"] for error in errors) or any(other.outcome_unknown for other in self.started)

    def as_json(self) -> dict[str, Any]:
        """The outcome as ``flow run`` prints it; what each step returned has been printed before."""
        return {
            "flow": self.flow,
            "executionId": self.execution_id,
            "status": self.state,
            "result": self.result,
            "response": self.response,
            "error": self.error,
            "handled": list(self.handled),
            "started": [other.as_json() for other in self.started],
        }


@dataclass(frozen=True, slots=True)
class StoredState:
    """What flows keep between executions: ``instance`` by the flow's name, the others for all flows."""

    instance: dict[str, dict[str, Any]] = field(default_factory=dict)
    cross_flow: dict[str, Any] = field(default_factory=dict)
    integration: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """An execution under way, with what the iterations of its loops share."""

    flow: Flow
    execution_id: str
    payload: Mapping[str, Any] = field(repr=False)
    depth: int
    begun: float
    started: list[Outcome] = field(default_factory=list)
    acted: bool = False


@dataclass(kw_only=True)
class FlowRunner:
    """Runs the flows of one integration.

    ``mocks`` stand in for actions, by ``component.action`` (see ``Mocks``). ``sleep`` lets seconds of
    the ``clock`` pass. ``listener`` gets an event when a step begins or ends, a wait begins or a flow starts; with
    ``trace`` also the inputs of each step.
    With ``rehearse`` no action is performed that has an effect outside of the flow: it is told of each, and the
    failure that it returns, or else the action's example, stands in for the result.
    ``stored_state`` is what executions find and leave behind; runners may share it. Raises ``InputError`` for a
    configuration that does not fit, ``FlowError`` for a mock that no step uses.
    """

    integration: Integration
    host: Host
    configuration: Configuration = field(default_factory=Configuration)
    environment: Mapping[str, str] = field(default_factory=FileEnvironment, repr=False)
    mocks: Mapping[str, Any] = field(default_factory=dict)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    listener: Callable[[Event], None] | None = None
    trace: bool = False
    rehearse: Callable[[Flow, Call, Invoker], Awaitable[Failure | None]] | None = None
    stored_state: StoredState = field(default_factory=StoredState)
    logger: logging.Logger | logging.LoggerAdapter[Any] = _LOGGER

    def __post_init__(self) -> None:
        check_names([self.integration], self.configuration)
        values = config_values(self.integration, self.configuration, self.host.components, self.environment)
        mocks = Mocks(self.mocks)
        mocks.check(operation for flow in self.integration.flows for operation in all_operations(flow.steps))
        self._values = values
        self._invoker = Invoker(
            host=self.host,
            mocks=mocks,
            configuration=self.configuration,
            values=values,
            logger=self.logger,
            clock=self.clock,
        )
        self._started = 0
        self._waiting: list[tuple[str, Flow, Mapping[str, Any]]] = []

    async def run(self, flow: str | None = None, payload: Mapping[str, Any] | None = None) -> Outcome:
        """Run a flow (the only one, if it is not named), and then those that it started without waiting for them.

        ``payload`` is laid over a trigger's payload: ``{"body": {"data": …}}``. Never raises for what a step does;
        raises ``FlowError`` when there is no such flow.
        """
        found = find_flow(self.integration, flow)
        self._started = 0
        if deeper_than(payload):
            raise FlowError(f"the payload is nested more than {DEEPEST} levels deep")
        outcome = await self._run(found, payload or {}, str(uuid.uuid4()), 0)
        started = list(outcome.started)
        while self._waiting:
            place, other, given = self._waiting.pop(0)
            started.append(await self._run(other, given, place, 0))
        return replace(outcome, started=tuple(started))

    async def _run(self, flow: Flow, given: Mapping[str, Any], execution_id: str, depth: int) -> Outcome:
        if has_send_rules(flow) and self.rehearse is None:
            self.logger.warning(
                "%s: only serve and worker apply quietHours and frequencyCaps; this run sends immediately", flow.name
            )
        info = ExecutionInfo(execution_id=execution_id, started_at=iso_time(dt.datetime.now(dt.UTC)))
        parses_body = not parses_request(flow, self.host.components)
        payload = complete_payload(given, self.integration, flow, info, parses_body=parses_body)
        state = initial_state(payload)
        # One object for all executions of this process: a flow sees at once what another one keeps.
        state["stored_state"].update(
            instanceState=self.stored_state.instance.setdefault(flow.name, {}),
            crossFlowState=self.stored_state.cross_flow,
            integrationState=self.stored_state.integration,
        )
        run = _Run(flow, execution_id, payload, depth, self.clock())
        done = await self._run_to_completion(run, execution := Execution(flow, self._values.by_name, state))
        return self._outcome(run, execution, done)

    async def _run_to_completion(self, run: _Run, execution: Execution) -> Done:
        execution.on_unready = partial(self._report_unready, run)
        while True:
            effect = execution.next()
            if isinstance(effect, Done):
                return effect
            if is_cancelled():
                raise asyncio.CancelledError
            if isinstance(effect, Wait):
                event = {"event": "wait", "id": effect.id, "seconds": effect.seconds, "reason": effect.reason}
                self._report(run.flow, event)
                await self.sleep(effect.seconds)
                execution.waited()
            elif isinstance(effect, StartFlow):
                await self._start(run, execution, effect)
            elif isinstance(effect, Call):
                await self._call(run, execution, effect)
            else:
                await self._loop(run, execution, effect)

    def _report_unready(self, run: _Run, place: str, step: Step, failure: Failure) -> None:
        shown = {"id": place, "step": step.name, "action": step.operation, "attempt": 1}
        self._report(run.flow, {"event": "step", **shown, **_end_event(time.perf_counter(), failure)})

    async def _loop(self, run: _Run, execution: Execution, effect: TakePage | FanOut) -> None:
        """Give a loop its next items, or run its iterations concurrently."""
        sources = Sources(self._invoker, self.integration, run.flow, run.payload)

        async def one(iteration: Iteration) -> Done:
            of_iteration = Execution.of_iteration(run.flow, self._values.by_name, run.payload, iteration)
            of_iteration.stored_state.update(execution.stored_state, executionState={})
            return await self._run_to_completion(run, of_iteration)

        if isinstance(effect, FanOut):
            begun = time.perf_counter()
            result = await run_iterations(effect, sources, one, StopRule(self.configuration.stop_after))
            step = {"id": effect.id, "step": effect.name, "action": effect.operation, "attempt": effect.attempt}
            self._report(run.flow, {"event": "step", **step, **_end_event(begun, result)})
        else:
            page = await sources.page(effect.source, effect.after)
            result = page if isinstance(page, Failure) else {"data": page}
        if isinstance(result, Failure):
            execution.failed(result)
        else:
            execution.succeeded(result)

    async def _call(self, run: _Run, execution: Execution, call: Call) -> None:
        step = {"id": call.id, "step": call.name, "action": f"{call.component}.{call.action}", "attempt": call.attempt}
        if call.since is None:
            self._report(run.flow, {"event": "begin", **step})
        begun = time.perf_counter()
        result = deadline_failure(call, self.clock() - run.begun) or await self._perform(run, call)
        if not isinstance(result, Failure) and "again" in result and not call.is_trigger:
            execution.succeeded(result)
            return
        event: Event = {"event": "step", **step, **_end_event(begun, result, is_trigger=call.is_trigger)}
        if self.trace:
            event["inputs"] = dict(call.inputs)
        if isinstance(result, Failure):
            execution.failed(result)
        else:
            idempotent = self._invoker.idempotent(call)
            run.acted = run.acted or not (idempotent or call.is_trigger)
            execution.succeeded(result, idempotent=idempotent)
        self._report(run.flow, event)

    async def _perform(self, run: _Run, call: Call) -> dict[str, Any] | Failure:
        if self.rehearse is None or call.is_trigger or not self._invoker.has_effect(call):
            return await self._invoker.invoke(run.flow, call, run.payload)
        failure = await self.rehearse(run.flow, replace(call, payload=run.payload), self._invoker)
        return failure or example_of(self._invoker.operation(call))

    async def _start(self, run: _Run, execution: Execution, effect: StartFlow) -> None:
        other = next((found for found in self.integration.flows if found.name == effect.flow), None)
        place = str(uuid.uuid4())
        event = {"event": "start", "id": effect.id, "step": effect.name, "starts": effect.flow, "executionId": place}
        self._report(run.flow, event)
        if other is None:
            names = join_names(found.name for found in self.integration.flows)
            execution.failed(Failure(code="unknown-flow", message=f"there is no such flow ({names})", permanent=True))
        elif self._started >= _MOST_STARTED or run.depth >= _DEEPEST:
            message = f"flows start flows without end (more than {_MOST_STARTED:,}, or {_DEEPEST} inside each other)"
            execution.failed(Failure(code="endless-flows", message=message, permanent=True))
        elif not other.is_synchronous:
            self._started += 1
            self._waiting.append((place, other, effect.payload))
            run.acted = True
            execution.succeeded({"data": {"executionId": place}})
        else:
            outcome = await self._run(other, effect.payload, place, run.depth + 1)
            run.started.append(outcome)
            run.acted = run.acted or outcome.acted
            if outcome.state in (SUCCEEDED, PARTLY_FAILED):
                execution.succeeded({"data": {"executionId": place, "result": outcome.result}})
            else:
                unknown, acted = outcome.outcome_unknown, outcome.acted
                message = "the flow failed"
                execution.failed(Failure(code="flow-failed", message=message, outcome_unknown=unknown, acted=acted))

    def _report(self, flow: Flow, event: Event) -> None:
        if self.listener is not None:
            self.listener(self._values.redactor.value({"event": event["event"], "flow": flow.name, **event}))

    def _outcome(self, run: _Run, execution: Execution, done: Done) -> Outcome:
        hide = self._values.redactor.value
        state, error = end_of(done)
        return Outcome(
            flow=run.flow.name,
            execution_id=run.execution_id,
            result=hide(done.result),
            results=hide(execution.results),
            response=hide(done.response),
            error=hide(done.error if state == UNKNOWN else error),
            handled=tuple(hide(list(done.handled))),
            state=state,
            started=tuple(run.started),
            acted=run.acted,
        )


def _end_event(begun: float, result: Mapping[str, Any] | Failure, *, is_trigger: bool = False) -> Event:
    """The part of a step's event that its end brings."""
    ended: Event = {"milliseconds": round((time.perf_counter() - begun) * 1000, 1)}
    if isinstance(result, Failure):
        reason = {"reason": result.reason} if result.reason else {}
        error = {"code": result.code, **reason, "message": result.message, "outcomeUnknown": result.outcome_unknown}
        return {**ended, "error": error}
    return {**ended, "result": result.get("payload" if is_trigger else "data")}
