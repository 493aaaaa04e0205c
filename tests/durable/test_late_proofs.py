"""Callbacks that prove what a call has created while something else is being done with it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from durable.test_guard import FakeCall, LostError, Machine
from sqlalchemy import Connection, insert, select, update
from support.blocked import until_blocked

from twilio_component.durable import ids
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.intents import CallIdentity, Settlement, Settling
from twilio_component.durable.sending.protocol_steps import Batch, Settle
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.removal import remove_piece
from twilio_component.durable.store.run_status import RETRIED, RUNNING
from twilio_component.durable.store.schema import definitions, intents, runs

if TYPE_CHECKING:
    from collections.abc import Callable

PROVEN, SENT = "SM-proven", "SM-sent"


def call_of(run: str, *, step: str = "everyone[4].send", text: str = "text") -> CallIdentity:
    return CallIdentity(run=run, item=ids.item_id(run, 1, 4), ordinal=2, step_id=step, fingerprint=text)


async def store_runs(database: Database, **states: str) -> None:
    def store(connection: Connection) -> None:
        connection.execute(insert(definitions).values(digest="d", file="f", text="t"))
        for run, state in states.items():
            values = {"id": run, "definition": "d", "integration": "I", "flow": "F", "created_at": time.time()}
            connection.execute(insert(runs).values(**values, state=state))

    await database.run(store)


async def retry(database: Database, run: str) -> str:
    again = ids.retry_id(run, ids.FIRST_RETRY)

    def copy(connection: Connection) -> None:
        values = {"id": again, "definition": "d", "integration": "I", "flow": "F", "created_at": time.time()}
        connection.execute(insert(runs).values(**values, state=RUNNING))
        connection.execute(update(runs).where(runs.c.id == run).values(state=RETRIED))

    await database.run(copy)
    return again


async def resource_of(database: Database, call: CallIdentity) -> str | None:
    named = select(intents.c.resource_id).where(intents.c.key == call.key)
    return (await database.run(lambda connection: connection.execute(named).scalar_one())) or None


@pytest.mark.parametrize("waits", [False, True])
async def test_a_call_that_is_proven_after_its_run_was_retried_is_not_made_again(
    database: Database,
    waits: bool,  # noqa: FBT001
) -> None:
    machine, first = Machine(database), call_of("run")
    await store_runs(database, run=RUNNING)
    await machine.guard.perform(first, FakeCall([LostError("lost")]))
    again = call_of(await retry(database, await retry(database, "run")))
    if waits:  # for its turn, as it was planned before the proof
        await machine.intents.plan(again)
    await machine.intents.confirm(first.key, PROVEN)
    assert (await machine.intents.claim(again, 0, "one")).attempt is None or not waits
    made = FakeCall([SENT])
    assert (await machine.guard.perform(again, made)) is None
    assert made.made == 0
    assert await resource_of(database, again) == PROVEN
    await machine.intents.confirm(first.key, PROVEN)  # the next callback about the same message
    assert await resource_of(database, first) is None


@pytest.mark.parametrize(
    ("step", "text", "made"), [("other", "text", 0), ("everyone[4].send", "new", 0), ("other", "new", 1)]
)
async def test_what_another_step_has_created_is_not_taken_for_the_result_of_the_one_that_is_in_its_place_now(
    database: Database, step: str, text: str, made: int
) -> None:
    machine, first = Machine(database), call_of("run")
    await store_runs(database, run=RUNNING)
    await machine.guard.perform(first, FakeCall([LostError("lost")]))
    again = call_of(await retry(database, "run"), step=step, text=text)
    await machine.intents.confirm(first.key, PROVEN)
    sending = FakeCall([SENT])
    await machine.guard.perform(again, sending)
    assert sending.made == made
    assert await resource_of(database, again) == (SENT if made else PROVEN)


async def test_a_proof_that_comes_while_the_run_that_has_taken_its_message_is_purged_is_none(
    new_database: Callable[[], str],
) -> None:
    database = Database(new_database())
    await asyncio.to_thread(database.create)
    store = IntentStore(database)
    await store_runs(database, taken=RUNNING, other=RUNNING)
    taken, other = call_of("taken"), call_of("other")
    for call in (taken, other):
        await store.plan(call)
        await store.claim(call, 0, "one")
    await store.confirm(taken.key, PROVEN)
    with database.engine.begin() as connection:
        remove_piece(connection, ["taken"], 0.0)
        proving = asyncio.create_task(store.confirm(other.key, PROVEN, wait_for_database=True))
        await until_blocked(proving, connection)
    await proving
    assert await resource_of(database, other) is None
    database.close()


async def test_what_is_proven_to_be_a_call_s_whose_run_is_then_purged_is_not_taken_by_one_that_has_just_seen_it(
    database: Database,
) -> None:
    store = IntentStore(database)
    await store_runs(database, proven=RUNNING, other=RUNNING)
    proven, other = call_of("proven"), call_of("other")
    for call in (proven, other):
        await store.plan(call)
        await store.claim(call, 0, "one")
        await store.doubt(call, 1)
    settling = Settle(other, 1, Settlement(JournalEntry(step_id="send", value={}), 0.0, PROVEN), ("in_doubt",))

    def settle(connection: Connection) -> Settling:
        batch = Batch(connection, database.now)
        batch.read([settling])
        # What others have stored since; on a server it need not be part of this transaction.
        connection.execute(update(intents).where(intents.c.key == proven.key).values(resource_id=PROVEN))
        remove_piece(connection, ["proven"], 0.0)
        result = settling.decide(batch)
        batch.write()
        return result

    assert await database.run(settle) == Settling.RESOURCE_TAKEN
    assert (await store.plan(other)).state == "in_doubt"
    assert await resource_of(database, other) is None
