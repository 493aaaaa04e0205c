"""Goes with one execution to its end, and keeps whatever it is answered with before the next question is asked.

An execution that begins again asks the same questions and is given the kept answers, until it comes to one that has
none. The execution is a run's, as a workflow, or that of one round of a loop, inside a piece.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dbos import DBOS

from twilio_component.durable.errors import NondeterminismError, RunStopped, StateConflictError
from twilio_component.durable.execution.redacted_inputs import redact_inputs
from twilio_component.durable.fanout.store import LoopKey
from twilio_component.durable.sending.guarded_call import GuardedFlowCall
from twilio_component.durable.sending.intents import Call as CallIdentity
from twilio_component.durable.store import run_status, runs
from twilio_component.durable.store.flow_state import Change, StoredState, after, scopes_of
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.flows.interpreter.backoff import deadline_failure
from twilio_component.flows.interpreter.effects import Call, Done, Failure, FanOut, StartFlow, TakePage, Wait
from twilio_component.flows.runner.item_sources import Sources
from twilio_component.host.errors import join_names
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from twilio_component.durable.deployment import Deployment, Loaded
    from twilio_component.durable.fanout.coordinator import LoopCoordinator
    from twilio_component.durable.sending.guard import Guard
    from twilio_component.durable.store.runs import Also, Run, RunStore
    from twilio_component.flows.interpreter.execution import Execution
    from twilio_component.flows.model import Flow

_DEEPEST = 10
_MOMENT = 0.001
WINDOW = 500
"""How many answers of a run are at hand at a time."""

Effect = Call | StartFlow | TakePage | FanOut


@dataclass
class ReplayContext:
    """An execution under way, and what it has been answered with.

    ``id`` is the name under which that is kept: the run's, or an item's. ``stopping`` tells a round to stop; None for a
    run.
    """

    id: str
    run: Run
    loaded: Loaded
    flow: Flow
    execution: Execution
    states: Mapping[str, Mapping[str, Any]]
    kept: dict[int, JournalEntry]
    stopping: asyncio.Event | None = None
    asked: int = 0
    read_until: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be kept of a question at a place: how it was answered, what was asked, and when that began."""

    step_id: str
    answer: Mapping[str, Any] | Failure
    redacted_inputs: Mapping[str, Any] | None = None
    started: float | None = None


