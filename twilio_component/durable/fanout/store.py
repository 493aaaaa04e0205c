"""Loops with concurrent iterations, as they are stored: their items, and how each iteration ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from twilio_component.durable import ids
from twilio_component.durable.fanout.ends import EndedIteration, end_all
from twilio_component.durable.fanout.renewal import renew_loops
from twilio_component.durable.store.item_ends import PENDING
from twilio_component.durable.store.journal import JournalEntry, entry_from
from twilio_component.durable.store.run_status import FAILED, RUNNING, SUCCEEDED, UNKNOWN
from twilio_component.durable.store.schema import items, journal, loops, runs, workers
from twilio_component.durable.store.upsert import insert_once, to_json
from twilio_component.flows.interpreter.iterations import MOST_FAILURES, Tally

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

ITEM_STATES = (SUCCEEDED, FAILED, UNKNOWN, PENDING)


@dataclass(frozen=True, slots=True)
class LoopKey:
    """Identifies a loop: the one that a run first began as its call number ``ordinal``."""

    run: str
    ordinal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelLoop:
    """A loop as it is stored (see ``schema.loops``)."""

    key: LoopKey
    step_id: str
    loop_step: str
    concurrency: int
    captured: Mapping[str, Any]
    taken: int = 0
    after: Any = None
    is_whole: bool = False
    partitions: int | None = None
    size: int | None = None
    generation: int = 0

    def concurrency_of(self, chunk: int) -> int:
        """How many iterations of that chunk may run at a time, so that all chunks together have ``concurrency``."""
        assert self.partitions is not None  # noqa: S101 - chunks begin when the items have been divided
        more = self.concurrency % self.partitions
        return self.concurrency // self.partitions + (chunk % self.partitions < more)


@dataclass(frozen=True, slots=True)
class Item:
    """An item whose iteration has not ended; ``id`` is the caller under which its results are journaled.

    ``held_until`` is when an iteration that was held may continue, in seconds since 1970.
    ``inputs`` are other inputs for one of its steps, ``{"step", "inputs"}``, if an operator has given some.
    """

    id: str
    number: int
    item: Any
    held_until: float | None = None
    inputs: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class HeldIteration:
    """An iteration that can continue at the time ``until``, in seconds since 1970."""

    id: str
    until: float


@dataclass(frozen=True, slots=True)
class LoopStatus:
    """What the coordinator of a loop needs to know; ``pending`` counts iterations by chunk, where there are any.

    Those that were held in this generation are not counted.
    """

    run_state: str
    taken: int
    generation: int
    pending: Mapping[int, int]


class LoopStore:
    """Reads and writes loops. Every method retries until the database is available."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, loop: ParallelLoop) -> ParallelLoop:
        """Store a loop that begins; if this run has begun it before, the stored loop."""
        begun_before = (loops.c.run == loop.key.run, loops.c.step_id == loop.step_id)

        def work(connection: Connection) -> ParallelLoop:
            found = connection.execute(select(loops).where(*begun_before)).one_or_none()
            if found is not None:
                return _loop_from(found)
            row = {
                "run": loop.key.run,
                "ordinal": loop.key.ordinal,
                "step_id": loop.step_id,
                "loop_step": loop.loop_step,
                "concurrency": loop.concurrency,
                "captured": to_json(loop.captured),
                "taken": 0,
                "is_whole": False,
                "generation": 0,
                "succeeded": 0,
                "created_at": self._database.now(connection),
            }
            insert_once(connection, loops, row)
            return _loop_from(connection.execute(select(loops).where(*_of(loop.key))).one())

        return await self._database.run_until_available(work)

    async def renew(self, key: LoopKey) -> None:
        """Let chunks that have been executed be executed again: they will have more items."""
        await self._database.run_until_available(
            lambda connection: renew_loops(connection, self._database.now(connection), *_of(key))
        )

    async def load(self, key: LoopKey) -> ParallelLoop | None:
        """The loop, or None when it has been purged."""

        def work(connection: Connection) -> ParallelLoop | None:
            row = connection.execute(select(loops).where(*_of(key))).one_or_none()
            return None if row is None else _loop_from(row)

        return await self._database.run_until_available(work)

    async def take(self, loop: ParallelLoop, page: Mapping[str, Any]) -> ParallelLoop:
        """Store the next items; the loop as it is then. Items that another process has stored in between stay."""
        found = page["items"]
        after = {"is_whole": page["next"] is None, "after": to_json(page["next"]), "taken": loop.taken + len(found)}
        rows = [
            {
                "id": ids.item_id(loop.key.run, loop.key.ordinal, number),
                "run": loop.key.run,
                "ordinal": loop.key.ordinal,
                "number": number,
                "state": PENDING,
                "item": to_json(item),
            }
            for number, item in enumerate(found, start=loop.taken)
        ]

        def work(connection: Connection) -> ParallelLoop:
            mine = update(loops).where(*_of(loop.key), loops.c.taken == loop.taken, loops.c.is_whole.is_(False))
            if connection.execute(mine.values(after)).rowcount and rows:
                connection.execute(insert(items), rows)
            return _loop_from(connection.execute(select(loops).where(*_of(loop.key))).one())

        return await self._database.run_until_available(work)

    async def processes(self) -> int:
        """How many processes execute runs of this database, at least one."""
        counting = select(func.count()).select_from(workers)
        return max(
            1, await self._database.run_until_available(lambda connection: connection.execute(counting).scalar_one())
        )

    async def assign_partitions(self, loop: ParallelLoop, partitions: int, size: int) -> ParallelLoop:
        """Divide the items into chunks of ``size``, and the chunks among partitions, unless that has been done."""

        def work(connection: Connection) -> ParallelLoop:
            undivided = (*_of(loop.key), loops.c.partitions.is_(None))
            connection.execute(update(loops).where(*undivided).values(partitions=partitions, size=size))
            return _loop_from(connection.execute(select(loops).where(*_of(loop.key))).one())

        return await self._database.run_until_available(work)

    async def status(self, loop: ParallelLoop, chunks: Sequence[int]) -> LoopStatus:
        """The progress of a loop; only the pending iterations of these chunks are counted."""

        def work(connection: Connection) -> LoopStatus:
            stored = connection.execute(
                select(loops.c.taken, loops.c.generation, runs.c.state)
                .join(runs, runs.c.id == loops.c.run)
                .where(*_of(loop.key))
            ).one()
            pending: dict[int, int] = {}
            if loop.size is not None and chunks:
                chunk = items.c.number // loop.size
                within = items.c.number.between(min(chunks) * loop.size, (max(chunks) + 1) * loop.size - 1)
                not_held = items.c.held_in.is_(None) | (items.c.held_in != stored.generation)
                counting = (
                    select(chunk, func.count()).where(*_items_of(loop.key), within, items.c.state == PENDING, not_held)
                ).group_by(chunk)
                pending = {int(number): count for number, count in connection.execute(counting)}
            return LoopStatus(stored.state, stored.taken, stored.generation, pending)

        return await self._database.run_until_available(work)

    async def pending(self, loop: ParallelLoop, chunk: int) -> tuple[list[Item], dict[str, dict[int, JournalEntry]]]:
        """The items of a chunk whose iterations have not ended, and the journals of those iterations by item."""
        assert loop.size is not None  # noqa: S101 - the items have been divided
        of_chunk = (
            *_items_of(loop.key),
            items.c.number.between(chunk * loop.size, (chunk + 1) * loop.size - 1),
            items.c.state == PENDING,
        )

        def work(connection: Connection) -> tuple[list[Item], dict[str, dict[int, JournalEntry]]]:
            rows = connection.execute(select(items).where(*of_chunk).order_by(items.c.number))
            found = [_item(row) for row in rows]
            kept: dict[str, dict[int, JournalEntry]] = {}
            for row in connection.execute(
                select(journal).where(journal.c.run.in_(select(items.c.id).where(*of_chunk)))
            ):
                kept.setdefault(row.run, {})[row.ordinal] = entry_from(row)
            return found, kept

        return await self._database.run_until_available(work)

    async def journal_of(self, item: str) -> dict[int, JournalEntry]:
        """The journal of the iteration of an item."""

        def work(connection: Connection) -> dict[int, JournalEntry]:
            rows = connection.execute(select(journal).where(journal.c.run == item))
            return {row.ordinal: entry_from(row) for row in rows}

        return await self._database.run_until_available(work)

    async def hold_iterations(self, key: LoopKey, held: Sequence[HeldIteration]) -> None:
        """Store that iterations must wait: the loop continues without them."""
        generation = select(loops.c.generation).where(*_of(key)).scalar_subquery()
        holding = update(items).where(items.c.id == bindparam("of"), items.c.state == PENDING)
        changes = [{"of": one.id, "until": one.until} for one in held]
        await self._database.run_until_available(
            lambda connection: connection.execute(
                holding.values(held_until=bindparam("until"), held_in=generation), changes
            )
        )

    async def seconds_held(self, key: LoopKey) -> float | None:
        """In how many seconds the first iteration that was held can continue; None when no iteration is left."""

        def work(connection: Connection) -> float | None:
            counting = select(func.count(), func.min(items.c.held_until))
            left, first = connection.execute(counting.where(*_items_of(key), items.c.state == PENDING)).one()
            return None if not left else (first or 0.0) - self._database.now(connection)

        return await self._database.run_until_available(work)

    async def end_iterations(self, key: LoopKey, ended: Sequence[EndedIteration], *, keep_payloads: bool) -> None:
        """Store how iterations ended. Unless ``keep_payloads``, the journal of one that succeeded is deleted.

        When two processes have run an iteration, since one seemed to be dead, the first end stays: the later process
        may have found the journal deleted. What an iteration has changed in the flow's state is stored with its end.
        """
        await self._database.run_until_available(
            lambda connection: end_all(
                connection,
                self._database.now(connection),
                (key.run, key.ordinal),
                ended,
                keep_payloads=keep_payloads,
                monotonic=self._database.clock.monotonic(),
            )
        )

    async def tally(self, loop: ParallelLoop) -> dict[str, Any]:
        """Mark the loop as ended; its result."""

        def work(connection: Connection) -> dict[str, Any]:
            tally = Tally()
            for state, code, count in connection.execute(_counts(loop.key, SUCCEEDED, FAILED, UNKNOWN)):
                tally.succeeded += count if state == SUCCEEDED else 0
                tally.failed += count if state == FAILED else 0
                tally.unknown += count if state == UNKNOWN else 0
                if state != SUCCEEDED:
                    tally.by_code[code] += count
            wrong = (*_items_of(loop.key), items.c.state.in_((FAILED, UNKNOWN)))
            for row in connection.execute(select(items).where(*wrong).order_by(items.c.number).limit(MOST_FAILURES)):
                tally.failures.append({"index": row.number, **json.loads(row.error)})
            ended = update(loops).where(*_of(loop.key), loops.c.finished_at.is_(None))
            connection.execute(ended.values(finished_at=self._database.now(connection)))
            return tally.as_data()

        return await self._database.run_until_available(work)

    async def is_running(self, run: str) -> bool:
        """Whether the run exists and is running."""
        state = select(runs.c.state).where(runs.c.id == run)
        return await self._database.run_until_available(
            lambda connection: connection.execute(state).scalar_one_or_none() == RUNNING
        )


