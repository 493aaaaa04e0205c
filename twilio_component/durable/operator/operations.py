"""What an operator does with runs, from another process: pause, cancel, resume, resolve, retry, purge."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select, update

from twilio_component.durable.errors import RunStateError, UnknownRunError
from twilio_component.durable.execution.run_queue import RUNS, RunQueue
from twilio_component.durable.fanout.renewal import renew_loops
from twilio_component.durable.operator.actions import ALLOWED, CANCEL, PAUSE, RELEASE, RESOLVE, RESUME
from twilio_component.durable.operator.processes import throttled_keys
from twilio_component.durable.operator.retry import RETRYABLE, Retried, RunRetry
from twilio_component.durable.operator.retry_plan import Retry
from twilio_component.durable.operator.run_ids import wrong_state
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.sending.intents import PLANNED
from twilio_component.durable.store import run_status
from twilio_component.durable.store.queues import lock_queue_of, promote
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import intents, loops, runs, throttles
from twilio_component.durable.store.waits import unpark, wake_by_effect
from twilio_component.durable.store.workflow_rows import cancel_workflow, resume_workflow
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from twilio_component.durable.store.database import Database


MOST_RETRIED = 10_000
"""How many runs are run again at once."""
_DAY = 24 * 3600
_BATCH = 500


class Operations:
    """Changes runs in a database that other processes serve from.

    Each method raises ``UnknownRunError``, ``RunStateError`` or ``StoreUnavailableError``.
    """

    def __init__(self, database: Database, queue: RunQueue | None = None) -> None:
        """Use a database; ``queue`` enqueues what is to be executed, in that database unless you say."""
        self._database = database
        self._queue = queue or RunQueue(database)
        self._runs = RunStore(database, self._queue.put)
        self._views = RunViews(database)
        self._retry = RunRetry(database, self._queue.put)

    async def cancel(self, run: str) -> None:
        """Stop a run before its next step; a request under way is completed."""
        await self._move(run, ALLOWED[CANCEL], run_status.CANCELLED, along_with=cancel_workflow, ends=True)
        await self._runs.waits.wake_behind(run, self._queue.put_again)

    async def pause(self, run: str) -> None:
        """Stop a run before its next step, to be resumed later: until then it is not purged.

        The next run of its queue does not wait for it.
        """
        await self._move(run, ALLOWED[PAUSE], run_status.PAUSED, along_with=cancel_workflow)
        await self._runs.waits.wake_behind(run, self._queue.put_again)

    async def resume(self, run: str) -> None:
        """Continue a cancelled or paused run, or one whose list stopped, where it was.

        It does not wait for others of its queue.
        """

        def enqueue(connection: Connection, run: str) -> None:
            # Those chunks that were stopped are not complete.
            renew_loops(connection, self._database.now(connection), loops.c.run == run)
            unpark(connection, run)
            resume_workflow(connection, run, RUNS)

        await self._move(
            run, ALLOWED[RESUME], run_status.RUNNING, finished_at=None, error=None, alarm=None, along_with=enqueue
        )

    async def resolve(self, run: str) -> None:
        """Mark an unknown outcome as resolved; nothing else is done."""
        await self._move(run, ALLOWED[RESOLVE], run_status.RESOLVED)

    async def release(self, run: str) -> int:
        """Lift what holds back the run's calls after a refusal, so that they are tried within seconds; their number.

        With them everything is released that waits for the same connections and senders. Calls that wait for quiet
        hours, a frequency cap or their order keep waiting.
        """

        def work(connection: Connection) -> int:
            row = connection.execute(select(runs).where(runs.c.id == run)).one_or_none()
            _check_state(connection, run, row, ALLOWED[RELEASE])
            waiting = select(intents.c.limit_keys).where(intents.c.run == run, intents.c.state == PLANNED)
            calls = [json.loads(found) for found in connection.execute(waiting).scalars()]
            of_calls = throttles.c.key.in_({key for keys in calls for key in keys})
            is_throttled = throttles.c.throttled_until > self._database.now(connection)
            throttled = set(connection.execute(select(throttles.c.key).where(of_calls, is_throttled)).scalars())
            connection.execute(delete(throttles).where(of_calls))
            return sum(not throttled.isdisjoint(keys) for keys in calls)

        return await self._database.run(work)

    async def lift(self, sender: str) -> None:
        """Let a connection or sender be used at once, by the id with which ``ProcessViews.senders`` shows it."""

        def work(connection: Connection) -> None:
            keys = throttled_keys(connection, sender, self._database.now(connection))
            if not keys:
                raise RunStateError("it is no longer throttled")
            connection.execute(delete(throttles).where(throttles.c.key.in_(keys)))

        await self._database.run(work)

    async def retry(self, run: str, *, resend: bool = False) -> str:
        """Run a failed run again from the step or the items that failed, as a new run; its id.

        A run with an unknown outcome needs ``resend``, by which the operator says that it did not happen.
        """
        return (await self.retry_as(run, Retry(resend=resend))).id

    async def retry_as(self, run: str, how: Retry) -> Retried:
        """Run a failed run again as a new run, as ``how`` says: which items, and with which definition."""
        return await self._retry.retry(run, how)

    async def find_retryable(self, wanted: RunFilter) -> list[str]:
        """The ids of the runs of this filter that can be run again, the newest first."""
        states = RETRYABLE if wanted.state is None else (wanted.state,)
        if not set(states) <= set(RETRYABLE):
            raise RunStateError(f"runs that are {wanted.state} cannot be run again ({join_names(RETRYABLE)} can)")
        return await self._views.find_ids(replace(wanted, limit=MOST_RETRIED), states)

    async def purge(self, days: float) -> int:
        """Delete the runs that ended more than ``days`` ago; their number."""
        purged, before = 0, await self._database.run(self._database.now) - days * _DAY
        while due := await self._runs.give_up_before(before, _BATCH):
            await asyncio.to_thread(self._queue.client.delete_workflows, await self._runs.workflows_of(due))
            await self._runs.forget(due)
            purged += len(due)
        await self._database.forget_log()
        return purged

    async def _move(
        self,
        run: str,
        from_states: tuple[str, ...],
        to: str,
        *,
        along_with: Callable[[Connection, str], None] | None = None,
        ends: bool = False,
        **changes: Any,
    ) -> None:
        """Change the run's state and, in the same transaction, whatever goes with it; one that ``ends`` does so now."""

        def work(connection: Connection) -> None:
            queue = lock_queue_of(connection, run)
            row = connection.execute(select(runs).where(runs.c.id == run).with_for_update()).one_or_none()
            _check_state(connection, run, row, from_states)
            ended = {"finished_at": self._database.now(connection)} if ends else {}
            connection.execute(update(runs).where(runs.c.id == run).values(state=to, **changes, **ended))
            if along_with is not None:
                along_with(connection, run)
            if to != run_status.RUNNING:
                wake_by_effect(connection, run, self._queue.put_again)
            if to == run_status.RUNNING:
                self._queue.put(connection, [run])  # one that was stopped in its queue has never been started
            elif queue is not None:
                self._queue.put(connection, promote(connection, queue))

        await self._database.run(work)


def _check_state(connection: Connection, run: str, row: Any, allowed: tuple[str, ...]) -> None:
    if row is None:
        raise UnknownRunError(f"there is no run '{run}'")
    if row.state not in allowed:
        raise wrong_state(connection, run, row.state, allowed)
