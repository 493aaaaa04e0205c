"""A run waits as a row until something wakes it, whatever a process does that comes late or stops a list."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from simulation import workflows
from sqlalchemy import Connection, insert, select, update

from twilio_component.durable.fanout.renewal import renew_loops
from twilio_component.durable.fanout.stopping import stop_list
from twilio_component.durable.fanout.store import LoopKey, LoopStore, ParallelLoop
from twilio_component.durable.observation import Observer
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.intents import CallIdentity, Settlement, Settling
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.removal import OPEN_SECONDS, looked_back_to, remove_old
from twilio_component.durable.store.run_status import LIST_STOPPED, RUNNING
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import intents, loops, purged_resources, runs, turns, waits
from twilio_component.durable.store.waits import ORDER, REPLY, Holder, park

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

CAUSE = {"step": "Send", "id": "send", "code": "refused", "message": "no", "concerns": "connection"}


@pytest.fixture
async def store(database: Database) -> RunStore:
    """A database with the engine's rows, and two runs that a process has taken."""
    workflows.metadata.create_all(database.engine)
    found = RunStore(database)
    digest = await found.define("flow.yaml", "text")
    for run in ("first", "second"):
        await found.accept(NewRun(id=run, definition=digest, integration="I", flow="F", payload={}))
        await database.run(partial(workflows.start, run=run, executor="process", owner="first"))
    return found


def a_loop() -> ParallelLoop:
    return ParallelLoop(key=LoopKey("first", 1), step_id="l", loop_step="l", concurrency=1, captured={})


async def are_waiting(database: Database) -> list[str]:
    return await database.run(lambda connection: list(connection.execute(select(waits.c.run)).scalars()))


async def test_a_process_that_still_has_a_run_that_waits_continues_with_it(database: Database, store: RunStore) -> None:
    await database.run(lambda connection: park(connection, "first", REPLY, until=None))
    assert await store.waits.go_on("first", Holder("first", "process"))
    assert await are_waiting(database) == []


@pytest.mark.parametrize("how", ["ended", "another process", "another workflow"])
async def test_a_process_that_comes_late_leaves_the_run_waiting(database: Database, store: RunStore, how: str) -> None:
    def let_another_park(connection: Connection) -> None:
        park(connection, "first", REPLY, until=None)
        if how == "ended":
            workflows.end(connection, "first", "first")

    await database.run(let_another_park)
    holder = Holder(
        "first+1" if how == "another workflow" else "first", "late" if how == "another process" else "process"
    )
    assert not await store.waits.go_on("first", holder)
    assert await are_waiting(database) == ["first"], "else nothing would ever wake it, should the late one die now"


async def test_a_run_that_does_not_wait_continues_in_any_process(store: RunStore) -> None:
    assert await store.waits.go_on("first", Holder("first", "another"))


async def test_a_list_that_stops_wakes_the_run_that_waits_for_its_turn_behind_it(
    database: Database, store: RunStore
) -> None:
    def wait_for_a_turn(connection: Connection) -> None:
        for number, run in enumerate(("first", "second")):
            key = f"{run}:1"
            call = {"key": key, "run": run, "step_id": "send", "fingerprint": "f", "limit_keys": "[]", "attempt": 0}
            connection.execute(insert(intents).values(**call, state="planned", created_at=1.0))
            turn = {"key": key, "run": run, "conversation": "c", "number": number, "taken_at": 1.0}
            connection.execute(insert(turns).values(turn))
        park(connection, "second", ORDER, until=600.0)

    woken, loop = list[str](), a_loop()
    await LoopStore(database).begin(loop)
    await database.run(wait_for_a_turn)

    assert await stop_list(store, Observer(), lambda _connection, run, _workflow: woken.append(run), loop, CAUSE)

    assert woken == ["second"]
    states = await database.run(lambda connection: dict(connection.execute(select(runs.c.id, runs.c.state)).all()))
    assert states["first"] == LIST_STOPPED


async def test_a_chunk_that_comes_late_does_not_stop_again_a_list_that_an_operator_has_resumed(
    database: Database, store: RunStore
) -> None:
    late = a_loop()
    await LoopStore(database).begin(late)
    await database.run(lambda connection: renew_loops(connection, 5.0, loops.c.run == "first"))
    state = select(runs.c.state).where(runs.c.id == "first")

    assert not await stop_list(store, Observer(), lambda *_: None, late, CAUSE)
    assert await database.run(lambda connection: connection.execute(state).scalar_one()) == RUNNING

    assert await stop_list(store, Observer(), lambda *_: None, replace(late, generation=1), CAUSE)
    assert await database.run(lambda connection: connection.execute(state).scalar_one()) == LIST_STOPPED


async def test_a_run_that_ended_while_an_outcome_was_open_is_purged_two_hours_later(
    database: Database, store: RunStore
) -> None:
    await database.run(partial(end_first, state="in_doubt", claimed_at=1.0))
    assert await store.give_up_before(3.0, 10) == []
    assert await store.give_up_before(2.0 + OPEN_SECONDS, 10) == []
    assert await store.give_up_before(3.0 + OPEN_SECONDS, 10) == ["first"]


async def test_what_a_purged_run_has_created_is_taken_as_long_as_an_equal_call_in_doubt_may_see_it(
    database: Database, store: RunStore
) -> None:
    calls, call = IntentStore(database), CallIdentity(run="second", ordinal=1, step_id="send", fingerprint="equal")
    await calls.plan(call)
    await calls.claim(call, 0, "process")
    now, day = await database.run(database.now), 24 * 3600.0
    set_back = update(intents).values(claimed_at=now - 9 * day)
    await database.run(lambda connection: connection.execute(set_back))

    for ran_at, resource_id in ((now - 11 * day, "SM1"), (now - 9.5 * day, "SM2"), (now, "SM3")):
        await database.run(partial(end_first, state="settled", claimed_at=ran_at, created=resource_id))
        await store.forget(["first"])
        await database.run(remove_unseen)
    assert (await calls.other_calls(call, ["SM1", "SM2", "SM3", "SM4"], reach=60.0)).taken == {"SM2", "SM3"}

    await calls.confirm(call.key, "SM2")
    assert (await calls.plan(call)).resource_id is None
    settlement = Settlement(JournalEntry(step_id="send", value={}), 0.0, "SM2")
    assert await calls.settle(call, 1, settlement) == Settling.RESOURCE_TAKEN
    assert await calls.settle(call, 1, replace(settlement, resource_id="SM4")) == Settling.SETTLED
    await database.run(remove_unseen)
    kept = select(purged_resources.c.resource_id)
    assert await database.run(lambda connection: connection.execute(kept).scalars().all()) == ["SM3"]


def end_first(connection: Connection, *, state: str, claimed_at: float, created: str | None = None) -> None:
    call = {"key": "first:1", "run": "first", "step_id": "send", "limit_keys": "[]", "fingerprint": "equal"}
    row = {**call, "state": state, "attempt": 1, "created_at": 1.0, "claimed_at": claimed_at, "resource_id": created}
    connection.execute(insert(intents).values(row))
    connection.execute(update(runs).where(runs.c.id == "first").values(state="succeeded", finished_at=2.0))


def remove_unseen(connection: Connection) -> None:
    seen_from = looked_back_to(connection, time.time())
    remove_old(connection, {purged_resources: purged_resources.c.claimed_at < seen_from})
