"""Runs and what they know: where an execution goes on after its process died."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import Connection, bindparam, delete, exists, not_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from twilio_component.durable.store.events import first_run
from twilio_component.durable.store.journal import JournalEntry, Times, entry_from, record_entry
from twilio_component.durable.store.new_runs import NewRun, store_new_runs
from twilio_component.durable.store.run_status import RUNNING, STOPPED, SUCCEEDED
from twilio_component.durable.store.schema import (
    definitions,
    events,
    intents,
    items,
    journal,
    loops,
    runs,
    stored_state,
)
from twilio_component.durable.store.upsert import insert_once, written

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from twilio_component.durable.store.database import Database

Also = Callable[[Connection], None]
_Found = TypeVar("_Found")

RESULT, INITIAL_STATE = -1, -2
"""Ordinals of what is not a call's: the result that another run waits for, and the states that a run began with."""

_FAILED = '{"failure":'  # how the value of a call that failed begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it is stored. ``payload`` is what its trigger was given, ``parent`` the run that started it."""

    id: str
    file: str
    text: str
    flow: str
    state: str
    parent: str | None
    payload: Mapping[str, Any]
    created_at: float


class Recorded(NamedTuple):
    """What became of an answer: whether it is kept now and was not before, and whether its run has been stopped."""

    is_new: bool
    is_stopped: bool


