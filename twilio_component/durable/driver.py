"""Drives one execution to its end, as a DBOS workflow that may begin again at any time.

Whatever the execution is answered with is kept before the next question is asked. A run that begins again asks the same
questions and is given the kept answers, until it comes to one that has none.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dbos import DBOS

from twilio_component.durable import run_store
from twilio_component.durable.deed import FlowDeed
from twilio_component.durable.errors import ChangedRunError, MovedStatesError
from twilio_component.durable.intent_store import Call as GuardedCall
from twilio_component.durable.outlines import outline
from twilio_component.durable.run_store import Kept, NewRun
from twilio_component.durable.states import Change, after, scopes_of
from twilio_component.flows.effects import Call, Done, Failure, StartFlow, Wait
from twilio_component.flows.execution import Execution
from twilio_component.flows.running import find_flow
from twilio_component.flows.state import initial_state
from twilio_component.host.errors import IntegrationError, listed
from twilio_component.host.json_ready import iso_time

if TYPE_CHECKING:
    from twilio_component.durable.deployment import Deployment, Loaded
    from twilio_component.durable.guard import Guard
    from twilio_component.durable.run_store import Run, RunStore
    from twilio_component.durable.settings import Settings
    from twilio_component.flows.definition import Flow

_DEEPEST = 10
_LOGGER = logging.getLogger("twilio_component.durable")


@dataclass
class _Journey:
    """A run under way: its execution, and the answers that are kept."""

    run: Run
    loaded: Loaded
    flow: Flow
    execution: Execution
    states: Mapping[str, Mapping[str, Any]]
    kept: dict[int, Kept]
    asked: int = field(default=0)


@dataclass(frozen=True, slots=True)
class Children:
    """How a run starts another one: without waiting for it, or waiting."""

    enqueue: Callable[[str], Awaitable[bool]]
    run: Callable[[str], Awaitable[None]]


class Driver:
    """Runs executions. ``children`` starts runs that a run asks for; ``go_on`` returns when calls may be made."""

    def __init__(
        self,
        deployment: Deployment,
        runs: RunStore,
        guard: Guard,
        settings: Settings,
        *,
        children: Children,
        go_on: Callable[[], Awaitable[None]],
    ) -> None:
        self._deployment = deployment
        self._runs = runs
        self._guard = guard
        self._settings = settings
        self._children = children
        self._go_on = go_on

    async def run(self, run_id: str) -> str:
        """Run, or go on with, a stored run; how it ended: ``succeeded``, ``failed``, ``unknown`` (or ``purged``)."""
        run = await self._runs.load(run_id)
        if run is None:
            return "purged"
        if run.state != run_store.RUNNING:
            return run.state
        try:
            journey = await self._journey(run)
            done = await self._to_the_end(journey)
        except IntegrationError as error:
            # The definition, its configuration, or the way back: none of it is the doing of a step.
            return await self._broken(run, error.code, str(error))
        except Exception as error:
            await self._go_on()  # in a process that is stopping anything may fail; its runs are the next one's
            _LOGGER.exception("%s cannot go on", run.id)
            return await self._broken(run, "unexpected-error", f"unexpected {type(error).__name__}")
        return await self._ended(journey, done)

    async def _broken(self, run: Run, code: str, message: str) -> str:
        error = {"step": "", "id": "", "code": code, "message": message, "outcomeUnknown": False}
        await self._finish(run, run_store.FAILED, error=error)
        return run_store.FAILED

    async def _journey(self, run: Run) -> _Journey:
        loaded = self._deployment.load(run.file, run.text)
        flow = find_flow(loaded.integration, run.flow)
        kept = await self._runs.kept(run.id)
        if run_store.STATES not in kept:
            found = await self._runs.states(scopes_of(loaded.integration, flow), patiently=True)
            kept[run_store.STATES] = Kept(place="states", value=found)
            await self._runs.keep(run.id, run_store.STATES, kept[run_store.STATES])
        states = dict(kept[run_store.STATES].value)
        execution = Execution(flow, loaded.values.by_name, initial_state(run.payload, states=states))
        return _Journey(run, loaded, flow, execution, states, kept)

    async def _to_the_end(self, journey: _Journey) -> Done:
        execution = journey.execution
        while True:
            effect = execution.next()
            if isinstance(effect, Done):
                return effect
            await self._go_on()
            if isinstance(effect, Wait):
                await DBOS.sleep_async(effect.seconds)
                execution.waited()
                continue
            ordinal = journey.asked
            journey.asked += 1
            answer = await self._answer(journey, effect, ordinal)
            if "failure" in answer:
                execution.failed(Failure(**answer["failure"]))
            else:
                repeatable = isinstance(effect, Call) and journey.loaded.invoker.repeatable(effect)
                execution.succeeded(answer["envelope"], repeatable=repeatable)
                if isinstance(effect, Call) and effect.is_trigger:
                    journey.states = after(journey.states, answer["envelope"])

    async def _answer(self, journey: _Journey, effect: Call | StartFlow, ordinal: int) -> Mapping[str, Any]:
        if isinstance(effect, StartFlow):
            await self._start(journey, effect, ordinal)
        else:
            # A step returns nothing: what people wrote stays in our own tables.
            await DBOS.run_step_async({"name": effect.id}, self._step, journey, effect, ordinal)
        if ordinal not in journey.kept:
            kept = await self._runs.kept_at(journey.run.id, ordinal)
            if kept is None:
                raise ChangedRunError(f"the answer of {effect.id} is gone")
            journey.kept[ordinal] = kept
        kept = journey.kept[ordinal]
        if kept.place != effect.id:
            raise ChangedRunError(
                f"this run went to {kept.place} before and would go to {effect.id} now: have config variables changed?"
            )
        return kept.value

    async def _step(self, journey: _Journey, call: Call, ordinal: int) -> None:
        if ordinal in journey.kept or await self._runs.kept_at(journey.run.id, ordinal) is not None:
            return
        operation = journey.loaded.invoker.operation(call)
        if call.is_trigger:
            await self._ask_trigger(journey, call, ordinal)
            return
        if operation is None or operation.repeatable:
            started = time.time()
            answer = await journey.loaded.invoker.invoke(journey.flow, call, journey.run.payload)
            value = {"failure": asdict(answer)} if isinstance(answer, Failure) else {"envelope": answer}
            kept = Kept(place=call.id, value=value, outline=outline(call.inputs, operation))
            await self._runs.keep(journey.run.id, ordinal, kept, started)
            return
        callback = self._deployment.callback_url(call.component, call.action, journey.run.id, ordinal)
        deed = FlowDeed(journey.loaded.invoker, journey.flow, call, journey.run.payload, operation, callback)
        guarded = GuardedCall(
            run=journey.run.id,
            ordinal=ordinal,
            place=call.id,
            fingerprint=deed.fingerprint,
            outline=outline(call.inputs, operation),
        )
        await self._guard.perform(guarded, deed)

    async def _ask_trigger(self, journey: _Journey, call: Call, ordinal: int) -> None:
        """Keep the trigger's answer, and with it what the trigger remembers; what it is shown is what is kept now."""
        invoker, started = journey.loaded.invoker, time.time()
        told = outline(call.inputs, invoker.operation(call))
        scopes = scopes_of(journey.loaded.integration, journey.flow)
        while True:
            shown = await self._runs.states(scopes, patiently=True)
            asked = replace(call, states={**call.states, **shown})
            answer = await invoker.invoke(journey.flow, asked, journey.run.payload)
            also = None if isinstance(answer, Failure) else Change(scopes, shown, answer).make
            value = {"failure": asdict(answer)} if isinstance(answer, Failure) else {"envelope": answer}
            kept = Kept(place=call.id, value=value, outline=told)
            with suppress(MovedStatesError):
                await self._runs.keep(journey.run.id, ordinal, kept, started, also)
                return

    # Flows that a flow starts

    async def _start(self, journey: _Journey, effect: StartFlow, ordinal: int) -> None:
        integration = journey.loaded.integration
        child_id, started = f"{journey.run.id}.{ordinal}", time.time()
        other = next((flow for flow in integration.flows if flow.name == effect.flow), None)
        if other is None:
            names = listed(flow.name for flow in integration.flows)
            await self._keep_failure(journey, effect, ordinal, "unknown-flow", f"there is no such flow ({names})")
            return
        if journey.run.id.count(".") >= _DEEPEST:
            message = f"flows start flows without end (more than {_DEEPEST} deep)"
            await self._keep_failure(journey, effect, ordinal, "endless-flows", message)
            return
        payload = self._deployment.payload(
            effect.payload, journey.loaded, other, child_id, iso_time(dt.datetime.now(dt.UTC))
        )
        digest = await self._runs.define(journey.run.file, journey.run.text)
        child = NewRun(
            id=child_id,
            definition=digest,
            integration=integration.name,
            flow=other.name,
            payload=payload,
            parent=journey.run.id,
        )
        await self._runs.accept(child)
        if other.is_synchronous:
            await self._children.run(child_id)
            value = _answer_of(child_id, await self._runs.ended(child_id))
        else:
            await self._children.enqueue(child_id)
            value = {"envelope": {"data": {"executionId": child_id}}}
        kept = Kept(place=effect.id, value=value, outline=_outline_of(effect))
        await self._runs.keep(journey.run.id, ordinal, kept, started)

    async def _keep_failure(self, journey: _Journey, effect: StartFlow, ordinal: int, code: str, message: str) -> None:
        failure = asdict(Failure(code=code, message=message, permanent=True))
        kept = Kept(place=effect.id, value={"failure": failure}, outline=_outline_of(effect))
        await self._runs.keep(journey.run.id, ordinal, kept)

    # The end

    async def _ended(self, journey: _Journey, done: Done) -> str:
        state = run_store.SUCCEEDED if done.error is None else run_store.FAILED
        open_ = next((error for error in (done.error, *done.handled) if error and error["outcomeUnknown"]), None)
        if open_ is not None:
            # Also of a flow that went on: somebody has to know that this is open.
            state = run_store.UNKNOWN
        hide = journey.loaded.redactor.value
        error = done.error or open_
        await self._finish(
            journey.run,
            state,
            error=hide(error),
            response=hide(done.response) if journey.flow.is_synchronous else None,
            result=hide(done.result) if journey.run.parent and journey.flow.is_synchronous else None,
            states=_changed(journey),
        )
        return state

    async def _finish(
        self,
        run: Run,
        state: str,
        *,
        error: Mapping[str, Any] | None,
        response: Mapping[str, Any] | None = None,
        result: Any = None,
        states: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        await self._runs.finish(
            run.id,
            state,
            error=error,
            response=response,
            result=result,
            keep_texts=self._settings.keep_texts,
            states=states or {},
        )


def _changed(journey: _Journey) -> dict[str, dict[str, Any]]:
    """What the execution keeps for later ones, by scope; None for what it has removed."""
    changes: dict[str, dict[str, Any]] = {}
    for name, scope in scopes_of(journey.loaded.integration, journey.flow).items():
        before, after = journey.states[name], journey.execution.state["states"][name]
        changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
        changes[scope] = {**changed, **dict.fromkeys(before.keys() - after.keys())}
    return changes


def _outline_of(effect: StartFlow) -> dict[str, Any]:
    return {"flowName": effect.flow, **outline({"data": effect.payload["body"]["data"]})}


def _answer_of(child_id: str, ended: Mapping[str, Any] | None) -> dict[str, Any]:
    if ended is not None and ended["state"] == run_store.SUCCEEDED:
        return {"envelope": {"data": {"executionId": child_id, "result": ended["result"]}}}
    unknown = ended is None or ended["state"] == run_store.UNKNOWN
    return {"failure": asdict(Failure(code="flow-failed", message="the flow failed", outcome_unknown=unknown))}
