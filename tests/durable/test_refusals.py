"""Refusals of the sender in a row, in all processes that work at a list: together they stop it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert
from support.statements import statements, whole_tables

from twilio_component.durable.fanout.chunk_runner import ChunkRunner, IterationRunner
from twilio_component.durable.fanout.ends import EndedIteration
from twilio_component.durable.fanout.refusals import Refusals
from twilio_component.durable.fanout.store import Item, LoopKey, LoopStore, ParallelLoop
from twilio_component.durable.store.schema import definitions, items, runs

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

KEY = LoopKey("list", 1)
AFTER = 10


def failure(reason: str = "21606", *, concerns: str | None = "sender") -> dict[str, Any]:
    error = {"step": "Send", "id": "send", "code": "twilio-api-error", "reason": reason, "message": "m"}
    return {**error, "outcomeUnknown": False, **({"concerns": concerns} if concerns else {})}


async def begin(database: Database, count: int, *, chunks: int = 1) -> LoopStore:
    """Store a run with a list of so many items, divided into chunks of one size."""
    run = {"id": KEY.run, "definition": "d", "integration": "Test", "flow": "Main", "state": "running"}
    with database.engine.begin() as connection:
        connection.execute(insert(definitions).values(digest="d", file="f", text="t"))
        connection.execute(insert(runs).values(**run, created_at=database.now(connection)))
    store = LoopStore(database)
    loop = await store.begin(ParallelLoop(key=KEY, step_id="l", loop_step="l", concurrency=2, captured={}))
    loop = await store.take(loop, {"items": [*range(count)], "next": None})
    await store.assign_partitions(loop, chunks, count // chunks)
    return store


@pytest.mark.parametrize("is_replayed", [False, True])
def test_two_processes_stop_a_list_by_refusals_of_which_neither_has_enough_unless_they_are_of_before(
    database: Database, *, is_replayed: bool
) -> None:
    causes: list[Mapping[str, Any]] = []

    async def stop(_: ParallelLoop, cause: Mapping[str, Any]) -> None:
        causes.append(cause)

    async def iteration(_: ParallelLoop, item: Item, __: object) -> EndedIteration:
        return EndedIteration(item.id, failure(), {}, is_replayed=is_replayed)

    async def runner(_: asyncio.Event) -> IterationRunner:
        return iteration

    async def work() -> None:
        store = await begin(database, 12, chunks=2)
        processes = [ChunkRunner(store, stop, refusals=Refusals(database, AFTER), keep_payloads=False) for _ in "ab"]
        await asyncio.gather(*(process.run(KEY, chunk, runner) for chunk, process in enumerate(processes)))

    asyncio.run(work())
    assert {cause["reason"] for cause in causes} == (set() if is_replayed else {"21606"})


@pytest.mark.parametrize("between", [None, failure("21610", concerns=None), failure("21659")])
def test_what_is_not_such_a_refusal_begins_the_count_anew_and_so_does_a_resumed_list(
    database: Database, between: dict[str, Any] | None
) -> None:
    async def count() -> None:
        store, refusals, numbers = await begin(database, 60), Refusals(database, AFTER), iter(range(60))

        async def end(error: dict[str, Any] | None, times: int) -> Mapping[str, Any] | None:
            found = None
            for _ in range(times):
                await store.end_iterations(
                    KEY, [EndedIteration(f"list.1-{next(numbers)}", error, {})], keep_payloads=False
                )
                found = await refusals.reason_to_stop(KEY, [error])
            return found

        assert await end(failure(), AFTER - 1) is None
        assert await end(between, 1) is None
        assert await end(failure(), AFTER - 1) is None
        assert await end(failure(), 1) == failure()
        await store.renew(KEY)
        assert await end(failure(), AFTER - 1) is None
        assert await end(failure(), 1) == failure()

    asyncio.run(count())


def test_refusals_that_are_stored_after_successes_that_came_between_are_not_in_a_row(database: Database) -> None:
    async def look() -> Mapping[str, Any] | None:
        store, refusals = await begin(database, 17), Refusals(database, AFTER)
        succeeded = range(6, 9)  # their ends are stored with their last calls
        await store.end_iterations(
            KEY, [EndedIteration(f"list.1-{number}", None, {}) for number in succeeded], keep_payloads=False
        )
        clock = time.monotonic()
        refused = [
            EndedIteration(f"list.1-{number}", failure(), {}, ended_at=clock + (1.0 if number > 8 else -1.0))
            for number in range(17)
            if number not in succeeded
        ]
        await store.end_iterations(KEY, refused, keep_payloads=False)
        return await refusals.reason_to_stop(KEY, [one.error for one in refused])

    assert asyncio.run(look()) is None


def test_only_a_refusal_of_the_sender_is_looked_for_in_the_database_and_by_an_index(database: Database) -> None:
    async def look() -> None:
        await begin(database, 2)
        refusals = Refusals(database, AFTER)
        with statements(database.engine) as executed:
            await refusals.reason_to_stop(
                KEY, [None, failure("21610", concerns=None), failure("20003", concerns="connection")]
            )
            assert executed == []
            await refusals.reason_to_stop(KEY, [failure()])
        assert any(str(items.name) in one.text for one in executed)
        assert whole_tables(database.engine, executed, ["flow_items", "flow_loops", "flow_runs"]) == []

    asyncio.run(look())
