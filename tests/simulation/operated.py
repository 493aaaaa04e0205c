"""A world with operators: whole runs, their lists and what they start, stopped, resumed and retried in all troubles.

The real runner, replayer, loops and operations; of the engine only who executes which workflow is simulated.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from simulation import workflows
from simulation.calls import SENDER, Rules
from simulation.flows import (
    AGAIN,
    FLOWS,
    HEARD,
    LATER,
    QUESTION,
    SimulatedDeployment,
    texts_of,
    without_changes,
)
from simulation.operators import Operator
from simulation.people import People
from simulation.releases import Releases
from simulation.world import Process, World
from sqlalchemy import select

from twilio_component.durable import ids
from twilio_component.durable.active_work import ActiveWork
from twilio_component.durable.asking.asker import Asker
from twilio_component.durable.asking.due_waits import DueWaits
from twilio_component.durable.asking.questions import QuestionStore
from twilio_component.durable.execution.run_queue import RUN_CHUNK, RUN_FLOW
from twilio_component.durable.execution.workflow_runner import WorkflowRunner
from twilio_component.durable.fanout.coordinator import LoopCoordinator
from twilio_component.durable.fanout.refusals import Refusals
from twilio_component.durable.fanout.store import LoopKey, LoopStore
from twilio_component.durable.sending import intents as states
from twilio_component.durable.sending.conditions import AllOf, HoldUntil, Proceed
from twilio_component.durable.sending.order import ConversationOrder
from twilio_component.durable.store import run_status, schema
from twilio_component.durable.store.events import RunEvent
from twilio_component.durable.store.new_runs import NewRun, insert_runs
from twilio_component.durable.store.replies import reply_id, run_of_reply
from twilio_component.durable.store.runs import RunStore
from twilio_component.flows.send_order import SendOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from simulation.twilio import Message
    from simulation.workflows import Workflow

    from twilio_component.durable.sending.conditions import Verdict
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intents import CallIdentity
    from twilio_component.durable.store.database import Database
    from twilio_component.host.questions import Reply

_QUEUE = workflows.SimulatedQueue()
_LOOK_SECONDS, _LAZY_LOOK_SECONDS = 0.5, 3.0
_MOST_TAKEN = 3
_SWEEP_SECONDS = 20.0
_GOES_ON = (run_status.RUNNING, run_status.QUEUED, run_status.PAUSED, run_status.LIST_STOPPED)


class Asleep:
    """The condition that nobody is written to before this time, so that runs wait as rows."""

    def __init__(self, database: Database, until: float) -> None:
        self._database = database
        self._until = until

    async def judge(self, _call: CallIdentity, _guarded: GuardedCall) -> Verdict:
        """Hold every call until then."""
        if self._database.clock.now() >= self._until:
            return Proceed()
        return HoldUntil(kind="quiet-hours", reason="everybody sleeps", until=self._until)

    async def end(self, _call: CallIdentity, _guarded: GuardedCall) -> None:
        """Nothing else waits for it."""


class OperatedRules(Rules):
    """The rules of such a world: an order, or nobody awake for a while, or none."""

    asleep_until = 0.0

    def conditions(self, database: Database) -> AllOf:
        orders = {} if self.order is None else {SENDER: self.order}
        return AllOf([Asleep(database, self.asleep_until), ConversationOrder(database, orders, _QUEUE.put_again)])

    def check(self, message: Message) -> None:
        """Hold when Twilio accepts a message: nobody sleeps. What is paused loses its place in an order."""
        early = self.asleep_until - 2 * self.largest_step - self.server.now()
        assert early <= 0, f"{message.call} was sent {early:.3f} s too early"


class SimulatedRunner(WorkflowRunner):
    """Executes runs without the engine's program."""

    process: EngineProcess

    def _register(self) -> Callable[[str], Coroutine[Any, Any, str]]:
        return lambda run: self.execute_run(run, run)

    async def _run_child(self, run_id: str) -> None:
        process = self.process
        child = workflows.Workflow(run_id, RUN_FLOW, [run_id], process.new_owner())
        start = partial(workflows.start, run=run_id, executor=process.name, owner=child.owner)
        if await process.database.run_until_available(start):
            process.begin(child)
        ended = partial(workflows.has_ended, workflow=run_id)
        while not (await process.database.run_until_available(ended) or await self._runs.is_stopped(run_id)):  # noqa: ASYNC110
            await asyncio.sleep(0.5)


