"""What is stored of a run, in each kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, update
from support.statements import statements

from twilio_component.durable.store.database import Database
from twilio_component.durable.store.flow_state import store_value
from twilio_component.durable.store.journal import INITIAL_STATE
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.removal import PIECE
from twilio_component.durable.store.run_status import PAUSED, RETRIED, SUCCEEDED
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import items, journal, runs


def entry_times(connection: Connection, run: str) -> list[float]:
    """When the entries of the run's journal were made."""
    return [*connection.execute(select(journal.c.finished_at).where(journal.c.run == run)).scalars()]


async def test_a_run_is_stored_once_together_with_what_its_trigger_answered(url: str) -> None:
    database = Database(url)
    database.create()
    store = RunStore(database)
    definition = await store.define("flow.yaml", "text")
    first, again = (
        NewRun(
            id="run",
            definition=definition,
            integration="I",
            flow="F",
            payload={},
            trigger={"payload": {"said": said}},
            trigger_step="trigger",
        )
        for said in ("first", "again")
    )
    assert await store.accept(first)
    assert not await store.accept(again)
    kept = await store.entries("run", -2, 100)
    assert kept[0].value == {"envelope": {"payload": {"said": "first"}}}
    database.close()


async def test_of_many_that_are_stored_together_each_is_told_whether_it_is_new(url: str) -> None:
    database = Database(url)
    database.create()
    store = RunStore(database)
    digest = await store.define("f.yaml", "text")
    new = NewRun(id="b", definition=digest, integration="I", flow="F", payload={}, trigger_step="trigger")
    said = {letter: {"payload": {"said": letter}} for letter in "abc"}
    assert await store.accept(replace(new, id="a", trigger=said["a"]))
    first, same, other = (replace(new, trigger=said[letter]) for letter in "abc")
    silent = replace(new, id="c")
    known = replace(new, id="a", trigger=said["c"])
    assert await store.accept_all([silent, first, same, other, known]) == [True, True, False, False, False]
    assert (await store.entries("a", 0, 1))[0].value == {"envelope": said["a"]}
    assert (await store.entries("b", 0, 1))[0].value == {"envelope": said["a"]}
    assert await store.entries("c", 0, 1) == {}
    database.close()


@pytest.mark.parametrize("state", [PAUSED, SUCCEEDED, RETRIED])
async def test_what_a_run_starts_is_stored_only_while_that_is_running(url: str, state: str) -> None:
    database = Database(url)
    database.create()
    store = RunStore(database)
    parent = NewRun(id="run", definition=await store.define("f.yaml", "t"), integration="I", flow="F", payload={})
    child, late = (replace(parent, id=run, parent="run") for run in ("run.1", "run.2"))
    assert not (await store.accept_all([child]))[0], "nobody starts it yet"
    assert await store.accept_all([parent]) == [True]
    assert await store.accept_all([child]) == [True]
    await database.run(
        lambda connection: connection.execute(update(runs).where(runs.c.id == "run").values(state=state))
    )
    assert await store.accept_all([late, child]) == [False, False]
    assert await store.load("run.2") is None
    database.close()


async def test_many_who_ask_for_states_get_their_own(url: str) -> None:
    database = Database(url)
    database.create()
    store = RunStore(database)
    with database.engine.begin() as connection:
        store_value(connection, "one", "count", [1])
        store_value(connection, "two", "count", [2])
    wanted = [{"x": "one"}, {"x": "one", "y": "two"}, {"x": "three"}]
    first, second, third = await store.stored_states(wanted)
    assert (first, third) == ({"x": {"count": [1]}}, {"x": {}})
    assert second == {"x": {"count": [1]}, "y": {"count": [2]}}
    first["x"]["count"].append(3)
    assert second["x"] == {"count": [1]}
    database.close()


async def begun(database: Database, *ids: str) -> RunStore:
    store = RunStore(database)
    digest = await store.define("f.yaml", "text")
    for run in ids:
        new = NewRun(id=run, definition=digest, integration="I", flow="F", payload={"body": {}})
        await store.accept(replace(new, trigger={"payload": {"a": 1}}, trigger_step="trigger"))
    return store


