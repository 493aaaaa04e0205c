"""Finds work that no process executes, calls that nothing settles, and runs that wait for an operator."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, exists, func, select

from twilio_component.durable.execution.run_queue import CHUNKS, RUN_CHUNK, RUNS, RunQueue
from twilio_component.durable.operator.gone_processes import (
    START_PROCESS,
    describe_gone,
    silent_processes,
    waiting_for_a_process,
)
from twilio_component.durable.operator.open_calls import (
    failed_with_open_calls,
    settle_calls,
    succeeded_with_open_calls,
)
from twilio_component.durable.operator.wrong_inputs import runs_with_wrong_inputs
from twilio_component.durable.recovery.living_executors import living_executors
from twilio_component.durable.sending.intents import PLANNED
from twilio_component.durable.store.default_database import complete_commands
from twilio_component.durable.store.queues import lock_queue, promote
from twilio_component.durable.store.run_status import (
    LIST_STOPPED,
    PAUSED,
    QUEUED,
    RUNNING,
    UNKNOWN,
)
from twilio_component.durable.store.schema import intents, queues, runs, throttles, waits
from twilio_component.durable.store.workflow_rows import open_workflows, pending_workflows, resume_workflow

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database
    from twilio_component.durable.store.workflow_rows import PendingWorkflow

WITHOUT_PROCESS, NOT_STARTED, NOT_PROMOTED = "workflow-without-process", "run-without-workflow", "queue-without-turn"
"""Kinds of findings about work that no process executes."""
OPEN_CALL, NOT_SETTLED = "open-call", "call-not-settled"
"""Kinds of findings about calls whose outcome is open, of runs that failed and of those that succeeded."""
GONE, SILENT, NO_PROCESS = "process-gone", "process-silent", "no-process"
"""Kinds of findings about processes: one has just died, one hangs, or there is none for the work that waits."""
MOST_NAMED = 20
_GRACE_SECONDS = 15.0  # what is younger may be on its way to a process
_SENTENCES = {
    NOT_STARTED: "running without a workflow that executes it; `runs doctor --mend` enqueues it",
    NOT_PROMOTED: "waits in its queue though there is room; `runs doctor --mend` starts it",
    UNKNOWN: "may have sent a message: look for it, then `runs resolve RUN` or `runs retry RUN --resend`",
    LIST_STOPPED: "its list stopped by itself: fix the cause that `runs show RUN` names, then `runs resume RUN`",
    PAUSED: "paused by an operator; `runs resume RUN` continues it",
    "held": "waits after a refusal; `runs show RUN` says until when and why, `runs release RUN` tries now",
    OPEN_CALL: "failed while a call was under way, whose outcome is unknown: look for it, then "
    "`runs retry RUN --resend`",
    NOT_SETTLED: "succeeded, with a call whose outcome is open: `runs doctor --mend` notes what a callback has proven, "
    "or else that it is unknown",
    "wrong-inputs": "failed at a step that has never succeeded since this definition is served: `runs show RUN` names "
    "the inputs that are not valid; correct the flow or its configuration, then "
    "`runs retry RUN --definition current`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Something about ``count`` runs or workflows, of which ``ids`` are the first.

    ``text`` says what it means and what can be done. ``can_mend`` says whether ``Doctor.mend`` does it.
    """

    kind: str
    count: int
    ids: Sequence[str]
    text: str
    can_mend: bool = False

    @property
    def needs_process(self) -> bool:
        """Whether this needs an operator to end a process or to start one."""
        return self.kind in (SILENT, NO_PROCESS)

    def as_json(self) -> dict[str, Any]:
        """The diagnosis as JSON, with keys in camelCase."""
        return {
            "kind": self.kind,
            "count": self.count,
            "ids": list(self.ids),
            "canMend": self.can_mend,
            "text": self.text,
        }


