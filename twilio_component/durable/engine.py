"""The engine of one process: a database, DBOS on top of it, and the runs that this process executes."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy import select

from twilio_component.durable.active_work import ActiveWork
from twilio_component.durable.alarms.setup import alarms_of
from twilio_component.durable.asking.asker import Asker
from twilio_component.durable.asking.due_waits import DueWaits
from twilio_component.durable.asking.questions import QuestionStore
from twilio_component.durable.crash_points import STORED, CrashPoints
from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.execution.engine_log import silence_stops
from twilio_component.durable.execution.queue_looks import QueueLooks, look_cheaply
from twilio_component.durable.execution.run_queue import APPLICATION, CHUNKS, RUNS, RunQueue
from twilio_component.durable.execution.run_starter import RunStarter
from twilio_component.durable.execution.schedules import Schedules, fire_for_own_version
from twilio_component.durable.execution.workflow_runner import WorkflowRunner
from twilio_component.durable.fanout.coordinator import PARTITIONS_PER_PROCESS, LoopCoordinator
from twilio_component.durable.fanout.refusals import Refusals
from twilio_component.durable.fanout.store import LoopKey, LoopStore
from twilio_component.durable.ids import flow_id
from twilio_component.durable.observation import Observer
from twilio_component.durable.recovery.earlier_runs import EarlierRuns
from twilio_component.durable.recovery.heartbeat import Heartbeat
from twilio_component.durable.recovery.orphaned_workflows import OrphanedWorkflows
from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.recovery.retention import Retention
from twilio_component.durable.recovery.single_process_lock import SingleProcessLock
from twilio_component.durable.recovery.unstarted_runs import UnstartedRuns
from twilio_component.durable.recovery.worker_lease import WorkerLease
from twilio_component.durable.sending.guard import Guard
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.rate_limiter import RateLimiter
from twilio_component.durable.sending.send_conditions import send_conditions
from twilio_component.durable.sending.sender_rates import names_of_senders, rates_of_senders
from twilio_component.durable.sending.throttle import Throttle
from twilio_component.durable.store.database import FROZEN_SECONDS, Database, TranslateErrors, sqlite_file
from twilio_component.durable.store.one_at_a_time import OneAtATime
from twilio_component.durable.store.provider import keep_to_provider
from twilio_component.durable.store.request_batcher import RequestBatcher
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.sqlite_connection import SqliteConnection
from twilio_component.durable.store.workflow_rows import EARLIER_VERSIONS, VERSION
from twilio_component.durable.task_ends import end_tasks

if TYPE_CHECKING:
    from twilio_component.durable.clock import Clock
    from twilio_component.durable.deployment import Deployment, LoadedDefinition
    from twilio_component.durable.settings import Settings
    from twilio_component.durable.store.flow_state import InTransaction, StoredState
    from twilio_component.durable.store.new_runs import NewRun
    from twilio_component.host.questions import EffectReport

_LISTENING_SECONDS = 0.05  # we await no notification, but the end waits for the last look for one
_FEW_RUNS = 10
_CROWDED_RUNS = 10  # a look, so that some fifty a second begin all the same
_DRAIN_SECONDS = 5.0
_PROMOTING_SECONDS = 10.0
_LOGGER = logging.getLogger("twilio_component.durable")


class Engine:
    """Executes runs while it is open: one engine at a time in a process, and only ever one per event loop."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        database: Database,
        settings: Settings,
        lease: WorkerLease | None,
        worker_id: str,
        crash_points: CrashPoints,
        observer: Observer,
        kind: str = "serve",
    ) -> None:
        """Assemble the parts; ``open`` is the way to get an engine."""
        self.database = database
        self._looks: QueueLooks | None = None
        self._queue = RunQueue(database, self._notice_work)
        self.questions = QuestionStore(database, deployment.judge_reply, self._queue.put_again)
        self.runs = RunStore(database, self._queue.put, self.questions.take_all, self._queue.put_again)
        self.intents = IntentStore(database)
        self.work = ActiveWork()
        self._lease = lease
        self._settings = settings
        self._crash_points = crash_points
        rates = rates_of_senders(settings.rates, deployment.host.components)
        self.guard = Guard(
            self.intents,
            settings,
            Throttle(settings.in_flight, database.clock),
            RateLimiter(database, rates, most_seconds=2 * settings.claim + settings.timeout, clock=database.clock),
            worker_id=worker_id,
            # With SQLite this process has the database to itself, so others are dead. With Postgres one that seems to
            # be gone may only be out of our sight: the longest time of its request is waited out.
            is_dead=lambda other: database.is_sqlite and other != worker_id,
            may_write=self._may_write,
            conditions=send_conditions(database, settings, deployment.host.components, self._queue.put_again),
            crash_points=crash_points,
            observer=observer,
            sender_names=names_of_senders(settings.senders, deployment.host.components),
            clock=database.clock,
        )
        database.on_failure = observer.database_failed
        self._executor = "serve" if database.is_sqlite else worker_id
        silence_stops()
        self._dbos = DBOS(config=self._config())
        loop_store = LoopStore(database)
        self._runner = WorkflowRunner(
            deployment=deployment,
            runs=self.runs,
            guard=self.guard,
            loops=LoopCoordinator(loop_store, self._enqueue_chunk, self.work),
            loop_store=loop_store,
            asker=Asker(self.questions),
            work=self.work,
            start_runs=self._enqueue,
            keep_payloads=settings.keep_payloads,
            enqueue_again=self._queue.put_again,
            executor=self._executor,
            observer=observer,
            refusals=Refusals(database, settings.stop_after),
        )
        self.heartbeat = Heartbeat(
            database,
            worker_id,
            kind,
            lambda: (len(self.work.workflow_ids), self.guard.requests_under_way),
            lambda: self.schedules.kept,
        )
        self.schedules = Schedules(
            deployment,
            self.runs,
            self.work,
            self.begin,
            is_alone=database.is_sqlite,
            makes_up=settings.keep_days >= 1,
            heartbeat=self.heartbeat,
        )
        self.retention = Retention(database, self.runs, settings.keep_days)
        self.unstarted_runs = UnstartedRuns(database, self._enqueue)
        self._earlier_runs = EarlierRuns(database)
        self.due_waits = DueWaits(database, self.questions, self._queue.put_again)
        self.orphaned_workflows = OrphanedWorkflows(database, self._executor, self.work, self._requeue)
        self.alarms = alarms_of(database, deployment.host, settings.on_failure)
        with_lock_wait = None if database.is_sqlite else partial(self.runs.accept_all, waits=True)
        self._accepting = RequestBatcher(self.runs.accept_all, with_lock_wait)
        self._one_of_a_queue = OneAtATime()
        self._reading_state = RequestBatcher(self.runs.stored_states)
        self._starter = RunStarter(self._start)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        deployment: Deployment,
        database_url: str,
        settings: Settings,
        *,
        crash_points: CrashPoints | None = None,
        observer: Observer | None = None,
        kind: str = "serve",
        clock: Clock | None = None,
        is_emulated: bool = False,
    ) -> AsyncIterator[Engine]:
        """Open the database, continue what was interrupted, and execute runs until the end of the block.

        ``kind`` is what people call this process. At the end, requests under way are completed, and everything else is
        left to the next process. Raises ``StoreUnavailableError``, ``DurableError``, or ``InputError`` for a rate limit
        of something that cannot be a sender. A ``clock`` that shows another time than this machine's moves quiet hours.
        ``is_emulated`` says that runs send to an emulator: a database with runs that do not is refused, and vice versa.
        """
        worker_id = uuid.uuid4().hex
        async with AsyncExitStack() as stack:
            file = sqlite_file(database_url)
            if file is not None:
                stack.enter_context(SingleProcessLock(file))
            database = Database(database_url, clock)
            stack.callback(database.close)
            await asyncio.to_thread(database.create)
            await database.run_until_available(partial(keep_to_provider, is_emulated=is_emulated))
            lease = None
            if not database.is_sqlite:
                lease = WorkerLease(database, worker_id, (*EARLIER_VERSIONS, VERSION))
                await lease.join()
                stack.push_async_callback(lease.leave)
            engine = cls(
                deployment=deployment,
                database=database,
                settings=settings,
                lease=lease,
                worker_id=worker_id,
                crash_points=crash_points or CrashPoints(),
                observer=observer or Observer(),
                kind=kind,
            )
            async with engine._executing():
                yield engine

    async def keep_schedules(self, definitions: Iterable[LoadedDefinition]) -> None:
        """Start the flows of these definitions by their schedules; raises ``FlowError`` for an invalid schedule."""
        await self.schedules.keep(definitions)

    async def begin(
        self, new: NewRun, in_transaction: InTransaction | None = None, *, immediately: bool = False
    ) -> bool:
        """Store a run and have it started soon; False when a run with its id exists.

        Once this returns, the run survives the death of the process. ``in_transaction`` is done in the transaction that
        stores it. Use ``immediately`` for a run that somebody waits for. Raises ``StoreUnavailableError``.
        """
        # With work in its transaction a run succeeds or fails alone.
        alone = in_transaction is not None or new.slot is not None
        is_new = await (self._accept_alone(new, in_transaction) if alone else self._accepting.submit(new))
        self._crash_points.hit(STORED)
        # Also a run that exists: the process that stored it may have died before it started it.
        if new.slot is None:
            run = new.id if is_new else await self.runs.run_of(new)
            if is_new or await self.runs.load(run) is not None:  # else it has been purged
                await self._starter.submit(run, immediately=immediately)
        return is_new

    async def _accept_alone(self, new: NewRun, in_transaction: InTransaction | None) -> bool:
        accept = partial(self.runs.accept, new, in_transaction)
        if self.database.is_sqlite:  # which has one lock, and commits what is accepted meanwhile together
            return await accept()
        flow = flow_id(new.integration, new.flow)
        # All of these lock the queue's row, or those of the flow's state.
        return await self._one_of_a_queue.do(flow if new.slot is None else new.slot.queue, accept)

    async def stored_state(self, scopes: Mapping[str, str]) -> StoredState:
        """The stored state of flows by the names of these scopes; raises ``StoreUnavailableError``."""
        return await self._reading_state.submit(scopes)

    async def wait_for_outcome(self, run: str, seconds: float) -> Any:
        """The outcome of a run (see ``RunStore.outcome``), or None when it has not ended within ``seconds``."""
        deadline = asyncio.get_running_loop().time() + seconds
        pause = 0.05
        while (outcome := await self.runs.outcome(run)) is None and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.5)
        return outcome

    async def hear(self, report: EffectReport) -> None:
        """Give runs the outcome of a resource that they created; raises ``StoreUnavailableError``."""
        if report.is_final or report.outcome:
            await self.database.run(lambda connection: self.questions.hear(connection, report))

    @property
    def lease_age(self) -> float | None:
        """Seconds since the database last confirmed this process's lease; None with SQLite, which has no leases."""
        return None if self._lease is None else self._lease.age

    async def check(self) -> None:
        """Raise ``StoreUnavailableError`` when a run could not be stored now."""
        await self.database.run(lambda connection: connection.execute(select(1)))

    @asynccontextmanager
    async def _executing(self) -> AsyncIterator[None]:
        background: list[asyncio.Task[None]] = []
        try:
            # Before the launch: after it, DBOS looks for new queues only once a second.
            with TranslateErrors():
                await asyncio.to_thread(DBOS.migrate, self.database.url)
                await self._queue.register(chunks_of_a_list=PARTITIONS_PER_PROCESS)
                # Without a lease there is no other process: what the one before had taken is free.
                await self._earlier_runs.adopt(self._executor if self._lease is None else None)
                DBOS.launch()
            rows = self._dbos._sys_db  # noqa: SLF001 - ``look_cheaply`` and the others say why
            self._looks = look_cheaply(rows, (RUNS, CHUNKS), self._may_write, self._most_at_once)
            fire_for_own_version(rows)
            if self._lease is not None:
                self._lease.recover_others(self._recover)
            background += [
                asyncio.create_task(self.retention.keep_purging()),
                asyncio.create_task(self.retention.keep_forgetting_responses()),
                asyncio.create_task(self.unstarted_runs.keep_looking()),
                asyncio.create_task(self.orphaned_workflows.keep_looking()),
                asyncio.create_task(self._starter.run()),
                asyncio.create_task(self.due_waits.keep_looking()),
                asyncio.create_task(self._keep_promoting()),
                asyncio.create_task(self.heartbeat.keep_beating()),
                asyncio.create_task(self.schedules.keep_removing()),
                asyncio.create_task(self._earlier_runs.keep_adopting()),
                *([] if self.alarms is None else [asyncio.create_task(self.alarms.keep_telling())]),
            ]
            yield
        finally:
            await self._drain(background)

    async def _keep_promoting(self) -> None:
        """Start what a queue of a flow leaves room for, should it ever not have been started when a run ended."""
        trouble = "could not check whether queued runs wait for nothing; trying again"
        await run_periodically(self.runs.promote_queued, _PROMOTING_SECONDS, trouble)

    async def _drain(self, background: Sequence[asyncio.Task[None]]) -> None:
        """Complete the requests under way, and leave everything else to the next process."""
        self.work.is_draining = True
        if self._lease is not None:
            await self._lease.stop_recovering()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.timeout + self._settings.claim):
                await self.guard.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._store_submitted()
        await end_tasks(background)
        with suppress(TimeoutError, StoreUnavailableError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self.heartbeat.stop()
        # Before DBOS goes, and with it the threads that everything needs: errors from that must not be stored.
        logging.getLogger("dbos").setLevel(logging.ERROR)  # it would warn of every run that is left
        await self._leave_runs()
        if self._looks is not None:
            self._looks.close()
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        await self._leave_runs()

    async def _store_submitted(self) -> None:
        """Wait until what was submitted is stored, and what is stored is started."""
        await self._reading_state.drain()
        await self._accepting.drain()
        await self._starter.drain()

    async def _leave_runs(self) -> None:
        await self.work.cancel()
        await self.guard.abandon()

    def _may_write(self) -> bool:
        return not self.work.is_draining and (self._lease is None or self._lease.held)

    async def _recover(self, worker_id: str) -> None:
        await self._earlier_runs.adopt(worker_id)
        # Not public, but what DBOS itself does for its own runs at launch: only workflows that are still the dead
        # process's are enqueued again.
        await asyncio.to_thread(DBOS._recover_pending_workflows, [worker_id])  # noqa: SLF001 - see above

    async def _requeue(self, workflow: str) -> bool:
        # Not public either: what `_recover_pending_workflows` does with each, and this is for one.
        requeue = self._dbos._sys_db.reenqueue_for_recovery  # noqa: SLF001 - see above
        return await asyncio.to_thread(requeue, workflow, [self._executor], RUNS)

    async def _start(self, ids: Sequence[str]) -> None:
        """Start runs here when there is little to do: the queue, from which every process takes, is looked at later."""
        if len(ids) + len(self.work.workflow_ids) <= _FEW_RUNS and self._may_write():
            for run in ids:
                await self._runner.start(run)
        else:
            await self._enqueue(ids)

    def _most_at_once(self, queue: str) -> int | None:
        """How many workflows of a queue may be taken now: while very many webhooks wait, few of those that do not."""
        return _CROWDED_RUNS if queue == RUNS and self._accepting.is_crowded else None

    def _notice_work(self) -> None:
        # A busy process takes what is enqueued meanwhile together, and leaves others their part of it.
        if self._looks is not None:
            self._looks.notice(at_once=len(self.work) <= _FEW_RUNS)

    async def _enqueue(self, ids: Sequence[str]) -> None:
        await self.database.run_until_available(lambda connection: self._queue.put(connection, ids))

    def _enqueue_chunk(self, loop: LoopKey, chunk: int, generation: int) -> Coroutine[Any, Any, None]:
        return self.database.run_until_available(
            lambda connection: self._queue.put_chunk(connection, loop, chunk, generation)
        )

    def _config(self) -> DBOSConfig:
        return {
            "name": APPLICATION,
            "system_database_url": self.database.url,
            "db_engine_kwargs": {"connect_args": {"factory": SqliteConnection}} if self.database.is_sqlite else {},
            "executor_id": self._executor,
            "application_version": VERSION,
            "sys_db_idle_transaction_timeout_sec": FROZEN_SECONDS,
            "run_migrations": False,  # they have been: see ``_executing``
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": _LISTENING_SECONDS,
            "notification_coalesce_sec": _LISTENING_SECONDS,
            "serializer": DBOSPortableJSONSerializer(),  # the default one would unpickle what the database holds
        }