async def finish(store: RunStore, run: str, changes: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> Any:
    return await store.finish(run, SUCCEEDED, error=None, response=None, keep_payloads=False, changes=changes)


async def test_a_run_that_begins_twice_begins_with_the_state_that_it_was_given_first(database: Database) -> None:
    store = RunStore(database)
    definition = await store.define("flow.yaml", "text")
    await store.accept(NewRun(id="run", definition=definition, integration="I", flow="F", payload={}))
    for value in (1, 2):
        await database.run(partial(store_value, scope="I/F", name="n", value=value))
        opened = await store.open("run", 10)
        assert opened is not None
        assert (opened.state["instanceState"], opened.goes_on) == ({"n": 1}, value == 2)


async def test_a_run_that_was_paused_before_its_end_could_be_stored_keeps_what_it_needs_to_continue(url: str) -> None:
    database = Database(url)
    database.create()
    store = await begun(database, "one")
    before = await store.entries("one", INITIAL_STATE, 10)
    await database.run(lambda connection: connection.execute(update(runs).values(state=PAUSED)))
    assert await finish(store, "one") == PAUSED
    assert await store.entries("one", INITIAL_STATE, 10) == before
    assert await finish(store, "purged") is None
    database.close()


async def test_a_response_to_a_webhook_is_kept_while_it_may_be_asked_for_again(url: str) -> None:
    database = Database(url)
    database.create()
    store = await begun(database, "web-1", "web-2", "mcp-1")

    async def end(*ids: str) -> None:
        for run in ids:
            await store.finish(
                run, SUCCEEDED, error=None, response={"body": run}, keep_payloads=False, changes=MappingProxyType({})
            )

    await end("web-1", "mcp-1")
    await database.run(lambda connection: connection.execute(update(runs).values(finished_at=runs.c.finished_at - 60)))
    await end("web-2")
    assert await store.forget_responses(50) == 1
    left = [await store.outcome(run) for run in ("web-1", "web-2", "mcp-1")]
    assert [one and one["response"] for one in left] == [None, {"body": "web-2"}, {"body": "mcp-1"}]
    database.close()


async def test_two_runs_that_keep_something_new_under_one_name_both_end(new_database: Callable[[], str]) -> None:
    database = Database(new_database())
    database.create()
    store = await begun(database, "one", "two")
    first = database.engine.connect()
    store_value(first, "scope", "name", 1)
    second = asyncio.create_task(finish(store, "two", {"scope": {"name": 2}}))
    await asyncio.sleep(0.3)
    assert not second.done()
    first.commit()
    first.close()
    assert await second == SUCCEEDED
    assert await store.stored_state({"instanceState": "scope"}) == {"instanceState": {"name": 2}}
    database.close()


async def test_a_list_is_purged_in_small_transactions_and_leaves_nothing(database: Database) -> None:
    store = RunStore(database)
    digest = await store.define("flow.yaml", "text")
    await store.accept(NewRun(id="list", definition=digest, integration="I", flow="F", payload={}))
    states = ["succeeded"] * (2 * PIECE + 1) + ["failed"]
    rows = [
        {"id": f"list#{number}", "run": "list", "ordinal": 1, "number": number, "state": state}
        for number, state in enumerate(states)
    ]
    await database.run(lambda connection: connection.execute(insert(items), rows))
    deleted: list[int] = []

    def count(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE FROM flow_items"):
            deleted.append(cursor.rowcount)

    event.listen(database.engine, "after_cursor_execute", count)
    await store.forget(["list"])
    assert deleted == [PIECE, PIECE, 2]
    assert await database.run(lambda connection: connection.execute(select(items)).all()) == []
    assert await store.load("list") is None


async def test_a_run_begins_with_four_statements_in_one_transaction(url: str) -> None:
    database = Database(url)
    database.create()
    store = RunStore(database)
    digest = await store.define("f.yaml", "text")
    await store.accept(NewRun(id="run", definition=digest, integration="I", flow="F", payload={}, trigger_step="t"))
    begins: list[object] = []
    event.listen(database.engine, "begin", begins.append)
    with statements(database.engine) as executed:
        opened = await store.open("run", 10)
    assert opened is not None
    assert not opened.goes_on
    asked = [one.text for one in executed if one.text.startswith(("SELECT", "INSERT", "UPDATE"))]
    assert (len(asked), len(begins)) == (4, 1)
    again = await store.open("run", 10)
    assert again is not None
    assert again.goes_on
    begun = await database.run(lambda connection: entry_times(connection, "run"))
    assert begun[0] == pytest.approx(await database.run(database.now), abs=60)
    database.close()