@dataclass(frozen=True, slots=True)
class Children:
    """How a run starts another one: without waiting for it, or waiting."""

    enqueue: Callable[[Sequence[str]], Awaitable[object]]
    run: Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayer:
    """Takes executions to their ends. ``go_on`` returns when something may be done."""

    deployment: Deployment
    runs: RunStore
    guard: Guard
    loops: LoopCoordinator
    children: Children
    raise_if_draining: Callable[[], Awaitable[None]]

    async def to_the_end(self, journey: ReplayContext) -> Done:
        """Do what the execution asks for; its end."""
        execution = journey.execution
        while True:
            effect = execution.next()
            if isinstance(effect, Done):
                return effect
            await self.raise_if_draining()
            if journey.stopping is not None and journey.stopping.is_set():
                raise RunStopped
            if isinstance(effect, Wait):
                await self._wait(journey, effect)
                execution.waited()
                continue
            answer = await self._answer(journey, effect)
            if "failure" in answer:
                execution.failed(Failure(**answer["failure"]))
            else:
                idempotent = isinstance(effect, Call) and journey.loaded.invoker.idempotent(effect)
                execution.succeeded(answer["envelope"], idempotent=idempotent)
                if isinstance(effect, Call) and effect.is_trigger:
                    journey.states = after(journey.states, answer["envelope"])

    async def _wait(self, journey: ReplayContext, effect: Wait) -> None:
        if journey.stopping is None:
            # What is run again after it failed finds the times of its last run, and need not wait for them. But each
            # run has to come by here as often as before: DBOS takes no note of a sleep that takes no time.
            left = effect.seconds if effect.until is None else effect.until - time.time()
            await DBOS.sleep_async(max(left, _MOMENT))
            if await self.runs.is_stopped(journey.run.id):
                raise RunStopped
            return
        ordinal = await self._ordinal(journey)
        kept = journey.kept.pop(ordinal, None)
        if kept is None:
            until = time.time() + effect.seconds if effect.until is None else effect.until
            kept = JournalEntry(step_id=effect.id, value={"until": until})
            await self.runs.keep(journey.id, ordinal, kept)
        try:
            async with asyncio.timeout(max(0.0, kept.value["until"] - time.time())):
                await journey.stopping.wait()
        except TimeoutError:
            return
        raise RunStopped

    async def _answer(self, journey: ReplayContext, effect: Effect) -> Mapping[str, Any]:
        ordinal = await self._ordinal(journey)
        if isinstance(effect, StartFlow):
            await self._start(journey, effect, ordinal)
        elif isinstance(effect, FanOut):
            await self._fan_out(journey, effect, ordinal)
        else:
            # No step of DBOS's: what the call is answered with is kept in one transaction of ours, and kept once.
            await self._step(journey, effect, ordinal)
        kept = journey.kept.pop(ordinal, None) or await self.runs.entry_at(journey.id, ordinal)
        if kept is None:
            raise NondeterminismError(f"the answer of {effect.id} is gone")
        if kept.step_id != effect.id:
            raise NondeterminismError(
                f"this run went to {kept.step_id} before and would go to {effect.id} now: "
                "its config variables may have changed"
            )
        return kept.value

    async def _ordinal(self, journey: ReplayContext) -> int:
        """The number of the next question; the kept answers around it are at hand then."""
        ordinal = journey.asked
        journey.asked += 1
        if journey.stopping is None and ordinal >= journey.read_until:
            # Not all at once: a long execution has more answers than memory should hold.
            journey.read_until = ordinal + WINDOW
            journey.kept = await self.runs.kept(journey.id, ordinal, journey.read_until)
        return ordinal

    async def _step(self, journey: ReplayContext, effect: Call | TakePage, ordinal: int) -> None:
        if ordinal in journey.kept:
            return
        if isinstance(effect, TakePage):
            page = await self._sources(journey).page(effect.source, effect.after)
            answer: Mapping[str, Any] | Failure = page if isinstance(page, Failure) else {"data": page}
            await self._keep(journey, ordinal, Answer(effect.id, answer))
            return
        operation = journey.loaded.invoker.operation(effect)
        if effect.is_trigger:
            await self._ask_trigger(journey, effect, ordinal)
            return
        if operation is None or operation.idempotent:
            started = time.time()
            answer = deadline_failure(effect, started - journey.run.created_at) or (
                await journey.loaded.invoker.invoke(journey.flow, effect, journey.run.payload)
            )
            await self._keep(
                journey, ordinal, Answer(effect.id, answer, redact_inputs(effect.inputs, operation), started)
            )
            return
        callback = self.deployment.callback_url(effect.component, effect.action, journey.id, ordinal)
        deed = GuardedFlowCall(
            journey.loaded.invoker,
            journey.flow,
            effect,
            journey.run.payload,
            operation,
            callback,
            journey.run.created_at,
        )
        guarded = CallIdentity(
            run=journey.id,
            ordinal=ordinal,
            step_id=effect.id,
            fingerprint=deed.fingerprint,
            owner=journey.run.id,
            redacted_inputs=redact_inputs(effect.inputs, operation),
        )
        kept = await self.guard.perform(guarded, deed)
        if kept is not None:
            journey.kept[ordinal] = kept

    async def _ask_trigger(self, journey: ReplayContext, call: Call, ordinal: int) -> None:
        """Keep the trigger's answer, and with it what the trigger remembers; what it is shown is what is kept now."""
        invoker, started = journey.loaded.invoker, time.time()
        told = redact_inputs(call.inputs, invoker.operation(call))
        scopes = scopes_of(journey.loaded.integration, journey.flow)
        shown: StoredState = journey.states
        while True:
            asked = replace(call, stored_state={**call.stored_state, **shown})
            answer = await invoker.invoke(journey.flow, asked, journey.run.payload)
            also = None if isinstance(answer, Failure) else Change(scopes, shown, answer).to_make
            with suppress(StateConflictError):
                await self._keep(journey, ordinal, Answer(call.id, answer, told, started), also)
                return
            shown = await self.runs.states(scopes, wait_for_database=True)

    async def _keep(self, journey: ReplayContext, ordinal: int, given: Answer, also: Also | None = None) -> None:
        answer = given.answer
        value = {"failure": asdict(answer)} if isinstance(answer, Failure) else {"envelope": answer}
        kept = JournalEntry(step_id=given.step_id, value=value, redacted_inputs=given.redacted_inputs)
        keeping = await self.runs.keep(journey.id, ordinal, kept, given.started, also)
        if keeping.is_stopped:
            raise RunStopped
        if keeping.is_new:
            journey.kept[ordinal] = kept

    def _sources(self, journey: ReplayContext) -> Sources:
        return Sources(journey.loaded.invoker, journey.loaded.integration, journey.flow, journey.run.payload)

    async def _fan_out(self, journey: ReplayContext, effect: FanOut, ordinal: int) -> None:
        if ordinal not in journey.kept:
            started = time.time()
            answer = await self.loops.run(LoopKey(journey.id, ordinal), effect, self._sources(journey))
            await self._keep(journey, ordinal, Answer(effect.id, answer, None, started))

    # Flows that a flow starts

    async def _start(self, journey: ReplayContext, effect: StartFlow, ordinal: int) -> None:
        integration = journey.loaded.integration
        child_id, started = f"{journey.id}.{ordinal}", time.time()
        other = next((flow for flow in integration.flows if flow.name == effect.flow), None)
        if other is None:
            names = join_names(flow.name for flow in integration.flows)
            await self._refuse(journey, effect, ordinal, "unknown-flow", f"there is no such flow ({names})")
            return
        if journey.id.count(".") >= _DEEPEST:
            message = f"flows start flows without end (more than {_DEEPEST} deep)"
            await self._refuse(journey, effect, ordinal, "endless-flows", message)
            return
        if ordinal in journey.kept and (journey.stopping is not None or not other.is_synchronous):
            # It was started, and may be long forgotten. A run comes by here again all the same where it waits for
            # another one: for DBOS that is a step, which has its number.
            return
        payload = self.deployment.payload(
            effect.payload, journey.loaded, other, child_id, iso_time(dt.datetime.now(dt.UTC))
        )
        digest = await self.runs.define(journey.run.file, journey.run.text, wait_for_database=True)
        child = NewRun(
            id=child_id,
            definition=digest,
            integration=integration.name,
            flow=other.name,
            payload=payload,
            parent=journey.run.id,
        )
        await self.runs.accept(child, wait_for_database=True)
        if other.is_synchronous:
            await self.children.run(child_id)
            answer = _answer_of(child_id, await self.runs.ended(child_id, wait_for_database=True))
        else:
            await self.children.enqueue([child_id])
            answer = {"data": {"executionId": child_id}}
        given = Answer(effect.id, answer, _outline_of(effect), started)
        await self._keep(journey, ordinal, given, partial(runs.forget_result, run=child_id))

    async def _refuse(self, journey: ReplayContext, effect: StartFlow, ordinal: int, code: str, message: str) -> None:
        failure = Failure(code=code, message=message, permanent=True)
        await self._keep(journey, ordinal, Answer(effect.id, failure, _outline_of(effect)))


def _outline_of(effect: StartFlow) -> dict[str, Any]:
    return {"flowName": effect.flow, **redact_inputs({"data": effect.payload["body"]["data"]})}


def _answer_of(child_id: str, ended: Mapping[str, Any] | None) -> dict[str, Any] | Failure:
    if ended is not None and ended["state"] == run_status.SUCCEEDED:
        return {"data": {"executionId": child_id, "result": ended["result"]}}
    # One that is paused is to go on, and nobody will wait for it then.
    unknown = ended is None or ended["state"] in (run_status.UNKNOWN, run_status.PAUSED)
    return Failure(code="flow-failed", message="the flow failed", outcome_unknown=unknown)