class Doctor:
    """Examines a database. Its methods raise ``StoreUnavailableError``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue = RunQueue(database)

    async def examine(self) -> list[Diagnosis]:
        """The work that no process executes, and the runs that wait for an operator."""

        def work(connection: Connection) -> list[Diagnosis]:
            now = self._database.now(connection)
            idle = self._idle(connection, _GRACE_SECONDS)
            found = [
                *self._about_processes(connection, now, idle.pop(WITHOUT_PROCESS)),
                *((kind, names, _SENTENCES[kind]) for kind, names in idle.items()),
                *((kind, names, _SENTENCES[kind]) for kind, names in _for_operators(connection, now).items()),
            ]
            return [
                Diagnosis(
                    kind=kind,
                    count=len(names),
                    ids=names[:MOST_NAMED],
                    text=complete_commands(text, self._database.url, names),
                    can_mend=kind in (WITHOUT_PROCESS, NOT_STARTED, NOT_PROMOTED, NOT_SETTLED),
                )
                for kind, names, text in found
                if names
            ]

        return await self._database.run(work)

    def _about_processes(
        self, connection: Connection, now: float, without_process: Sequence[str]
    ) -> Iterator[tuple[str, Sequence[str], str]]:
        """What is to be said of processes: kind, names, sentence. Of the workflows, these may be mended."""
        url = self._database.url
        gone, living = self._of_gone_processes(connection, now)
        gone_words = describe_gone(connection, gone, living, url, now) if gone else ""
        yield WITHOUT_PROCESS, without_process, f"{gone_words}, and `runs doctor --mend` enqueues it now"
        yield GONE, sorted(one.id for one in gone if one.id not in without_process), gone_words
        silent, seconds = silent_processes(connection, living, url, now)
        yield (
            SILENT,
            silent,
            f"silent for {seconds:.0f} s: it hangs or cannot reach the database; when it ends, its runs are taken over",
        )
        waiting = waiting_for_a_process(connection, living)
        yield NO_PROCESS, waiting, START_PROCESS

    async def audit(self, *, grace: float = 0.0) -> list[str]:
        """What is running or taken without a process or a queue that has it, a sentence each; empty at rest.

        What was stored less than ``grace`` seconds ago is not looked at.
        """

        def work(connection: Connection) -> list[str]:
            found = self._idle(connection, grace)
            return [f"{name}: {kind}" for kind, names in found.items() for name in names]

        return await self._database.run(work)

    async def mend(self) -> list[Diagnosis]:
        """Restart the work that no process executes, settle the calls of runs that succeeded; return what was found.

        What somebody else has restarted or settled meanwhile is left alone.
        """
        found = await self.examine()
        names = {one.kind for one in found if one.can_mend}

        def work(connection: Connection) -> None:
            idle = self._idle(connection, _GRACE_SECONDS)
            for workflow in pending_workflows(connection):
                if workflow.id in idle[WITHOUT_PROCESS]:
                    resume_workflow(connection, workflow.id, CHUNKS if workflow.name == RUN_CHUNK else RUNS)
            for run in idle[NOT_STARTED]:
                resume_workflow(connection, run, RUNS)
                self._queue.put(connection, [run])
            for queue in idle[NOT_PROMOTED]:
                lock_queue(connection, queue)
                self._queue.put(connection, promote(connection, queue))
            settle_calls(connection, self._database.now(connection))

        if not names:
            return found
        await self._database.run(work)
        # What has just been enqueued needs a process, too.
        known = {one.kind for one in found}
        return [*found, *(one for one in await self.examine() if one.kind == NO_PROCESS and one.kind not in known)]

    def _idle(self, connection: Connection, grace: float) -> dict[str, list[str]]:
        before = self._database.now(connection) - grace
        gone, _ = self._of_gone_processes(connection, before)
        return {
            WITHOUT_PROCESS: sorted(one.id for one in gone),
            NOT_STARTED: [*_without_workflow(connection, before)],
            NOT_PROMOTED: [*_queues_with_room(connection)],
        }

    def _of_gone_processes(self, connection: Connection, before: float) -> tuple[list[PendingWorkflow], Container[str]]:
        """The workflows that were taken before that time by processes that are gone, and the executors that live."""
        # In this order: who takes a workflow meanwhile has its lock already.
        pending = pending_workflows(connection)
        living = living_executors(connection, self._database.url)
        return [one for one in pending if one.executor not in living and one.taken_at <= before], living


def _without_workflow(connection: Connection, before: float) -> Iterator[str]:
    """The runs that are running, do not wait as a row, and have no workflow that is enqueued or taken."""
    waiting = exists().where(waits.c.run == runs.c.id)
    running = select(runs.c.id).where(runs.c.state == RUNNING, runs.c.created_at <= before, ~waiting)
    has_workflow = open_workflows(connection)
    for run in connection.execute(running.order_by(runs.c.created_at)).scalars():
        if run not in has_workflow:
            yield run


def _queues_with_room(connection: Connection) -> Iterator[str]:
    counts = (runs.c.queue, func.count().filter(runs.c.state == RUNNING), func.count().filter(runs.c.state == QUEUED))
    of_queues = select(*counts).where(runs.c.queue.is_not(None), runs.c.state.in_((RUNNING, QUEUED)))
    limits = {row.name: row.run_limit for row in connection.execute(select(queues))}
    for queue, running, queued in connection.execute(of_queues.group_by(runs.c.queue).order_by(runs.c.queue)):
        if queued and running < limits.get(queue, 1):
            yield queue


def _for_operators(connection: Connection, now: float) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for state in (UNKNOWN, LIST_STOPPED, PAUSED):
        of_state = select(runs.c.id).where(runs.c.state == state).order_by(runs.c.created_at.desc())
        found[state] = list(connection.execute(of_state).scalars())
    throttled = list(connection.execute(select(throttles.c.key).where(throttles.c.throttled_until > now)).scalars())
    planned = select(intents.c.run, intents.c.limit_keys).join(runs, runs.c.id == intents.c.run)
    held = planned.where(intents.c.state == PLANNED, runs.c.state == RUNNING) if throttled else None
    rows = connection.execute(held) if held is not None else ()
    found["held"] = sorted({row.run for row in rows if any(f'"{key}"' in row.limit_keys for key in throttled)})
    found[OPEN_CALL] = failed_with_open_calls(connection)
    found[NOT_SETTLED] = succeeded_with_open_calls(connection, now)
    found["wrong-inputs"] = runs_with_wrong_inputs(connection)
    return found
