"""Drives one execution to completion, journaling each result before the next step.

An execution that starts again makes the same calls in the same order and is given their recorded results, until it
comes to a call that has none.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from dbos import DBOS

from twilio_component.durable import ids
from twilio_component.durable.errors import (
    NondeterminismError,
    RunParked,
    RunStopped,
    StateConflictError,
)
from twilio_component.durable.execution.continued_waits import ContinuedWaits
from twilio_component.durable.execution.flow_results import flow_result
from twilio_component.durable.execution.queue_slots import queue_slot
from twilio_component.durable.execution.redacted_inputs import redact_inputs
from twilio_component.durable.execution.started_flows import StartedFlows
from twilio_component.durable.execution.unrepeatable_calls import UnrepeatableCalls
from twilio_component.durable.fanout.store import LoopKey
from twilio_component.durable.store import run_status
from twilio_component.durable.store.flow_state import StateChange, apply_changes, scopes_of
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.removal import remove_result
from twilio_component.flows.interpreter.backoff import deadline_failure
from twilio_component.flows.interpreter.effects import Call, Done, Failure, FanOut, StartFlow, TakePage, Wait
from twilio_component.flows.runner.item_sources import Sources
from twilio_component.host.model import Action
from twilio_component.host.questions import MOST_SENDS
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from twilio_component.durable.deployment import LoadedDefinition
    from twilio_component.durable.execution.replay_services import ReplayServices
    from twilio_component.durable.store.flow_state import InTransaction, StoredState
    from twilio_component.durable.store.item_ends import LastCall
    from twilio_component.durable.store.run_rows import Run
    from twilio_component.durable.store.waits import Holder
    from twilio_component.flows.interpreter.execution import Execution
    from twilio_component.flows.model import Flow
    from twilio_component.host.model import Asking

_MOMENT = 0.001
WINDOW = 500
"""How many journal entries of a run are in memory at a time."""

_Result = Mapping[str, Any] | Failure


class Replayer:
    """One execution of a run's flow by its ``holder``. ``state`` is the stored state that it began with."""

    def __init__(
        self,
        services: ReplayServices,
        run: Run,
        definition: LoadedDefinition,
        flow: Flow,
        execution: Execution,
        *,
        state: StoredState,
        journal: Mapping[int, JournalEntry],
        holder: Holder | None = None,
    ) -> None:
        self.run_id = run.id
        self.item: str | None = None  # of an iteration
        self.definition = definition
        self.flow = flow
        self._services = services
        self._run = run
        self._execution = execution
        self._state = state
        self._journal = dict(journal)
        self._calls = 0
        self._read_until = WINDOW
        self._continued_waits = ContinuedWaits(services.runs, run.id, holder)
        self._awaited: str | None = None  # what the next wait is for, if news of it ends the wait
        self._started_flows = StartedFlows(services.runs, definition.integration)
        self.has_asked = False

    @property
    def caller(self) -> str:
        """The id under which results are recorded: the run's, or an item's."""
        return self.item or self.run_id

    async def run(self) -> Done:
        """Do what the execution asks for until it is done.

        Raises ``RunStopped``, ``EngineDraining``, or ``RunParked`` when the run waits without a process.
        """
        while True:
            effect = self._execution.next()
            if isinstance(effect, Done):
                return effect
            if self._is_past_last_call:
                self._execution.stop()
                continue
            self._services.work.raise_if_draining()
            self._raise_if_stopping()
            if isinstance(effect, Wait):
                await self._wait(effect)
                self._execution.waited()
                continue
            self._report(effect, await self._recorded_result(effect))

    @property
    def _is_past_last_call(self) -> bool:
        """Whether what follows has been done by the run whose place this one takes."""
        return self._run.last_call is not None and self._calls > self._run.last_call

    def state_changes(self) -> dict[str, dict[str, Any]]:
        """The values that the execution has changed, by scope and key; None for a key that it has removed."""
        changes: dict[str, dict[str, Any]] = {}
        if self._execution.stored_state == self._state:
            return changes
        for name, scope in scopes_of(self.definition.integration.name, self.flow.name).items():
            before, after = self._state[name], self._execution.stored_state[name]
            changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
            if changed or before.keys() - after.keys():
                changes[scope] = {**changed, **dict.fromkeys(before.keys() - after.keys())}
        return changes

    def _report(self, effect: Call | StartFlow | TakePage | FanOut, result: Mapping[str, Any]) -> None:
        if "failure" in result:
            if isinstance(effect, StartFlow):
                self._started_flows.note_failure(effect, self._calls - 1)
            self._execution.failed(Failure(**result["failure"]))
            return
        idempotent = isinstance(effect, Call) and self.definition.invoker.idempotent(effect)
        if isinstance(effect, Call) and not effect.is_trigger and "again" in result["envelope"]:
            self._awaited = self._unrepeatable.awaited_effect(effect)
        self._execution.succeeded(result["envelope"], idempotent=idempotent)
        if isinstance(effect, Call) and effect.is_trigger:
            self._state = apply_changes(self._state, result["envelope"])

    async def _recorded_result(self, effect: Call | StartFlow | TakePage | FanOut) -> Mapping[str, Any]:
        self._reserve_calls(effect)
        ordinal = await self._next_ordinal()
        match effect:
            case StartFlow():
                await self._start_flow(effect, ordinal)
            case _ if ordinal in self._journal:
                pass
            case FanOut():
                await self._run_loop(effect, ordinal)
            case TakePage():
                await self._take_page(effect, ordinal)
            case Call():
                operation = self.definition.invoker.operation(effect)
                with self._services.observer.step_span(effect, operation) as finish:
                    await (self._invoke_trigger if effect.is_trigger else self._call)(effect, ordinal)
                    if (made := self._journal.get(ordinal)) is not None:
                        finish(made.value)
        entry = self._journal.pop(ordinal, None) or await self._services.runs.entry_at(self.caller, ordinal)
        if entry is None:
            raise NondeterminismError(f"the recorded result of {effect.id} is gone")
        if entry.step_id != effect.id:
            raise NondeterminismError(
                f"the recorded run called {entry.step_id} where the replay calls {effect.id}: "
                "its config variables may have changed"
            )
        return entry.value

    async def _next_ordinal(self) -> int:
        """The number of the next call; after this the journal around it is in memory."""
        ordinal = self._calls
        self._calls += 1
        if ordinal >= self._read_until:
            # One window at a time: a long execution has more results than memory should hold.
            self._read_until = ordinal + WINDOW
            self._journal = await self._services.runs.entries(self.caller, ordinal, self._read_until)
        return ordinal

    # One handler for each kind of effect. Calls are not DBOS steps: a result is recorded in one transaction of ours.

    async def _wait(self, wait: Wait) -> None:
        # A run that is retried replays the times of its first attempt and need not wait again.
        left = wait.seconds if wait.until is None else wait.until - time.time()
        self._continued_waits.begin()
        if self._awaited is not None and self._unrepeatable.can_park:
            effect, self._awaited = self._awaited, None
            await self._continued_waits.park(wait.id, left, self._calls, effect)
        elif DBOS.workflow_id == self.run_id:
            # An operator may have resumed a run that went on in another workflow, where this wait has begun.
            recorded = await self._continued_waits.recorded_seconds_left(self._calls)
            # Each replay must sleep as often as before: DBOS numbers the sleeps, and does not record one of no length.
            await DBOS.sleep_async(max(left if recorded is None else recorded, _MOMENT))
        else:
            left = await self._continued_waits.seconds_left(wait.id, left, self._calls)
            await asyncio.sleep(max(0.0, left))
        if await self._services.runs.is_stopped(self.run_id):
            raise RunStopped

    async def _call(self, call: Call, ordinal: int) -> None:
        invoker = self.definition.invoker
        operation = invoker.operation(call)
        if isinstance(operation, Action) and operation.asks is not None:
            await self._ask(call, operation.asks, ordinal)
            return
        if operation is None or operation.idempotent:
            redacted = redact_inputs(call.inputs, operation)
            started = time.time()
            result = deadline_failure(call, started - self._run.created_at) or (
                await invoker.invoke(self.flow, call, self._run.payload)
            )
            await self._record(call.id, ordinal, result, inputs=redacted, started=started)
            return
        entry = await self._unrepeatable.call(call, operation, ordinal, end_with=partial(self._end_with, call))
        if entry is not None:
            self._journal[ordinal] = entry

    def _end_with(self, _call: Call, _entry: JournalEntry) -> LastCall | None:
        """What ends with this result of a call: a run ends in a transaction of its own."""
        return None

    def _reserve_calls(self, effect: Call | StartFlow | TakePage | FanOut) -> None:
        """Keep the numbers free that a question needs for its sends, also in a replay that makes none of them."""
        operation = self.definition.invoker.operation(effect) if isinstance(effect, Call) else None
        if isinstance(operation, Action) and operation.asks is not None:
            self.has_asked = True
            self._calls += MOST_SENDS

    async def _ask(self, call: Call, asks: Asking, ordinal: int) -> None:
        started = time.time()
        redacted = redact_inputs(call.inputs, self.definition.invoker.operation(call))
        while True:
            result = await self._unrepeatable.ask(call, asks, ordinal)
            with suppress(StateConflictError):
                await self._record(
                    call.id,
                    ordinal,
                    result.value,
                    inputs=redacted,
                    started=started,
                    in_transaction=result.in_transaction,
                )
                return

    async def _invoke_trigger(self, call: Call, ordinal: int) -> None:
        """Record the trigger's result together with what it remembers, based on what is stored now."""
        invoker, started = self.definition.invoker, time.time()
        redacted = redact_inputs(call.inputs, invoker.operation(call))
        scopes = scopes_of(self.definition.integration.name, self.flow.name)
        shown = self._state
        while True:
            shown_call = replace(call, stored_state={**call.stored_state, **shown})
            result = await invoker.invoke(self.flow, shown_call, self._run.payload)
            change = None if isinstance(result, Failure) else StateChange(scopes, shown, result).in_transaction
            with suppress(StateConflictError):
                await self._record(call.id, ordinal, result, inputs=redacted, started=started, in_transaction=change)
                return
            shown = await self._services.runs.stored_state(scopes, wait_for_database=True)

    async def _take_page(self, page: TakePage, ordinal: int) -> None:
        found = await self._sources.page(page.source, page.after)
        await self._record(page.id, ordinal, found if isinstance(found, Failure) else {"data": found})

    async def _run_loop(self, loop: FanOut, ordinal: int) -> None:
        started = time.time()
        result = await self._services.loops.run(LoopKey(self.caller, ordinal), loop, self._sources)
        await self._record(loop.id, ordinal, result, started=started)

    async def _start_flow(self, start: StartFlow, ordinal: int) -> None:
        other = await self._started_flows.choose(start, self.caller, is_recorded=ordinal in self._journal)
        if ordinal in self._journal and (
            isinstance(other, Failure) or not await self._must_await_again(other, ordinal)
        ):
            return
        inputs = {"flowName": start.flow, **redact_inputs({"data": start.payload["body"]["data"]})}
        if isinstance(other, Failure):
            await self._record(start.id, ordinal, other, inputs=inputs)
            return
        started = time.time()
        child = await self._accept_child(start, other, ordinal)
        if other.is_synchronous:
            await self._services.run_child(child)
            if self._unrepeatable.can_park and await self._services.runs.waits.hold_for(self.run_id, child):
                raise RunParked
            result = await flow_result(self._services.runs, child)
        else:
            if queue_slot(self.definition, other) is None:  # a queue starts it in its turn
                await self._services.start_runs([child])
            result = {"data": {"executionId": child}}
        forget = partial(remove_result, run=child)
        await self._record(start.id, ordinal, result, inputs=inputs, started=started, in_transaction=forget)

    async def _accept_child(self, start: StartFlow, flow: Flow, ordinal: int) -> str:
        child = ids.child_id(self.caller, ordinal)
        now = iso_time(dt.datetime.now(dt.UTC))
        payload = self._services.deployment.payload(start.payload, self.definition, flow, child, now)
        digest = await self._services.runs.define(self._run.file, self._run.text, wait_for_database=True)
        new = NewRun(
            id=child,
            definition=digest,
            integration=self.definition.integration.name,
            flow=flow.name,
            payload=payload,
            parent=self.run_id,
            slot=queue_slot(self.definition, flow),
        )
        if not await self._services.runs.accept(new, wait_for_database=True):
            await self._raise_unless_running()
        return child

    async def _raise_unless_running(self) -> None:
        run = await self._services.runs.load(self.run_id, wait_for_database=True)
        if run is None or run.state != run_status.RUNNING:
            raise RunStopped

    async def _must_await_again(self, child: Flow, ordinal: int) -> bool:
        # Waiting for a child is a step of DBOS's with a number, so each replay must do it. But of a run that is retried
        # the result is that of a child of the run before: another child would do again what that one has done.
        if not child.is_synchronous:
            return False
        started = ids.child_id(self.caller, ordinal)
        return await self._services.runs.load(started, wait_for_database=True) is not None

    def _raise_if_stopping(self) -> None:
        """A run is stopped where its results are recorded."""

    @cached_property
    def _unrepeatable(self) -> UnrepeatableCalls:
        return UnrepeatableCalls(self._services, self._run, self.definition, self.flow, self.item)

    @property
    def _sources(self) -> Sources:
        return Sources(self.definition.invoker, self.definition.integration, self.flow, self._run.payload)

    async def _record(
        self,
        step_id: str,
        ordinal: int,
        result: _Result,
        *,
        inputs: Mapping[str, Any] | None = None,
        started: float | None = None,
        in_transaction: InTransaction | None = None,
    ) -> None:
        value = {"failure": asdict(result)} if isinstance(result, Failure) else {"envelope": result}
        entry = JournalEntry(step_id=step_id, value=value, redacted_inputs=inputs)
        recorded = await self._services.runs.record(
            self.caller, ordinal, entry, started_at=started, in_transaction=in_transaction
        )
        if recorded.is_stopped:
            raise RunStopped
        if recorded.is_new:
            self._journal[ordinal] = entry