def count_iterations(connection: Connection, key: LoopKey) -> dict[str, Any]:
    """``{"succeeded", "failed": {code: count}, "unknown", "pending"}`` of a loop."""
    found: dict[str, Any] = {"succeeded": 0, "failed": {}, "unknown": 0, "pending": 0}
    known = connection.execute(select(loops.c.taken, loops.c.succeeded).where(*_of(key))).one_or_none()
    is_counted = known is not None and known.succeeded is not None
    # Of a long list nearly all have succeeded, or are pending: they are not counted each time that somebody looks.
    for state, code, count in connection.execute(_counts(key, *((FAILED, UNKNOWN) if is_counted else ITEM_STATES))):
        if state == FAILED:
            found["failed"][code] = count
        else:
            found[state] += count
    if known is not None and is_counted:
        found["succeeded"] = known.succeeded
        found["pending"] = known.taken - known.succeeded - found["unknown"] - sum(found["failed"].values())
    return found


def _counts(key: LoopKey, *states: str) -> Any:
    return (
        select(items.c.state, items.c.code, func.count())
        .where(*_items_of(key), items.c.state.in_(states))
        .group_by(items.c.state, items.c.code)
        .order_by(items.c.state, items.c.code)
    )


def _of(key: LoopKey) -> tuple[Any, Any]:
    return loops.c.run == key.run, loops.c.ordinal == key.ordinal


def _items_of(key: LoopKey) -> tuple[Any, Any]:
    return items.c.run == key.run, items.c.ordinal == key.ordinal


def _item(row: Row[Any]) -> Item:
    inputs = json.loads(row.inputs) if row.inputs else None
    return Item(row.id, row.number, json.loads(row.item), row.held_until, inputs)


def _loop_from(row: Row[Any]) -> ParallelLoop:
    return ParallelLoop(
        key=LoopKey(row.run, row.ordinal),
        step_id=row.step_id,
        loop_step=row.loop_step,
        concurrency=row.concurrency,
        captured=json.loads(row.captured),
        taken=row.taken,
        after=json.loads(row.after) if row.after else None,
        is_whole=row.is_whole,
        partitions=row.partitions,
        size=row.size,
        generation=row.generation,
    )