class EngineProcess(Process):
    """A process that takes workflows from the queues and executes them."""

    def __init__(self, world: OperatedWorld, name: str) -> None:
        super().__init__(world, name)
        database = self.database
        self.work = ActiveWork()
        self._owners = itertools.count()
        self.runs = RunStore(database, _QUEUE.put, wake=_QUEUE.put_again)
        self.questions = QuestionStore(database, lambda *_: None, _QUEUE.put_again)
        loop_store = LoopStore(database)
        self.runner = SimulatedRunner(
            deployment=world.deployment,
            runs=self.runs,
            guard=self.guard,
            loops=LoopCoordinator(loop_store, self._enqueue_chunk, self.work),
            loop_store=loop_store,
            asker=Asker(self.questions),
            work=self.work,
            start_runs=self._enqueue,
            keep_payloads=world.keeps_payloads,
            executor=name,
            enqueue_again=_QUEUE.put_again,
            refusals=Refusals(database, 2),
        )
        self.runner.process = self
        self._due_waits = DueWaits(database, self.questions, _QUEUE.put_again)

    def new_owner(self) -> str:
        """Name an execution of workflows by this process."""
        return f"{self.name} {next(self._owners)}"

    def begin(self, workflow: Workflow) -> None:
        """Execute a workflow that is this process's, as a task."""
        with self.world.loop.process(self.name):
            self.world.loop.create_task(self._execute(workflow))

    async def keep_taking(self) -> None:
        """Take workflows while the lease is valid, and execute them."""
        while True:
            if self.may_write():
                owner = self.new_owner()
                take = partial(workflows.take, executor=self.name, owner=owner, most=_MOST_TAKEN)
                for workflow in await self.database.run_until_available(take):
                    self.begin(workflow)
            await asyncio.sleep(_LOOK_SECONDS if self.world.is_troubled else _LAZY_LOOK_SECONDS)

    async def keep_looking(self) -> None:
        """Wake the runs whose time has come, and requeue what was given to this process and never begun."""
        swept_at = self.world.loop.time()
        while True:
            await self._due_waits.sweep()
            if self.world.loop.time() - swept_at > _SWEEP_SECONDS:
                swept_at = self.world.loop.time()
                for workflow in await self.database.run_until_available(partial(workflows.pending, executor=self.name)):
                    if workflow.id not in self.work.workflow_ids:
                        again = partial(workflows.enqueue_again, workflow=workflow.id)
                        await self.database.run_until_available(again)
            await asyncio.sleep(2.0 if self.world.is_troubled else 5.0)

    async def _execute(self, workflow: Workflow) -> None:
        try:
            if workflow.name == RUN_CHUNK:
                run, ordinal, chunk = workflow.inputs
                await self.runner.execute_chunk(LoopKey(run, ordinal), chunk, workflow.id)
            else:
                await self.runner.execute_run(workflow.inputs[0], workflow.id)
            await self.database.run_until_available(partial(workflows.end, workflow=workflow.id, owner=workflow.owner))
        except Exception as error:  # noqa: BLE001 - it is a violation, raised by the next check
            self.world.failures.append(error)

    async def _enqueue(self, runs: Sequence[str]) -> None:
        await self.database.run_until_available(lambda connection: _QUEUE.put(connection, runs))

    async def _enqueue_chunk(self, loop: LoopKey, chunk: int, generation: int) -> None:
        await self.database.run_until_available(
            lambda connection: _QUEUE.put_chunk(connection, loop, chunk, generation)
        )


