"""Carries out what is stored: runs, and chunks of their loops, as workflows that may begin again at any time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.durable.errors import RunStopped
from twilio_component.durable.execution.replayer import WINDOW, ReplayContext
from twilio_component.durable.fanout.chunk_runner import ChunkRunner
from twilio_component.durable.fanout.store import EndedIteration, LoopKey
from twilio_component.durable.store import run_status, runs
from twilio_component.durable.store.flow_state import scopes_of
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.interpreter.execution import Execution
from twilio_component.flows.interpreter.iterations import Iteration
from twilio_component.flows.interpreter.state import failure_record, initial_state
from twilio_component.flows.model import find_flow
from twilio_component.host.errors import IntegrationError

if TYPE_CHECKING:
    from twilio_component.durable.execution.replayer import Replayer
    from twilio_component.durable.fanout.chunk_runner import IterationRunner
    from twilio_component.durable.fanout.store import Item, LoopStore, ParallelLoop
    from twilio_component.durable.settings import Settings
    from twilio_component.durable.store.journal import JournalEntry
    from twilio_component.durable.store.runs import Run, RunStore
    from twilio_component.flows.interpreter.effects import Done

PURGED = "purged"
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_LOGGER = logging.getLogger("twilio_component.durable")


class WorkflowRunner:
    """Runs executions; ``guide`` takes each to its end."""

    def __init__(self, guide: Replayer, loops: LoopStore, settings: Settings) -> None:
        self._load = guide.deployment.load
        self._guide = guide
        self._runs: RunStore = guide.runs
        self._chunks = ChunkRunner(loops, keep_payloads=settings.keep_payloads)
        self._settings = settings
        self._raise_if_draining = guide.raise_if_draining

    async def run(self, run_id: str) -> str:
        """Run, or go on with, a stored run; how it ended: ``succeeded``, ``failed``, ``unknown`` (or ``purged``).

        Raises ``RunStopped`` when it has been cancelled or paused.
        """
        found = await self._runs.open(run_id, WINDOW)
        if found is None:
            return PURGED
        run, kept = found
        if run.state in run_status.STOPPED:
            raise RunStopped
        if run.state != run_status.RUNNING:
            return run.state
        try:
            journey = await self._journey(run, kept)
            return await self._ended(journey, await self._guide.to_the_end(journey))
        except IntegrationError as error:
            # The definition, its configuration, or the way back: none of it is the doing of a step.
            return await self._broken(run, error.code, str(error))
        except Exception as error:
            await (
                self._raise_if_draining()
            )  # in a process that is stopping anything may fail; its runs are the next one's
            _LOGGER.exception("%s cannot go on", run.id)
            return await self._broken(run, "unexpected-error", f"unexpected {type(error).__name__}")

    async def run_chunk(self, key: LoopKey, chunk: int) -> None:
        """Run the rounds of a chunk of a loop that have not ended."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._chunks.run(key, chunk, lambda stopping: self._rounds(key, stopping))
            except Exception:
                # Others wait for these rounds, so they must end some day.
                await self._raise_if_draining()
                _LOGGER.exception("a chunk of %s cannot go on; trying again in %.0f s", key.run, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return

    async def _rounds(self, key: LoopKey, stopping: asyncio.Event) -> IterationRunner:
        """What runs a round of a loop; one whose definition cannot be used any more fails."""
        run = await self._runs.load(key.run, wait_for_database=True)
        if run is None:
            raise RunStopped
        loaded = self._load(run.file, run.text)
        flow = find_flow(loaded.integration, run.flow)

        async def run_iteration(loop: ParallelLoop, item: Item, kept: Mapping[int, JournalEntry]) -> EndedIteration:
            one = Iteration(loop.captured, loop.loop_step, item.number, item.item)
            execution = Execution.of_iteration(flow, loaded.values.by_name, run.payload, one)
            before = {name: dict(values) for name, values in execution.stored_state.items()}
            journey = ReplayContext(item.id, run, loaded, flow, execution, before, dict(kept), stopping)
            try:
                done = await self._guide.to_the_end(journey)
            except IntegrationError as error:
                return EndedIteration(item.id, failure_record("", "", Failure(code=error.code, message=str(error))), {})
            except Exception as error:
                await self._raise_if_draining()  # as of a run
                _LOGGER.exception("%s cannot go on", item.id)
                # How far it came nobody knows, and the other rounds must not wait for it.
                words = f"unexpected {type(error).__name__}"
                failure = Failure(code="unexpected-error", message=words, outcome_unknown=True)
                return EndedIteration(item.id, failure_record("", "", failure), {})
            open_ = _open(done)
            return EndedIteration(item.id, loaded.redactor.value(open_ or done.error), _changed(journey))

        return run_iteration

    async def _broken(self, run: Run, code: str, message: str) -> str:
        return await self._finish(
            run, run_status.FAILED, error=failure_record("", "", Failure(code=code, message=message))
        )

    async def _journey(self, run: Run, kept: dict[int, JournalEntry]) -> ReplayContext:
        loaded = self._load(run.file, run.text)
        flow = find_flow(loaded.integration, run.flow)
        begun = kept.pop(runs.INITIAL_STATE, None)
        if begun is None:
            states = await self._runs.begin_with_state(run.id, scopes_of(loaded.integration, flow))
        else:
            states = dict(begun.value)
        execution = Execution(flow, loaded.values.by_name, initial_state(run.payload, stored_state=states))
        return ReplayContext(run.id, run, loaded, flow, execution, states, kept, read_until=WINDOW)

    # The end

    async def _ended(self, journey: ReplayContext, done: Done) -> str:
        state = run_status.SUCCEEDED if done.error is None else run_status.FAILED
        open_ = _open(done)
        if open_ is not None:
            # Somebody has to know that this is open.
            state = run_status.UNKNOWN
        hide = journey.loaded.redactor.value
        error = done.error or open_
        return await self._finish(
            journey.run,
            state,
            error=hide(error),
            response=hide(done.response) if journey.flow.is_synchronous else None,
            result=hide(done.result) if journey.run.parent and journey.flow.is_synchronous else None,
            states=_changed(journey),
        )

    async def _finish(
        self,
        run: Run,
        state: str,
        *,
        error: Mapping[str, Any] | None,
        response: Mapping[str, Any] | None = None,
        result: Any = None,
        states: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> str:
        ended = await self._runs.finish(
            run.id,
            state,
            error=error,
            response=response,
            result=result,
            keep_payloads=self._settings.keep_payloads,
            states=states or {},
        )
        if ended in run_status.STOPPED:
            raise RunStopped  # in the last moment: when it goes on, it comes to its end again
        return ended or PURGED


def _open(done: Done) -> Mapping[str, Any] | None:
    """The error that leaves it open what happened, if there is one, also where the flow went on."""
    return next((error for error in (done.error, *done.handled) if error and error["outcomeUnknown"]), None)


def _changed(journey: ReplayContext) -> dict[str, dict[str, Any]]:
    """What the execution keeps for later ones, by scope; None for what it has removed."""
    changes: dict[str, dict[str, Any]] = {}
    for name, scope in scopes_of(journey.loaded.integration, journey.flow).items():
        before, after = journey.states[name], journey.execution.stored_state[name]
        changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
        changes[scope] = {**changed, **dict.fromkeys(before.keys() - after.keys())}
    return changes