class RunStore:
    """Reads and writes runs in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def define(self, file: str, text: str, *, wait_for_database: bool = False) -> str:
        """Keep a definition's text; the digest by which runs refer to it."""
        digest = hashlib.sha256(f"{file}\0{text}".encode()).hexdigest()

        def work(connection: Connection) -> None:
            insert_once(connection, definitions, {"digest": digest, "file": file, "text": text})

        await self._do(work, wait_for_database=wait_for_database)
        return digest

    async def definition(self, digest: str) -> tuple[str, str]:
        """The file's name and the text of a definition."""

        def work(connection: Connection) -> tuple[str, str]:
            row = connection.execute(select(definitions).where(definitions.c.digest == digest)).one()
            return row.file, row.text

        return await self._database.run_until_available(work)

    async def accept(self, new: NewRun, also: Also | None = None, *, wait_for_database: bool = False) -> bool:
        """Store a run that is to begin; False when it is there already, and then nothing is changed.

        ``also`` is done in the same transaction, or, where it raises, nothing is.
        """

        def work(connection: Connection) -> bool:
            (fresh,) = store_new_runs(connection, self._database.now(connection), [new])
            if fresh and also is not None:
                also(connection)
            return fresh

        return await self._do(work, wait_for_database=wait_for_database)

    async def accept_all(self, news: Sequence[NewRun]) -> list[bool]:
        """As ``accept``, all in one transaction."""
        return await self._database.run(
            lambda connection: store_new_runs(connection, self._database.now(connection), news)
        )

    async def run_of(self, new: NewRun) -> str:
        """The id of the run that the event of ``new`` has started: its own, unless the event was known."""
        event = new.event
        if event is None:
            return new.id
        return await self._database.run(lambda connection: first_run(connection, event)) or new.id

    async def load(self, run: str, *, wait_for_database: bool = False) -> Run | None:
        """The run of this id, or with a round of this id; None when it was purged."""
        of_round = select(items.c.run).where(items.c.id == run).scalar_subquery()
        found = runs.c.id.in_((run, of_round))
        return await self._do(lambda connection: _run(connection, found), wait_for_database=wait_for_database)

    async def open(self, run: str, end: int) -> tuple[Run, dict[int, JournalEntry]] | None:
        """The run of this id, and what it knows: as ``load``, and as ``kept`` from the states to before ``end``."""

        def work(connection: Connection) -> tuple[Run, dict[int, JournalEntry]] | None:
            found = _run(connection, runs.c.id == run)
            return None if found is None else (found, _kept(connection, run, INITIAL_STATE, end))

        return await self._database.run_until_available(work)

    async def kept(self, run: str, first: int, end: int) -> dict[int, JournalEntry]:
        """What the run's calls from ``first`` to before ``end`` were answered with so far, by their ordinals."""
        return await self._database.run_until_available(lambda connection: _kept(connection, run, first, end))

    async def entry_at(self, run: str, ordinal: int) -> JournalEntry | None:
        """What one call of the run was answered with, if it was."""
        return (await self.kept(run, ordinal, ordinal + 1)).get(ordinal)

    async def keep(
        self, run: str, ordinal: int, kept: JournalEntry, started_at: float | None = None, also: Also | None = None
    ) -> Recorded:
        """Keep what a call was answered with, unless something is kept already, which stays.

        ``also`` is done in the same transaction unless something was kept, or, where it raises, nothing is.
        """

        def work(connection: Connection) -> Recorded:
            times = Times(started_at, self._database.now(connection))
            is_new = record_entry(connection, (run, ordinal), kept, times)
            if is_new and also is not None:
                also(connection)
            return Recorded(is_new, _is_stopped(connection, run))

        return await self._database.run_until_available(work)

    async def is_stopped(self, run: str) -> bool:
        """Whether the run has been paused or cancelled."""
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
        states: Mapping[str, Mapping[str, Any]],
    ) -> str | None:
        """End a run, and keep ``states`` (changes by scope and key; None removes a key); the state that it is in then.

        That is another one, and nothing is changed, when it had ended or been stopped before; None when it was purged.
        Of one that succeeded no contents are left unless ``keep_payloads`` asks for them: neither its payload nor what
        its calls returned, only which calls there were, and which of them failed.
        """

        def work(connection: Connection) -> str | None:
            changes: dict[str, Any] = {
                "state": state,
                "finished_at": self._database.now(connection),
                "error": written(error) if error is not None else None,
                "response": written(response) if response is not None else None,
            }
            if state == SUCCEEDED and not keep_payloads:
                changes["payload"] = None
            unfinished = (runs.c.id == run, runs.c.state == RUNNING)
            if not connection.execute(update(runs).where(*unfinished).values(changes)).rowcount:
                return connection.execute(select(runs.c.state).where(runs.c.id == run)).scalar_one_or_none()
            if state == SUCCEEDED and not keep_payloads:
                _empty(connection, run)
            if result is not None:
                kept = JournalEntry(step_id="result", value={"result": result})
                record_entry(connection, (run, RESULT), kept, Times(None, changes["finished_at"]))
            store_changes(connection, states)
            return state

        return await self._database.run_until_available(work)

    async def ended(self, run: str, *, wait_for_database: bool = False) -> Mapping[str, Any] | None:
        """``{"state", "error", "response", "result"}`` of a run that has ended, else None."""

        def work(connection: Connection) -> Mapping[str, Any] | None:
            row = connection.execute(select(runs).where(runs.c.id == run)).mappings().one_or_none()
            if row is None or row["state"] == RUNNING:
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

    async def forget_response(self, run: str) -> None:
        """The answer to the request has been given: nobody needs it any more."""
        await self._database.run(
            lambda connection: connection.execute(update(runs).where(runs.c.id == run).values(response=None))
        )

    async def ended_before(self, moment: float, most: int, *, wait_for_database: bool = False) -> list[str]:
        """The runs that ended before then (seconds since 1970), at most so many.

        Not those that another run has started that did not: going on, it would start them anew.
        """
        parent = runs.alias()
        newer = or_(parent.c.finished_at.is_(None), parent.c.finished_at >= moment)
        needed = exists().where(parent.c.id == runs.c.parent, newer)

        def work(connection: Connection) -> list[str]:
            due = select(runs.c.id).where(runs.c.finished_at < moment, not_(needed)).limit(most)
            return list(connection.execute(due).scalars())

        return await self._do(work, wait_for_database=wait_for_database)

    async def forget(self, ids: list[str], *, wait_for_database: bool = False) -> None:
        """Delete everything about these runs;."""

        def work(connection: Connection) -> None:
            of_rounds = select(items.c.id).where(items.c.run.in_(ids))
            connection.execute(delete(journal).where(or_(journal.c.run.in_(ids), journal.c.run.in_(of_rounds))))
            connection.execute(delete(items).where(items.c.run.in_(ids)))
            connection.execute(delete(loops).where(loops.c.run.in_(ids)))
            connection.execute(delete(intents).where(intents.c.run.in_(ids)))
            connection.execute(delete(events).where(events.c.run.in_(ids)))
            connection.execute(delete(runs).where(runs.c.id.in_(ids)))

        await self._do(work, wait_for_database=wait_for_database)

    async def states(self, scopes: Mapping[str, str], *, wait_for_database: bool = False) -> dict[str, dict[str, Any]]:
        """What flows keep in these scopes between executions, by the scopes' names;."""
        return await self._do(lambda connection: _states(connection, [scopes])[0], wait_for_database=wait_for_database)

    async def stored_states(self, wanted: Sequence[Mapping[str, str]]) -> list[dict[str, dict[str, Any]]]:
        """As ``states``, for many who ask."""
        return await self._database.run(lambda connection: _states(connection, wanted))

    async def begin_with_state(self, run: str, scopes: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        """As ``states``, which the run begins with: it finds the same ones again when it goes on."""

        def work(connection: Connection) -> dict[str, dict[str, Any]]:
            (found,) = _states(connection, [scopes])
            now = self._database.now(connection)
            record_entry(
                connection, (run, INITIAL_STATE), JournalEntry(step_id="states", value=found), Times(None, now)
            )
            return found

        return await self._database.run_until_available(work)

    async def has_unanswered_trigger(self, integration: str, flow: str, since: float) -> bool:
        """Whether the trigger of a run of this flow that was stored since then is still to answer."""
        answered = exists().where(journal.c.run == runs.c.id, journal.c.ordinal == 0)
        of_flow = (runs.c.integration == integration, runs.c.flow == flow)
        waiting = select(runs.c.id).where(runs.c.created_at >= since, *of_flow, runs.c.state == RUNNING, not_(answered))

        def work(connection: Connection) -> bool:
            return connection.execute(waiting.limit(1)).one_or_none() is not None

        return await self._database.run_until_available(work)

    async def _do(self, work: Callable[[Connection], _Found], *, wait_for_database: bool) -> _Found:
        return await (self._database.run_until_available if wait_for_database else self._database.run)(work)


def _run(connection: Connection, which: ColumnElement[bool]) -> Run | None:
    joined = select(runs, definitions.c.file, definitions.c.text).join(definitions).where(which)
    row = connection.execute(joined).mappings().one_or_none()
    if row is None:
        return None
    return Run(
        id=row["id"],
        file=row["file"],
        text=row["text"],
        flow=row["flow"],
        state=row["state"],
        parent=row["parent"],
        payload=json.loads(row["payload"] or "{}"),
        created_at=row["created_at"],
    )


_STATE = select(runs.c.state).where(runs.c.id == bindparam("of_run"))


def _is_stopped(connection: Connection, run: str) -> bool:
    return connection.execute(_STATE, {"of_run": run}).scalar_one_or_none() in STOPPED


_KEPT = select(journal.c.ordinal, journal.c.step_id, journal.c.value).where(
    journal.c.run == bindparam("of_run"), journal.c.ordinal >= bindparam("first"), journal.c.ordinal < bindparam("end")
)


def _kept(connection: Connection, run: str, first: int, end: int) -> dict[int, JournalEntry]:
    rows = connection.execute(_KEPT, {"of_run": run, "first": first, "end": end})
    return {row.ordinal: entry_from(row) for row in rows}


def _states(connection: Connection, wanted: Sequence[Mapping[str, str]]) -> list[dict[str, dict[str, Any]]]:
    of_all = {scope for scopes in wanted for scope in scopes.values()}
    found: dict[str, list[Any]] = {scope: [] for scope in of_all}
    for row in connection.execute(select(stored_state).where(stored_state.c.scope.in_(of_all))):
        found[row.scope].append(row)
    # Read anew for each: nobody is to see what another one does with it.
    return [
        {name: {row.name: json.loads(row.value) for row in found[scope]} for name, scope in scopes.items()}
        for scopes in wanted
    ]


def _empty(connection: Connection, run: str) -> None:
    """Take the contents out of a run's values; a failure has none."""
    of_run = journal.c.run == run
    connection.execute(delete(journal).where(of_run, journal.c.ordinal == INITIAL_STATE))
    contents = (of_run, journal.c.value.not_like(f"{_FAILED}%"))
    connection.execute(update(journal).where(*contents).values(value="{}"))


def store_changes(connection: Connection, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep what flows have changed, by scope and name."""
    for scope, changed in states.items():
        for name, value in changed.items():
            store_value(connection, scope, name, value)


def store_value(connection: Connection, scope: str, name: str, value: Any) -> None:
    """Keep what flows keep under a name; None removes it."""
    if value is None:
        connection.execute(delete(stored_state).where(stored_state.c.scope == scope, stored_state.c.name == name))
        return
    row = {"scope": scope, "name": name, "value": written(value)}
    # In one statement: of two processes that keep something new under a name, the second would fail to insert it.
    made = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(stored_state).values(row)
    connection.execute(made.on_conflict_do_update(index_elements=["scope", "name"], set_={"value": row["value"]}))


def forget_result(connection: Connection, run: str) -> None:
    """Delete the result of a run that another one waited for, and has now."""
    connection.execute(delete(journal).where(journal.c.run == run, journal.c.ordinal == RESULT))
