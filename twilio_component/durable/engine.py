"""The engine of one process: a database, DBOS upon it, and the runs that it carries out."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID, error
from sqlalchemy import select

from twilio_component.durable.crash_points import STORED, CrashPoints
from twilio_component.durable.errors import DurableError, RunStopped
from twilio_component.durable.execution.replayer import Children, Replayer
from twilio_component.durable.execution.run_queue import APPLICATION, QUEUE, VERSION, WORKFLOW, FlowQueue
from twilio_component.durable.execution.run_starter import RunStarter
from twilio_component.durable.execution.schedules import Schedules
from twilio_component.durable.execution.workflow_runner import WorkflowRunner
from twilio_component.durable.fanout.coordinator import PARTITIONS_PER_PROCESS, LoopCoordinator
from twilio_component.durable.fanout.store import LoopKey, LoopStore
from twilio_component.durable.recovery.orphaned_workflows import OrphanedWorkflows
from twilio_component.durable.recovery.retention import Retention
from twilio_component.durable.recovery.single_process_lock import SingleProcessLock
from twilio_component.durable.recovery.unstarted_runs import UnstartedRuns
from twilio_component.durable.recovery.worker_lease import WorkerLease
from twilio_component.durable.sending.guard import Guard
from twilio_component.durable.sending.intents import IntentStore
from twilio_component.durable.sending.rate_limiter import RateLimiter
from twilio_component.durable.sending.sender_rates import rates_of_senders
from twilio_component.durable.sending.throttle import Throttle
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.request_batcher import RequestBatcher
from twilio_component.durable.store.runs import Also, RunStore
from twilio_component.durable.store.sqlite_connection import SqliteConnection

if TYPE_CHECKING:
    from twilio_component.durable.deployment import Deployment
    from twilio_component.durable.execution.schedules import Fire, Scheduled
    from twilio_component.durable.settings import Settings
    from twilio_component.durable.store.flow_state import StoredState
    from twilio_component.durable.store.new_runs import NewRun

# Of their own: runs that wait for their chunks must not keep them from being carried out.
_CHUNKS = "chunks"
_POLLING_SECONDS = 0.1
_DRAIN_SECONDS = 5.0
# A run that sleeps for days is recovered at each restart; one that kills its process each time must end some day.
_MOST_RECOVERIES = 1_000
_MOST_RUNS = 1_000  # side by side; most of them wait for something
_MAX_CHUNKS = 100  # of all loops; of each one there are but two
_LOGGER = logging.getLogger("twilio_component.durable")


class Engine:
    """Carries out runs from ``start`` to ``close``: one at a time in a process, and one ever on an event loop.

    Raises ``InputError`` when the settings give a rate to what can be no sender.
    """

    def __init__(self, deployment: Deployment, database_url: str, settings: Settings) -> None:
        rates = rates_of_senders(settings.rates, deployment.host.components)
        self.database = Database(database_url)
        self.runs = RunStore(self.database)
        self._settings = settings
        self._boot = uuid.uuid4().hex
        self._sole: SingleProcessLock | None = None
        self._membership: WorkerLease | None = None
        self._draining = asyncio.Event()
        self._working: dict[asyncio.Task[Any], str] = {}
        self._checkpoints = CrashPoints()
        self.intents = IntentStore(self.database)
        self.guard = Guard(
            self.intents,
            settings,
            Throttle(settings.in_flight),
            RateLimiter(self.database, rates, most_seconds=2 * settings.claim + settings.timeout),
            worker_id=self._boot,
            # With SQLite this process has the database to itself, and others are dead. With Postgres one that seems to
            # be gone may only be out of our sight: the time that its request can take is waited out.
            is_dead=lambda worker_id: self.database.is_sqlite and worker_id != self._boot,
            may_write=self._may_write,
            crash_points=self._checkpoints,
        )
        self._deployment = deployment
        self._driver: WorkflowRunner | None = None
        self.schedules = Schedules(deployment, self.runs, self.begin)
        self.retention = Retention(self.runs, settings.keep_days)
        self._queue = FlowQueue(self.database)
        self._accepting = RequestBatcher(self.runs.accept_all)
        self._showing = RequestBatcher(self.runs.stored_states)
        self._starters = RunStarter(self._enqueue)
        self._dbos: DBOS | None = None
        self._executor = "serve" if self.database.is_sqlite else self._boot
        self.strays = OrphanedWorkflows(self._executor, lambda: set(self._working.values()), self._requeue)
        self.stragglers = UnstartedRuns(self.database, self._enqueue)
        self._chores: list[asyncio.Task[None]] = []
        self._fire: Fire | None = None
        self._run_flow: Callable[[str], Coroutine[Any, Any, str]] | None = None
        self._run_chunk: Callable[[str, int, int], Coroutine[Any, Any, None]] | None = None

    async def start(self) -> None:
        """Open the database, go on with what was interrupted, and take new runs.

        Raises ``StoreUnavailableError`` or ``DurableError``.
        """
        if self.database.is_sqlite:
            self._sole = SingleProcessLock(Path(str(self.database.engine.url.database)))
        await asyncio.to_thread(self.database.create)
        if not self.database.is_sqlite:
            self._membership = WorkerLease(self.database, self._boot, self._recover)
            await self._membership.join()
        loops = LoopStore(self.database)
        guide = Replayer(
            deployment=self._deployment,
            runs=self.runs,
            guard=self.guard,
            loops=LoopCoordinator(loops, self._enqueue_chunk, self._raise_if_draining),
            children=Children(self._enqueue, self._run_here),
            raise_if_draining=self._raise_if_draining,
        )
        self._driver = WorkflowRunner(guide, loops, self._settings)
        self._dbos = DBOS(config=self._config())
        self._run_flow = self._workflow()
        self._run_chunk = self._chunk_workflow()
        self._fire = self.schedules.workflow()
        DBOS.launch()
        await DBOS.register_queue_async(
            QUEUE,
            worker_concurrency=_MOST_RUNS,
            polling_interval_sec=_POLLING_SECONDS,
            on_conflict="always_update",
        )
        await DBOS.register_queue_async(
            _CHUNKS,
            worker_concurrency=_MAX_CHUNKS,
            partition_worker_concurrency=PARTITIONS_PER_PROCESS,
            polling_interval_sec=_POLLING_SECONDS,
            on_conflict="always_update",
        )
        self._chores = [
            asyncio.create_task(self.retention.keep_purging()),
            asyncio.create_task(self.stragglers.keep_looking()),
            asyncio.create_task(self.strays.keep_looking()),
            asyncio.create_task(self._starters.run()),
        ]

    async def keep_schedules(self, definitions: Iterable[Scheduled]) -> None:
        """Start the flows of these definitions by the clock; raises ``FlowError`` for a schedule that cannot be."""
        assert self._fire is not None  # noqa: S101 - the engine has started
        await self.schedules.keep(definitions, self._fire)

    async def begin(self, new: NewRun, also: Also | None = None, *, immediately: bool = False) -> bool:
        """Store a run and have it started; False when it was there before. Raises ``StoreUnavailableError``.

        When this returns it survives the death of this process, and is started soon. ``also`` is as in
        ``RunStore.accept``. One that somebody waits for is started ``immediately``.
        """
        # With something to be done besides, it stands or falls by itself.
        fresh = await (self._accepting.submit(new) if also is None else self.runs.accept(new, also))
        self._checkpoints.hit(STORED)
        # Also one that is there: the process that stored it may have died before it started it.
        run = new.id if fresh else await self.runs.run_of(new)
        await self._starters.submit(run, immediately=immediately)
        return fresh

    async def states(self, scopes: Mapping[str, str]) -> StoredState:
        """What flows keep in these scopes, as ``RunStore.states``; raises ``StoreUnavailableError``."""
        return await self._showing.submit(scopes)

    async def ended(self, run: str, seconds: float) -> Any:
        """How the run ended (as ``RunStore.ended``), or None when it has not within ``seconds``."""
        deadline = asyncio.get_running_loop().time() + seconds
        pause = 0.05
        while (ended := await self.runs.ended(run)) is None and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.5)
        return ended

    async def check(self) -> None:
        """Raise ``StoreUnavailableError`` when a run could not be stored now."""
        await self.database.run(lambda connection: connection.execute(select(1)))

    async def close(self) -> None:
        """Let the requests that are under way end, and leave everything else to the next process."""
        self._draining.set()
        if self._driver is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.guard.drain(), self._settings.timeout + self._settings.claim)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._settled(), _DRAIN_SECONDS)
            for chore in self._chores:
                chore.cancel()
            # Before DBOS goes, and with it the threads that everything needs: what fails for that must not be kept.
            logging.getLogger("dbos").setLevel(logging.ERROR)  # it would warn of every run that is left
            await self._leave_runs()
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
            await self._leave_runs()
            self._driver = None
        if self._membership is not None:
            await self._membership.leave()
            self._membership = None
        self.database.close()
        if self._sole is not None:
            self._sole.release()

    async def _settled(self) -> None:
        """Wait until what has been asked for is stored, and what is stored is started."""
        await self._showing.drain()
        await self._accepting.drain()
        await self._starters.drain()

    async def _leave_runs(self) -> None:
        for task in list(self._working):
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self.guard.abandon()

    def _may_write(self) -> bool:
        return not self._draining.is_set() and (self._membership is None or self._membership.held)

    async def _recover(self, worker_id: str) -> None:
        if self._driver is None or self._draining.is_set():
            raise DurableError("this process is starting or stopping; it takes nothing over")
        # Not public, but what DBOS itself does for its own runs at launch: those that somebody has claimed anew, and
        # nobody else's, stay as they are.
        await asyncio.to_thread(DBOS._recover_pending_workflows, [worker_id])  # noqa: SLF001 - see above

    async def _requeue(self, workflow: str) -> bool:
        assert self._dbos is not None  # noqa: S101 - the engine has started
        # Not public either: what `_recover_pending_workflows` does with each, and this is for one.
        back = self._dbos._sys_db.reenqueue_for_recovery  # noqa: SLF001 - see above
        return await asyncio.to_thread(back, workflow, [self._executor], QUEUE)

    def _workflow(self) -> Callable[[str], Coroutine[Any, Any, str]]:
        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=_MOST_RECOVERIES)
        async def run_flow(run_id: str) -> str:
            return await self._drive(run_id)

        return run_flow

    def _chunk_workflow(self) -> Callable[[str, int, int], Coroutine[Any, Any, None]]:
        @DBOS.workflow(name="run_chunk", max_recovery_attempts=_MOST_RECOVERIES)
        async def run_chunk(run_id: str, ordinal: int, chunk: int) -> None:
            async with self._at_work() as driver:
                with suppress(RunStopped):
                    await driver.run_chunk(LoopKey(run_id, ordinal), chunk)

        return run_chunk

    async def _drive(self, run_id: str) -> str:
        async with self._at_work() as driver:
            try:
                return await driver.run(run_id)
            except RunStopped:
                # The operator has said so to DBOS too, or is about to: this must not count as the run's end.
                await DBOS.cancel_workflow_async(run_id)
                return "interrupted"

    @asynccontextmanager
    async def _at_work(self) -> AsyncIterator[WorkflowRunner]:
        assert self._driver is not None  # noqa: S101 - workflows begin after `start`
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a coroutine
        self._working[task] = DBOS.workflow_id or ""
        try:
            await self._raise_if_draining()
            yield self._driver
        finally:
            del self._working[task]

    async def _raise_if_draining(self) -> None:
        if self._draining.is_set():
            # The run stays as it is, to be gone on with by the next process.
            await asyncio.Event().wait()

    async def _enqueue(self, ids: Sequence[str]) -> None:
        await self.database.run_until_available(lambda connection: self._queue.put(connection, ids))

    async def _enqueue_chunk(self, chunk_id: str, key: LoopKey, chunk: int) -> None:
        async def enqueue() -> None:
            assert self._run_chunk is not None  # noqa: S101 - as above
            loop = SetEnqueueOptions(queue_partition_key=f"{key.run}.{key.ordinal}")
            once = SetWorkflowID(chunk_id, workflow_id_reuse_policy="reject")
            with once, loop, suppress(error.DBOSWorkflowIDInUseError):
                await DBOS.enqueue_workflow_async(_CHUNKS, self._run_chunk, key.run, key.ordinal, chunk)

        # Not as a step of the run that waits for it: in which order chunks begin is not the same each time.
        await asyncio.create_task(enqueue(), context=Context())

    async def _run_here(self, run_id: str) -> None:
        assert self._run_flow is not None  # noqa: S101 - as above
        with SetWorkflowID(run_id):
            handle = await DBOS.start_workflow_async(self._run_flow, run_id)
        # One that has been stopped is not an error of whoever waits for it: what became of it is stored.
        with suppress(error.DBOSAwaitedWorkflowCancelledError):
            await handle.get_result()

    def _config(self) -> DBOSConfig:
        return {
            "name": APPLICATION,
            "system_database_url": self.database.url,
            "db_engine_kwargs": {"connect_args": {"factory": SqliteConnection}} if self.database.is_sqlite else {},
            "executor_id": self._executor,
            "application_version": VERSION,
            "log_level": "WARNING",
            "serializer": DBOSPortableJSONSerializer(),  # the default one would unpickle what the database throttles
        }
