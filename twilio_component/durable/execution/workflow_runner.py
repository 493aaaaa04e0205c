"""The workflows: a run, and a chunk of a loop. Each may start again at any time, in any process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from dbos import DBOS, SetWorkflowID, WorkflowHandleAsync, error

from twilio_component.durable import observation
from twilio_component.durable.errors import RunParked, RunStopped
from twilio_component.durable.execution.iteration_replayer import IterationReplayer
from twilio_component.durable.execution.replay_services import ReplayServices
from twilio_component.durable.execution.replayer import WINDOW, Replayer
from twilio_component.durable.execution.run_queue import RUN_CHUNK, RUN_FLOW, RUNS
from twilio_component.durable.fanout.chunk_runner import ChunkRunner
from twilio_component.durable.fanout.ends import EndedIteration
from twilio_component.durable.fanout.stopping import stop_list
from twilio_component.durable.fanout.store import LoopKey
from twilio_component.durable.observation import Observer
from twilio_component.durable.store import run_status
from twilio_component.durable.store.waits import Holder
from twilio_component.durable.store.workflow_rows import leave_workflow
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.interpreter.ends import end_of
from twilio_component.flows.interpreter.execution import Execution
from twilio_component.flows.interpreter.iterations import Iteration
from twilio_component.flows.interpreter.state import failure_record, initial_state
from twilio_component.flows.model import find_flow
from twilio_component.host.errors import IntegrationError
from twilio_component.host.trace_context import continue_trace

if TYPE_CHECKING:
    from twilio_component.durable.active_work import ActiveWork
    from twilio_component.durable.asking.asker import Asker
    from twilio_component.durable.deployment import Deployment
    from twilio_component.durable.fanout.chunk_runner import IterationRunner
    from twilio_component.durable.fanout.coordinator import LoopCoordinator
    from twilio_component.durable.fanout.refusals import Refusals
    from twilio_component.durable.fanout.store import Item, LoopStore, ParallelLoop
    from twilio_component.durable.sending.guard import Guard
    from twilio_component.durable.store.journal import JournalEntry
    from twilio_component.durable.store.run_rows import OpenRun, Run
    from twilio_component.durable.store.runs import RunStore
    from twilio_component.durable.store.waits import Enqueue
    from twilio_component.flows.interpreter.effects import Done

_INTERRUPTED = "interrupted"
_FIRST_LOOK, _LONGEST_LOOK = 0.5, 5.0  # seconds between two looks whether a child that is waited for is stopped
_WAITING = "waiting"
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# A run that sleeps for days is recovered at each restart; one that kills its process each time must end some day.
_MAX_RECOVERIES = 1_000
_LOGGER = logging.getLogger("twilio_component.durable")


class WorkflowRunner:
    """Executes runs and chunks of loops. Creating it registers the workflows, so it comes before DBOS is launched.

    ``start_runs`` has stored runs executed, here or elsewhere, and ``enqueue_again`` those that have waited as rows.
    ``executor`` is this process, as the workflow engine knows it.
    """

    def __init__(
        self,
        *,
        deployment: Deployment,
        runs: RunStore,
        guard: Guard,
        loops: LoopCoordinator,
        loop_store: LoopStore,
        asker: Asker,
        work: ActiveWork,
        start_runs: Callable[[Sequence[str]], Coroutine[Any, Any, object]],
        enqueue_again: Enqueue,
        keep_payloads: bool,
        executor: str,
        refusals: Refusals,
        observer: Observer | None = None,
    ) -> None:
        self._runs = runs
        self._observer = observer or Observer()
        self._load = deployment.load
        self._work = work
        self._keep_payloads = keep_payloads
        self._executor = executor
        self._chunks = ChunkRunner(
            loop_store,
            partial(stop_list, runs, self._observer, enqueue_again),
            refusals=refusals,
            keep_payloads=keep_payloads,
            clock=guard.clock,
        )
        self._services = ReplayServices(
            deployment=deployment,
            runs=runs,
            guard=guard,
            loops=loops,
            asker=asker,
            work=work,
            start_runs=start_runs,
            run_child=self._run_child,
            observer=self._observer,
        )
        self._waiting = set[asyncio.Task[None]]()
        self._run_flow = self._register()

    def _register(self) -> Callable[[str], Coroutine[Any, Any, str]]:
        @DBOS.workflow(name=RUN_FLOW, max_recovery_attempts=_MAX_RECOVERIES)
        async def run_flow(run_id: str) -> str:
            return await self.execute_run(run_id, DBOS.workflow_id or run_id)

        @DBOS.workflow(name=RUN_CHUNK, max_recovery_attempts=_MAX_RECOVERIES)
        async def run_chunk(run_id: str, ordinal: int, chunk: int) -> None:
            await self.execute_chunk(LoopKey(run_id, ordinal), chunk, DBOS.workflow_id or "")

        return run_flow

    async def execute_run(self, run_id: str, workflow: str) -> str:
        """Execute a run as this workflow; the workflow's result, which nobody but the engine reads."""
        with self._work.executing(workflow):
            try:
                return await self.run(run_id, workflow)
            except RunStopped:
                # This must not count as the run's end.
                await self._runs.change(run_id, partial(leave_workflow, run=run_id, workflow=workflow, queue=RUNS))
                return _INTERRUPTED
            except RunParked:
                return _WAITING

    async def execute_chunk(self, key: LoopKey, chunk: int, workflow: str) -> None:
        """Execute a chunk of a loop as this workflow."""
        with self._work.executing(workflow), suppress(RunStopped):
            await self.run_chunk(key, chunk)
            self._services.loops.note_chunk_end(key)

    async def start(self, run_id: str) -> None:
        """Start a stored run in this process, unless it has been started or enqueued; does not wait for its end."""
        with SetWorkflowID(run_id):
            await DBOS.start_workflow_async(self._run_flow, run_id)

    async def run(self, run_id: str, workflow: str) -> str:
        """Start or continue a stored run as this workflow.

        How it ended: ``succeeded``, ``failed``, ``unknown`` or ``purged``.

        Raises ``RunStopped`` when it has been cancelled or paused, and ``RunParked`` when it waits without a process.
        """
        found = await self._runs.open(run_id, WINDOW)
        if found is None:
            return run_status.PURGED
        run = found.run
        if run.state in run_status.RESUMABLE:
            observation.log_stop(run)
            raise RunStopped
        if run.state != run_status.RUNNING:
            return run.state
        observation.log_begin(run, goes_on=found.goes_on)
        self._observer.run_began(run)
        holder = Holder(workflow, self._executor)
        # A process that has died may have let it wait.
        if found.goes_on and not await self._runs.waits.go_on(run.id, holder):
            raise RunParked
        try:
            replayer = self._replayer(found, holder)
            with self._observer.run_span(run):
                done = await replayer.run()
            return await self._finish(run, replayer, done)
        except RunStopped:
            observation.log_stop(run)
            raise
        except IntegrationError as error:
            # The definition, its configuration, or the replay: not the fault of a step.
            return await self._fail(run, error.code, str(error))
        except Exception as error:
            self._work.raise_if_draining()
            ended = await self._ended_elsewhere(run.id)
            if ended is not None:
                return ended
            _LOGGER.exception("%s cannot continue", run.id)
            return await self._fail(run, "unexpected-error", f"unexpected {type(error).__name__}")

    async def run_chunk(self, key: LoopKey, chunk: int) -> None:
        """Run the iterations of a chunk of a loop that have not ended."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._chunks.run(key, chunk, partial(self._iteration_runner, key))
            except Exception as error:
                # The loop waits for these iterations, so they must end some day.
                self._work.raise_if_draining()
                # What is wrong with a definition or its configuration is explained; its run meets it, too, and fails.
                shown = None if isinstance(error, IntegrationError) else error
                text = "a chunk of %s cannot continue; trying again in %.0f s: %s"
                _LOGGER.log(logging.ERROR, text, key.run, pause, error, exc_info=shown)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return

    async def _run_child(self, run_id: str) -> None:
        with SetWorkflowID(run_id):
            handle = await DBOS.start_workflow_async(self._run_flow, run_id)
        waiting = asyncio.create_task(_wait_for_end(handle))
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)
        pause = _FIRST_LOOK
        try:
            # In the same process a child that is stopped while it sleeps ends when it wakes up, in days perhaps.
            while not (await asyncio.wait({waiting}, timeout=pause))[0] and not await self._runs.is_stopped(run_id):
                pause = min(2 * pause, _LONGEST_LOOK)
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        if waiting.done():
            waiting.result()

    async def _iteration_runner(self, key: LoopKey, stopping: asyncio.Event) -> IterationRunner:
        """The function that runs one iteration of a loop; raises ``RunStopped`` when its run has been purged."""
        run = await self._runs.load(key.run, wait_for_database=True)
        if run is None:
            raise RunStopped
        definition = self._load(run.file, run.text)
        flow = find_flow(definition.integration, run.flow)

        async def run_iteration(loop: ParallelLoop, item: Item, journal: Mapping[int, JournalEntry]) -> EndedIteration:
            iteration = Iteration(loop.captured, loop.loop_step, item.number, item.item)
            execution = Execution.of_iteration(flow, definition.values.by_name, run.payload, iteration)
            state = {name: dict(values) for name, values in execution.stored_state.items()}
            replayer = IterationReplayer(
                key,
                item,
                stopping,
                self._services,
                run,
                definition,
                flow,
                execution,
                state=state,
                journal=journal,
                keeps_results=self._keep_payloads,
            )
            try:
                with continue_trace(run.trace):
                    done = await replayer.run()
            except IntegrationError as error:
                uncertain = (await self._runs.waits.acts_of(item.id)).uncertain
                return EndedIteration(item.id, _failure_record(error.code, str(error), unknown=uncertain), {})
            except Exception as error:
                self._work.raise_if_draining()
                _LOGGER.exception("%s cannot continue", item.id)
                # Nobody knows how far it came, and the other iterations must not wait for it.
                record = _failure_record("unexpected-error", f"unexpected {type(error).__name__}", unknown=True)
                return EndedIteration(item.id, record, {})
            _, failure = end_of(done)
            redacted = definition.values.redactor.value(failure)
            return EndedIteration(
                item.id,
                redacted,
                replayer.state_changes(),
                is_stored=replayer.is_end_stored,
                is_replayed=not replayer.has_called,
            )

        return run_iteration

    def _replayer(self, found: OpenRun, holder: Holder) -> Replayer:
        run, state = found.run, dict(found.state)
        definition = self._load(run.file, run.text)
        flow = find_flow(definition.integration, run.flow)
        execution = Execution(flow, definition.values.by_name, initial_state(run.payload, stored_state=state))
        journal = found.journal
        return Replayer(self._services, run, definition, flow, execution, state=state, journal=journal, holder=holder)

    async def _ended_elsewhere(self, run_id: str) -> str | None:
        """How a run has ended if another process ended it meanwhile: nobody can continue it without its contents."""
        found = await self._runs.load(run_id, wait_for_database=True)
        if found is None:
            return run_status.PURGED
        return None if found.state in (run_status.RUNNING, *run_status.RESUMABLE) else found.state

    async def _fail(self, run: Run, code: str, message: str) -> str:
        """End a run that cannot go on; its outcome is unknown where a call of it was under way."""
        uncertain = (await self._runs.waits.acts_of(run.id)).uncertain
        state = run_status.UNKNOWN if uncertain else run_status.FAILED
        return await self._store_end(run, state, error=_failure_record(code, message, unknown=uncertain))

    async def _finish(self, run: Run, replayer: Replayer, done: Done) -> str:
        # An unknown outcome counts first, also where the flow handled the error: an operator must learn of it.
        state, failure = end_of(done)
        redact, is_synchronous = replayer.definition.values.redactor.value, replayer.flow.is_synchronous
        return await self._store_end(
            run,
            state,
            error=redact(failure),
            response=redact(done.response) if is_synchronous else None,
            result=redact(done.result) if run.parent and is_synchronous else None,
            changes=replayer.state_changes(),
            has_asked=replayer.has_asked,
        )

    async def _store_end(
        self,
        run: Run,
        state: str,
        *,
        error: Mapping[str, Any] | None,
        response: Mapping[str, Any] | None = None,
        result: Any = None,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
        has_asked: bool = False,
    ) -> str:
        stored = await self._runs.finish(
            run.id,
            state,
            error=error,
            response=response,
            result=result,
            keep_payloads=self._keep_payloads,
            changes=changes or {},
            has_asked=has_asked,
        )
        if stored in run_status.RESUMABLE:
            raise RunStopped  # at the last moment; a resumed run comes to its end again
        if stored == state:
            end = observation.run_end(run, state, error, time.time())
            observation.log_end(end, self._runs.database_url)
            self._observer.run_ended(end)
        return stored or run_status.PURGED


def _failure_record(code: str, message: str, *, unknown: bool = False) -> dict[str, Any]:
    return failure_record("", "", Failure(code=code, message=message, outcome_unknown=unknown))


async def _wait_for_end(handle: WorkflowHandleAsync[str]) -> None:
    # A child that has been stopped is not an error of its parent: its state is stored.
    with suppress(error.DBOSAwaitedWorkflowCancelledError):
        await handle.get_result()
