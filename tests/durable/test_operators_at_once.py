"""Operators who do something with one run at the same moment, and purges beside them: one of them wins, and says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, select, update
from support.engine import serving
from support.long_lists import QUICK, flow, people, sent
from support.slow_transport import SlowFirstMessage
from support.waiting import until

from twilio_component.durable.errors import DurableError, RunStateError
from twilio_component.durable.operator import loop_retry
from twilio_component.durable.operator import retry as retrying
from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import removal
from twilio_component.durable.store.database import Database, transaction
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import items, runs
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from twilio_component.durable.fanout.store import LoopKey


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_a_run_that_is_being_retried_is_not_resumed_or_cancelled_by_another_operator(
    tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, numbers, url = Emulator(), people(tmp_path, 4), new_database()
    emulator.faults.api_error(20003, status=401, times=1, operation="messages.create")
    async with serving(tmp_path, flow(1), emulator=emulator, settings=QUICK, database=url) as served:
        assert (await served.run("one"))["state"] == "stopped"
        other = Database(url)
        second, loop, tried = Operations(other), asyncio.get_running_loop(), list[Any]()
        copy = retrying._copy

        async def try_both() -> list[Any]:
            return list(await asyncio.gather(second.resume("one"), second.cancel("one"), return_exceptions=True))

        def copy_while_others_try(*arguments: Any) -> Any:
            tried.extend(asyncio.run_coroutine_threadsafe(try_both(), loop).result(60))
            return copy(*arguments)

        monkeypatch.setattr(retrying, "_copy", copy_while_others_try)
        again = await Operations(served.engine.database).retry("one")
        assert [isinstance(one, DurableError) for one in tried] == [True, True]
        for late in (second.resume, second.cancel, second.retry):
            with pytest.raises(RunStateError, match="'one' was run again as 'one~2'"):
                await late("one")
        ended = await served.engine.wait_for_outcome(again, 60)
        other.close()
        assert ended is not None
        assert ended["state"] == "succeeded"
    assert sent(emulator) == dict.fromkeys(numbers, 1)


async def test_an_item_that_ends_while_its_list_is_copied_is_copied_as_it_was_at_one_moment(
    tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 4)
    network, loop = SlowFirstMessage(emulator, 60), asyncio.get_running_loop()
    emulator.faults.api_error(20003, status=401, times=1, operation="messages.create")
    settings = Settings(timeout=60, lag_bound=0.2)
    async with serving(tmp_path, flow(2), transport=network, settings=settings, database=new_database()) as served:
        database, copy = served.engine.database, loop_retry._copy

        def states(connection: Connection) -> list[str]:
            return list(connection.execute(select(items.c.state).where(items.c.run == "one")).scalars())

        def copy_while_one_ends(connection: Connection, table: Any, changes: Any, key: LoopKey) -> None:
            copy(connection, table, changes, key)
            if table is items:
                loop.call_soon_threadsafe(network.arrive.set)
                until(lambda: "succeeded" in transaction(database.engine, states), "the first item has succeeded")

        monkeypatch.setattr(loop_retry, "_copy", copy_while_one_ends)
        assert (await served.run("one"))["state"] == "stopped"
        again = await Operations(database).retry("one")
        await served.engine.wait_for_outcome(again, 60)
        (copied,) = await LoopViews(database).loops(again)
        assert copied["unknown"] == 1
    assert sent(emulator) == dict.fromkeys(numbers, 1)


async def test_a_run_that_is_resumed_as_a_purge_looks_is_not_deleted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(url)
    database.create()
    store = RunStore(database)
    digest = await store.define("file", "text")
    for run in ("kept", "purged"):
        await store.accept(NewRun(id=run, definition=digest, integration="Test", flow="Main", payload={}))
    ended = {"state": "cancelled", "finished_at": 100.0}
    await database.run(lambda connection: connection.execute(update(runs).values(ended)))
    resumed = update(runs).where(runs.c.id == "kept").values(state="running", finished_at=None)
    find = removal.due_runs

    def find_and_resume(connection: Connection, *arguments: Any) -> Any:
        found = find(connection, *arguments)
        if database.is_sqlite:  # where others wait for the purge
            connection.execute(resumed)
        else:
            transaction(database.engine, lambda other: other.execute(resumed))
        return found

    monkeypatch.setattr(removal, "due_runs", find_and_resume)
    assert await store.give_up_before(200.0, 10) == ["purged"]
    states = dict(await database.run(lambda connection: connection.execute(select(runs.c.id, runs.c.state)).all()))
    assert states == {"kept": "running", "purged": "purged"}
    database.close()