class OperatedWorld(World):
    """Everything of one seed with operators."""

    KINDS = ("kill", "freeze", "away", "lease", "cut off", "loss", "start", "second driver", "step", "slow", "deploy")

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        random = self.random
        self.rules = OperatedRules(self.server, self.settings.request_bound)
        if random.random() < 0.3:
            self.rules.order = SendOrder()
        if random.random() < 0.3:
            self.rules.asleep_until = self.server.now() + random.uniform(2.0, 30.0)
        # An end that keeps no results needs no journal: other writes, which have to be as safe.
        self.keeps_payloads = seed % 8 >= 4
        # Every fourth seed is about lists that stop since they are refused, and that operators resume at once.
        self.is_refusing = seed % 4 == 2
        self.refusals = random.choice((0.4, 0.8) if self.is_refusing else (0.0, 0.1, 0.4))
        self.twilio.faults = self._with_refusals()
        self.deployment = SimulatedDeployment(self.twilio)
        self.flows = {
            f"r{number}": random.choice(["List"] if self.is_refusing else [*FLOWS])
            for number in range(random.choice((1, 1, 2, 3)))
        }
        self.tags = {run: random.choice((run, "x")) for run in self.flows}
        self._calls = Counter[str]()
        self.people = People(self, _QUEUE)
        self.purging = random.choice((0.0, 0.0, 0.1, 0.3))  # how likely an operator purges instead of anything else
        more = Random(f"{seed} more of operators")  # noqa: S311
        self.releases = Releases(self, more)
        self.errs = more.random() < 0.3  # an operator who says of a message that it does not exist
        if self.errs and not self.settings.resend:
            self.twilio.lag_bound *= 5  # beyond what is configured, so that there is something to err about
        self._dying = more.choice((0.0, 0.0, 0.1))  # how likely a process dies right after a send
        self._written = more.choice((0, 0, 1, 3))  # messages that nobody has asked for
        self._more = more
        self._excused: set[str] = set()
        self._proven: set[tuple[str, str]] = set()
        self._operators_end = False
        self._purged_calls: dict[str, Any] = {}
        self._purged_runs: dict[str, Any] = {}
        self.over_when_resumed: dict[str, set[str]] = {}

    def _with_refusals(self) -> Any:
        faults = self.twilio.faults
        about = self.random.choice(("sender", "connection") if self.is_refusing else (None, "sender", "connection"))
        return type(faults)(**{**vars(faults), "refused": self.refusals, "refused_for": about})

    # What happens

    def start_process(self) -> EngineProcess:
        """Start one more process."""
        name = f"p{len(self.processes)}"
        process = EngineProcess(self, name)
        self.processes[name] = process
        self.leases[name] = self.loop.time()
        with self.loop.process(name):
            for keeping in (process.keep_lease(), process.keep_taking(), process.keep_looking()):
                self.loop.create_task(keeping)
        return process

    def drive_twice(self, victim: Process) -> None:
        """Let a process execute a workflow that another one executes, too."""
        found = self.server.transaction(workflows.pending)
        if found and isinstance(victim, EngineProcess):
            victim.begin(self.random.choice(found))

    def is_over(self) -> bool:
        """Whether nothing goes on, and nobody will resume anything."""
        return self._operators_end and not any(state in _GOES_ON for state in self.states().values())

    def states(self) -> dict[str, str]:
        """Return the states of all runs by their ids."""
        found = select(schema.runs.c.id, schema.runs.c.state).order_by(schema.runs.c.id)
        return self.server.transaction(lambda connection: {row.id: row.state for row in connection.execute(found)})

    async def take_over(self) -> None:
        """Enqueue again what the dead had taken."""
        while True:
            await asyncio.sleep(self.random.uniform(0.5, 2.0) * (1 if self.is_troubled else 4))
            now = self.loop.time()
            if not self.server.is_away:
                self.leases = {name: heard for name, heard in self.leases.items() if now - heard <= 6.0}
                again = partial(workflows.enqueue_again, living=list(self.leases))
                if self.server.transaction(again):
                    self.note("what the dead had taken is enqueued again")

    def _trouble(self, kind: str, victim: Process, living: list[Process]) -> None:
        if kind == "deploy":
            self.releases.deploy()
        else:
            super()._trouble(kind, victim, living)

    def begin_runs(self, runs: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Store runs of these flows, with these tags, of the definition that is served."""
        for run, flow in runs.items():
            self._calls += texts_of(flow, tags[run])
            self.note(f"{run} is a run of {flow} with {tags[run]}")
        self.flows.update(runs)
        self.tags.update(tags)
        new = [self.releases.new_run(run, flow, tags[run]) for run, flow in runs.items()]
        self.server.transaction(lambda connection: insert_runs(connection, self.server.now(), new))
        self.server.transaction(lambda connection: _QUEUE.put(connection, list(runs)))

    def run_of_message(self, sid: str, reply: Reply) -> NewRun:
        """Return the run that a message starts which is nobody's reply."""
        self._calls[f"{sid} h"] = 1
        event = RunEvent(id=sid, known_by=(sid,), marks=(reply_id(reply),))
        return replace(self.releases.new_run(f"web-{sid}", HEARD, sid), event=event, reply=reply)

    def note_message(self, new: NewRun, reply: Reply) -> str:
        """Hold what must hold of a message that was delivered: somebody waited for it, or it has started a run."""
        taken = self.server.transaction(lambda connection: run_of_reply(connection, reply))
        has_started = new.id in self.states() or new.id in self._purged_runs
        if taken is not None and has_started:
            self.broken.append(AssertionError(f"{reply.id} is a reply to {taken}, and has started {new.id}"))
        if taken is None and not has_started and not self.purging:
            self.broken.append(AssertionError(f"{reply.id} is nobody's reply, and has started nothing"))
        return f"{taken}'s reply" if taken is not None else f"the start of {new.id}"

    def counted_as(self, text: str) -> str:
        """Return the text of the call that a message with this text is counted for."""
        return without_changes(text)

    def excuse(self, message: Message) -> None:
        """Let the message be sent again: an operator has said that it does not exist."""
        if message.call not in self._excused:
            self._excused.add(message.call)
            self._calls[self.counted_as(message.text)] += 1
            self.note(f"{message.call} is said not to have been made")
            if self._more.random() < 0.7:  # and Twilio says otherwise, before or after it is made again
                delay = self._more.uniform(0.0, 3.0)
                self.loop.call_later(delay, lambda: self.loop.create_task(self._confirm(message)))

    def accept(self, message: Message) -> None:
        """Hold what must hold of a message that Twilio accepts, and let its person read it."""
        try:
            self._check_call(message)
        except AssertionError as error:  # here it would be lost
            self.broken.append(error)
        super().accept(message)
        self.people.read(message)

    def _check_call(self, message: Message) -> None:
        call = self._call_of(message)
        if call is None:
            return  # its run has been purged
        self.releases.check(message, call.definition)
        suffix = message.call.removeprefix(call.run)
        proven = [attempt for attempt in ids.lineage(call.run)[1:] if (attempt, suffix) in self._proven]
        assert not proven, f"{message.call} was made although that of {proven} was proven before its claim"
        others = [one for one in self.processes.values() if one.is_alive and one.name != call.claimed_by]
        if self.is_troubled and others and self._more.random() < self._dying:
            self.loop.call_later(self._more.uniform(0.0, 0.7), self._kill, call.claimed_by)

    def _kill(self, name: str) -> None:
        if any(one.is_alive for one in self.processes.values() if one.name != name):
            self.note(f"kill, soon after a send: {name}")
            self.loop.kill(name)
            self.processes[name].is_alive = False

    def _call_of(self, message: Message) -> Any:
        runs, intents = schema.runs.c, schema.intents.c
        columns = (intents.run, intents.claimed_by, intents.state, intents.resource_id, runs.definition)
        found = select(*columns).join(schema.runs, runs.id == intents.run).where(intents.key == message.call)
        return self.server.transaction(lambda connection: connection.execute(found).one_or_none())

    async def _confirm(self, message: Message) -> None:
        """Remember what is proven of calls that no retry has claimed anew so far: none may any more."""
        await super()._confirm(message)
        call = self._call_of(message)
        if call is None or call.resource_id != message.sid or call.state == states.SETTLED:
            return
        suffix = message.call.removeprefix(call.run)
        later = [one + suffix for one in self.states() if call.run in ids.lineage(one)[1:]]
        claimed = select(schema.intents.c.key).where(schema.intents.c.key.in_(later), schema.intents.c.attempt > 0)
        if not self.server.transaction(lambda connection: connection.execute(claimed).all()):
            self._proven.add((call.run, suffix))

    def remember(self) -> None:
        """Keep what is stored of runs and calls, for the end: runs that have ended are about to be purged."""
        with self.server.engine.connect() as connection:
            self._purged_calls |= {call.key: call for call in connection.execute(select(schema.intents))}
            runs = connection.execute(select(schema.runs).where(schema.runs.c.state != run_status.PURGED))
            self._purged_runs |= {run.id: run for run in runs}

    def calls_over(self, run: str) -> set[str]:
        """Return the calls of a run that are over: once it is resumed, none of them may stop its list again."""
        over = select(schema.intents.c.key).where(schema.intents.c.run == run, schema.intents.c.state == states.SETTLED)
        return set(self.server.transaction(lambda it: it.execute(over).scalars().all()))

    def check_stops(self) -> None:
        """Hold whenever operators look: a list that was resumed has stopped again only for what was refused since."""
        refused = set(self.twilio.refused)
        for run, state in self.states().items():
            if state == run_status.LIST_STOPPED and run in self.over_when_resumed:
                own = {call for call in refused if call.startswith((f"{run}.", f"{run}:"))}
                news = own - self.over_when_resumed[run]
                assert news, f"{run} stopped again after it was resumed, for what had been refused before"

    def _check_cancelled(self, message: Message) -> None:
        """Operators cancel here, and may resume what they have cancelled."""

    async def main(self) -> None:
        """Live through trouble, then through peace, until every run has ended."""
        self.releases.store()
        self.begin_runs(self.flows, self.tags)
        for _ in range(self._written):
            self.people.write("yes", 40.0)
        for _ in range(self.random.randint(1, 3)):
            self.start_process()
        self.loop.create_task(self.take_over())
        operators = [Operator(self, _QUEUE) for _ in range(2)]
        working = [self.loop.create_task(operator.work()) for operator in operators]
        await self.make_trouble()
        self.make_peace()
        await asyncio.gather(*working)
        self._operators_end = True
        while not self.is_over():
            await operators[0].resume_all()
            await asyncio.sleep(5.0)

    # Invariants

    def check_ends(self) -> None:
        """Hold at the end: what is stored of each call is true, and a run that succeeded has sent everything."""
        with self.server.engine.connect() as connection:
            calls = {call.key: call for call in connection.execute(select(schema.intents))}
            stored = connection.execute(select(schema.runs).where(schema.runs.c.state != run_status.PURGED)).all()
            ended = self._purged_runs | {run.id: run for run in stored}
            of_nobody = select(schema.intents.c.key).where(schema.intents.c.run.not_in(select(schema.runs.c.id)))
            left = connection.execute(of_nobody).scalars().all()
        assert not left, f"{left} were planned for runs that are gone"
        unnamed = {message.sid: message for message in self.twilio.messages}
        for call in calls.values():
            if call.state == states.SETTLED and call.resource_id is not None:
                message = unnamed.pop(call.resource_id, None)
                assert message is not None, f"{call.key} names no message, or another call's"
        purged = [call for key, call in self._purged_calls.items() if key not in calls]
        for call in purged:
            unnamed.pop(call.resource_id, None)
        open_ = (states.CLAIMED, states.IN_DOUBT, states.UNKNOWN)
        uncertain = sum(call.state in open_ for call in [*calls.values(), *purged])
        assert len(unnamed) <= uncertain, f"{len(unnamed)} messages belong to no call that succeeded or is unknown"
        has_succeeded = {run for run, row in ended.items() if row.state == run_status.SUCCEEDED}
        left_open = [call.key for call in calls.values() if call.state in states.OPEN and call.run in has_succeeded]
        assert not left_open, f"{left_open} are open, though their runs have succeeded"
        sent, owed = Counter(self.counted_as(message.text) for message in self.twilio.messages), Counter[str]()
        for run, flow in self.flows.items():
            last = ended[max((one for one in ended if run in ids.lineage(one) and "." not in one), key=len)]
            if last.state == run_status.SUCCEEDED and last.last_call is None and flow != "Leaving":
                tag = self.tags[run]
                owed += texts_of(flow, tag) - Counter([f"{tag} {AGAIN}"])
                if last.definition != self.releases.longer:
                    owed -= Counter([f"{tag} {LATER}"])
            # Of a question whose text may not have been sent, somebody's reply to an earlier one may be the answer, and
            # what somebody writes unasked while it is being sent.
            unknown = (run in ids.lineage(call.run) for call in calls.values() if call.state == states.UNKNOWN)
            owed -= Counter({f"{self.tags[run]} {QUESTION}": sum(unknown) + self._written})
        missing = owed - sent
        assert not missing, f"{missing} were never sent, though their runs succeeded"
        self.check_rate()
