"""Runs as they are stored: where an execution continues after its process died.

Methods with ``wait_for_database`` retry until the database is available if it is true; otherwise they raise
``StoreUnavailableError``. The others say which of the two they do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import Connection, bindparam, exists, not_, select, text, update

from twilio_component.durable.ids import nesting
from twilio_component.durable.store.definition_digest import definition_digest
from twilio_component.durable.store.events import RunEvent, first_run
from twilio_component.durable.store.flow_state import InTransaction, read_state, scopes_of, store_changes
from twilio_component.durable.store.journal import INITIAL_STATE, RESULT, JournalEntry, entries_of, record_entry
from twilio_component.durable.store.new_runs import NewRun, TakeReplies, insert_runs
from twilio_component.durable.store.queues import lock_queue_of, promote, promote_all, run_in_the_way
from twilio_component.durable.store.removal import (
    give_up_ended,
    give_up_runs,
    looked_back_to,
    remove_contents,
    remove_piece,
    remove_replies,
    remove_runs,
)
from twilio_component.durable.store.replaced_flows import replace_flow
from twilio_component.durable.store.replies import run_of_reply
from twilio_component.durable.store.run_rows import RUN_BY_ID, RUNS, OpenRun, Run, read_run
from twilio_component.durable.store.run_status import HAS_WEBHOOK_RESPONSE, QUEUED, RESUMABLE, RUNNING, SUCCEEDED
from twilio_component.durable.store.schema import definitions, items, journal, runs, served
from twilio_component.durable.store.upsert import insert_once, to_json
from twilio_component.durable.store.waits import Enqueue, WaitStore, wake_by_effect, workflow_ids

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

_Found = TypeVar("_Found")


class Recorded(NamedTuple):
    """The effect of recording a result: whether it is new in the journal, and whether its run has been stopped."""

    is_new: bool
    is_stopped: bool


class RunStore:
    """Reads and writes runs, their journal and the state of their flows."""

    def __init__(
        self,
        database: Database,
        enqueue: Callable[[Connection, Sequence[str]], None] = lambda _connection, _runs: None,
        take_replies: TakeReplies | None = None,
        wake: Enqueue = lambda _connection, _run, _workflow: None,
    ) -> None:
        """Use a database; ``enqueue`` has runs executed that are promoted in a queue of their flow.

        ``take_replies`` takes messages that would start runs as replies to questions. ``wake`` has a run executed again
        that waits as a row for the end of another one.
        """
        self._database = database
        self.database_url = database.url
        self._enqueue = enqueue
        self._take_replies = take_replies
        self._wake = wake
        self.waits = WaitStore(database)

    # Definitions

    async def define(self, file: str, text: str, *, wait_for_database: bool = False) -> str:
        """Store the text of a definition; its digest."""
        digest = definition_digest(file, text)

        def work(connection: Connection) -> None:
            insert_once(connection, definitions, {"digest": digest, "file": file, "text": text})

        await self._do(work, wait_for_database=wait_for_database)
        return digest

    async def note_served(self, integration: str, digest: str, public_url: str) -> None:
        """Store that an integration is served with this definition. Raises ``StoreUnavailableError``."""
        row = {"integration": integration, "definition": digest, "public_url": public_url}

        def work(connection: Connection) -> None:
            if not insert_once(connection, served, row):
                connection.execute(update(served).where(served.c.integration == integration).values(row))

        await self._database.run(work)

    async def definition(self, digest: str) -> tuple[str, str]:
        """The file name and the text of a definition; retries until the database is available."""

        def work(connection: Connection) -> tuple[str, str]:
            row = connection.execute(select(definitions).where(definitions.c.digest == digest)).one()
            return row.file, row.text

        return await self._database.run_until_available(work)

    # Runs

    async def accept(
        self, new: NewRun, in_transaction: InTransaction | None = None, *, wait_for_database: bool = False
    ) -> bool:
        """Store a run that is to start; False, and no change, when a run with its id exists."""

        def work(connection: Connection) -> bool:
            (is_new,) = insert_runs(connection, self._database.now(connection), [new], self._take_replies)
            if is_new and in_transaction is not None:
                in_transaction(connection)
            if is_new and new.slot is not None:
                self._enqueue(connection, promote(connection, new.slot.queue))
            return is_new

        return await self._do(work, wait_for_database=wait_for_database)

    async def accept_all(self, new_runs: Sequence[NewRun], *, waits: bool = False) -> list[bool]:
        """Store runs in one transaction, which waits for locks or fails at once; for each, whether it is new."""
        do = self._database.run_with_lock_wait if waits else self._database.run_quickly
        return await do(lambda one: insert_runs(one, self._database.now(one), new_runs, self._take_replies))

    async def run_of(self, new: NewRun) -> str:
        """The id of the run that the event of ``new`` has started: its own, unless the event was known.

        For a message that was taken as a reply it is the run that asked. Raises ``StoreUnavailableError``.
        """
        event, slot, reply = new.event, new.slot, new.reply

        def work(connection: Connection) -> str | None:
            if reply is not None and (asking := run_of_reply(connection, reply)) is not None:
                return asking
            first = first_run(connection, event) if event is not None else None
            return first or (run_in_the_way(connection, slot) if slot is not None else None)

        return (await self._database.run(work) if event or slot or reply else None) or new.id

    async def has_started(self, event: RunEvent) -> bool:
        """Whether a run has been started for the event. Raises ``StoreUnavailableError``."""
        return await self._database.run(lambda connection: first_run(connection, event) is not None)

    async def promote_queued(self) -> None:
        """Start what should have been started in the queues of flows; retries until the database is available."""
        await self._database.run_until_available(lambda connection: promote_all(connection, self._enqueue))

    async def load(self, run: str, *, wait_for_database: bool = False) -> Run | None:
        """The run with this id, or the one that has an item with this id; None when it has been purged."""
        of_item = select(items.c.run).where(items.c.id == run).scalar_subquery()
        found = RUNS.where(runs.c.id.in_((run, of_item)))
        return await self._do(lambda connection: read_run(connection, found), wait_for_database=wait_for_database)

    async def open(self, run: str, end: int) -> OpenRun | None:
        """The run with its journal up to before ``end``, or None; retries until the database is available.

        A run that is running begins with the stored state of now, which is recorded: a replay begins with the same.
        """

        def work(connection: Connection) -> OpenRun | None:
            found = read_run(connection, RUN_BY_ID, {"of_run": run})
            if found is None:
                return None
            entries = entries_of(connection, run, INITIAL_STATE, end)
            begun = entries.pop(INITIAL_STATE, None)
            state = begun.value if begun is not None else self._begin(connection, found)
            return OpenRun(found, entries, state, goes_on=begun is not None)

        return await self._database.run_until_available(work)

    def _begin(self, connection: Connection, run: Run) -> Mapping[str, Any]:
        (state,) = read_state(connection, [scopes_of(run.integration, run.flow)])
        if run.state != RUNNING:
            return state
        entry = JournalEntry(step_id="state", value=state)
        now = self._database.now(connection) if run.read_at is None else run.read_at
        is_new = record_entry(connection, (run.id, INITIAL_STATE), entry, started=None, finished=now)
        # Another process may have begun it since we looked.
        return state if is_new else entries_of(connection, run.id, INITIAL_STATE, RESULT)[INITIAL_STATE].value

    async def is_stopped(self, run: str) -> bool:
        """Whether the run has been paused or cancelled; retries until the database is available."""
        return await self._database.run_until_available(lambda connection: _is_stopped(connection, run))

    async def finish(
        self,
        run: str,
        state: str,
        *,
        error: Mapping[str, Any] | None,
        response: Mapping[str, Any] | None,
        result: Any = None,
        keep_payloads: bool,
        has_asked: bool = False,
        changes: Mapping[str, Mapping[str, Any]],
    ) -> str | None:
        """End a run and store its flow's ``changes`` (by scope and key); the run's state after that.

        A run that had ended or been stopped before stays as it was; None when it has been purged. Unless
        ``keep_payloads``, a run that succeeded keeps of its payload and journal only which calls it made and which of
        them failed. ``has_asked`` says that it has asked somebody. Retries until the database is available.
        """

        def store_end(connection: Connection) -> str | None:
            now = self._database.now(connection)
            end: dict[str, Any] = {
                "of_run": run,
                "new_state": state,
                "now": now,
                "new_error": to_json(error) if error is not None else None,
                "new_response": to_json(response) if response is not None else None,
            }
            forgets = state == SUCCEEDED and not keep_payloads
            if not connection.execute(_FORGETTING_END if forgets else _END, end).rowcount:
                return connection.execute(_STATE, {"of_run": run}).scalar_one_or_none()
            if forgets:
                remove_contents(connection, run)
                if has_asked:
                    remove_replies(connection, run)
            if result is not None:
                entry = JournalEntry(step_id="result", value={"result": result})
                record_entry(connection, (run, RESULT), entry, started=None, finished=now)
            store_changes(connection, changes)
            return state

        stored = await self.change(run, store_end)
        if stored == state != SUCCEEDED:  # a run that succeeds has left no call and no question open
            await self.waits.wake_behind(run, self._wake, wait_for_database=True)
        return stored

    async def change(self, run: str, work: Callable[[Connection], _Found]) -> _Found:
        """Do what ends or stops a run, and continue with what waits for that, in one transaction.

        Retries until the database is available.
        """

        def change_and_promote(connection: Connection) -> _Found:
            # Before the run's own row: a process that accepts a run of the queue locks in this order too.
            queue = lock_queue_of(connection, run)
            found = work(connection)
            if nesting(run):
                wake_by_effect(connection, run, self._wake)
            if queue is not None:
                self._enqueue(connection, promote(connection, queue))
            return found

        return await self._database.run_until_available(change_and_promote)

    async def outcome(self, run: str, *, wait_for_database: bool = False) -> Mapping[str, Any] | None:
        """``{"state", "error", "response", "result"}`` of a run that is not running any more, else None."""

        def work(connection: Connection) -> Mapping[str, Any] | None:
            row = connection.execute(select(runs).where(runs.c.id == run)).mappings().one_or_none()
            if row is None or row["state"] in (RUNNING, QUEUED):
                return None
            of_run = (journal.c.run == run, journal.c.ordinal == RESULT)
            result = connection.execute(select(journal.c.value).where(*of_run)).scalar_one_or_none()
            return {
                "state": row["state"],
                "error": json.loads(row["error"]) if row["error"] else None,
                "response": json.loads(row["response"]) if row["response"] else None,
                "result": json.loads(result)["result"] if result else None,
            }

        return await self._do(work, wait_for_database=wait_for_database)

    async def replace_flow(self, flow: str) -> str | None:
        """Let a started flow give its place to another one; the run that is in the way, if one is.

        Retries until the database is available.
        """
        return await self._database.run_until_available(lambda connection: replace_flow(connection, flow))

    async def forget_responses(self, seconds: float) -> int:
        """Delete the responses to webhooks whose runs ended more than ``seconds`` ago; how many there were.

        Retries until the database is available.
        """

        def work(connection: Connection) -> int:
            is_old = runs.c.finished_at < self._database.now(connection) - seconds
            forgetting = update(runs).where(text(HAS_WEBHOOK_RESPONSE), is_old).values(response=None)
            return connection.execute(forgetting).rowcount

        return await self._database.run_until_available(work)

    async def give_up_before(self, moment: float, limit: int, *, wait_for_database: bool = False) -> list[str]:
        """Give up at most ``limit`` runs that ended before ``moment`` (seconds since 1970); their ids.

        Nobody can resume them or run them again after this, so everything of them may be deleted. A run is not among
        them while the run that started it, or its retry, is there: it comes once these have been given up. One that
        ended while the outcome of a call was open comes two hours later.
        """
        return await self._do(
            lambda connection: give_up_ended(connection, moment, limit), wait_for_database=wait_for_database
        )

    async def forget(self, ids: list[str], *, wait_for_database: bool = False) -> None:
        """Delete everything that is stored about these runs, in many small transactions.

        The ids of what they have created lately are kept until no equal call in doubt can take it for its own, and the
        events of the last day are known for another day.
        """
        do = partial(self._do, wait_for_database=wait_for_database)

        def remove_next(connection: Connection) -> bool:
            return remove_piece(connection, ids, looked_back_to(connection, self._database.now(connection)))

        await do(partial(give_up_runs, ids=ids))
        while await do(remove_next):
            pass
        await do(lambda connection: remove_runs(connection, ids, self._database.now(connection)))

    async def workflows_of(self, ids: Sequence[str], *, wait_for_database: bool = False) -> list[str]:
        """The ids of all workflows that have executed these runs."""
        return await self._do(lambda connection: workflow_ids(connection, ids), wait_for_database=wait_for_database)

    # The journal; these methods retry until the database is available.

    async def entries(self, caller: str, first: int, end: int) -> dict[int, JournalEntry]:
        """The journal of a run or an iteration from ``first`` to before ``end``, by ordinal."""
        return await self._database.run_until_available(lambda connection: entries_of(connection, caller, first, end))

    async def entry_at(self, caller: str, ordinal: int) -> JournalEntry | None:
        """The recorded result of one call, or None."""
        return (await self.entries(caller, ordinal, ordinal + 1)).get(ordinal)

    async def record(
        self,
        caller: str,
        ordinal: int,
        entry: JournalEntry,
        *,
        started_at: float | None = None,
        in_transaction: InTransaction | None = None,
    ) -> Recorded:
        """Record the result of a call, unless one is recorded, which stays.

        ``in_transaction`` is only done for a result that is new; if it raises, nothing is recorded.
        """

        def work(connection: Connection) -> Recorded:
            now = self._database.now(connection)
            is_new = record_entry(connection, (caller, ordinal), entry, started=started_at, finished=now)
            if is_new and in_transaction is not None:
                in_transaction(connection)
            return Recorded(is_new, _is_stopped(connection, caller))

        return await self._database.run_until_available(work)

    async def has_unanswered_trigger(self, integration: str, flow: str, since: float) -> bool:
        """Whether a run of this flow that was stored since then still waits for its trigger's result."""
        answered = exists().where(journal.c.run == runs.c.id, journal.c.ordinal == 0)
        of_flow = (runs.c.integration == integration, runs.c.flow == flow)
        waiting = select(runs.c.id).where(runs.c.created_at >= since, *of_flow, runs.c.state == RUNNING, not_(answered))

        def work(connection: Connection) -> bool:
            return connection.execute(waiting.limit(1)).one_or_none() is not None

        return await self._database.run_until_available(work)

    # The stored state of flows

    async def stored_state(
        self, scopes: Mapping[str, str], *, wait_for_database: bool = False
    ) -> dict[str, dict[str, Any]]:
        """The stored values by key, by the names of these scopes."""
        return await self._do(
            lambda connection: read_state(connection, [scopes])[0], wait_for_database=wait_for_database
        )

    async def stored_states(self, wanted: Sequence[Mapping[str, str]]) -> list[dict[str, dict[str, Any]]]:
        """For each mapping of names to scopes, the stored values; raises ``StoreUnavailableError``."""
        return await self._database.run(lambda connection: read_state(connection, wanted))

    async def _do(self, work: Callable[[Connection], _Found], *, wait_for_database: bool) -> _Found:
        return await (self._database.run_until_available if wait_for_database else self._database.run)(work)


# Built once: building a statement costs as much as executing it.
_STATE = select(runs.c.state).where(runs.c.id == bindparam("of_run"))
_END = (
    update(runs)
    .where(runs.c.id == bindparam("of_run"), runs.c.state == RUNNING)
    .values(
        state=bindparam("new_state"),
        finished_at=bindparam("now"),
        error=bindparam("new_error"),
        response=bindparam("new_response"),
    )
)
_FORGETTING_END = _END.values(payload=None)


def _is_stopped(connection: Connection, run: str) -> bool:
    return connection.execute(_STATE, {"of_run": run}).scalar_one_or_none() in RESUMABLE
