"""Of the runs that wait for their turn in a conversation, the one is woken whose turn it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, insert, update

from twilio_component.durable.store.database import Database
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.run_status import CANCELLED
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import intents, runs, turns
from twilio_component.durable.store.waits import ORDER, conversations_behind, park, wake_next_in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

CONVERSATION = "c" * 64
RUNS = ("ada", "bob", "cy")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    opened.create()
    yield opened
    opened.close()


def take_turn(connection: Connection, run: str, number: int, state: str = "planned") -> None:
    """Store a call of a run whose turn in the conversation has this number."""
    key = f"{run}:{number}"
    call = {"key": key, "run": run, "step_id": "send", "fingerprint": "f", "limit_keys": "[]", "attempt": 0}
    connection.execute(insert(intents).values(**call, state=state, created_at=1.0))
    turn = {"key": key, "run": run, "conversation": CONVERSATION, "number": number, "taken_at": 1.0}
    connection.execute(insert(turns).values(turn))


async def store_runs(database: Database) -> None:
    store = RunStore(database)
    digest = await store.define("flow.yaml", "text")
    for run in RUNS:
        await store.accept(NewRun(id=run, definition=digest, integration="I", flow="F", payload={}))

    def park_all(connection: Connection) -> None:
        for run in RUNS:
            park(connection, run, ORDER, until=600.0)

    await database.run(park_all)


async def woken(database: Database) -> list[str]:
    def wake(connection: Connection) -> list[str]:
        found: list[str] = []
        wake_next_in_order(connection, CONVERSATION, lambda _connection, run, _workflow: found.append(run))
        return found

    return await database.run(wake)


async def test_a_turn_that_a_run_had_before_does_not_count(database: Database) -> None:
    await store_runs(database)

    def take_turns(connection: Connection) -> None:
        take_turn(connection, "cy", 1, state="settled")
        take_turn(connection, "bob", 2)
        take_turn(connection, "cy", 3)
        take_turn(connection, "ada", 4)

    await database.run(take_turns)
    assert [await woken(database) for _ in range(4)] == [["bob"], ["cy"], ["ada"], []]


async def test_a_run_that_was_stopped_keeps_its_wait_and_the_next_one_is_woken(database: Database) -> None:
    await store_runs(database)

    def take_turns(connection: Connection) -> None:
        take_turn(connection, "cy", 1)
        take_turn(connection, "bob", 2)
        connection.execute(update(runs).where(runs.c.id == "cy").values(state=CANCELLED))

    await database.run(take_turns)
    behind = [await database.run(partial(conversations_behind, run=run)) for run in RUNS]
    assert behind == [[], [], [CONVERSATION]]
    assert [await woken(database) for _ in range(2)] == [["bob"], []]
