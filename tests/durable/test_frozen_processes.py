"""What a process that has frozen has locked in Postgres holds up only what needs the same, and not for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text
from support.engine import SEND, serving

from twilio_component.durable.errors import StoreBusyError, StoreUnavailableError
from twilio_component.durable.store import database as database_module
from twilio_component.durable.store.database import Database, transaction
from twilio_component.durable.store.one_at_a_time import OneAtATime
from twilio_component.durable.store.queues import QueueSlot, lock_queue
from twilio_component.durable.store.schema import events, queues

pytestmark = pytest.mark.anyio

LOCKED = ("Test/One", "Test/Two", "Test/Three")


def wait_for_locks(monkeypatch: pytest.MonkeyPatch, milliseconds: int) -> None:
    monkeypatch.setattr(database_module, "_LOCK_WAIT", text(f"SET LOCAL lock_timeout = {milliseconds}"))


@pytest.mark.parametrize("thaws", [True, False])
async def test_requests_that_need_a_locked_queue_wait_or_are_refused_and_hold_up_no_others(
    new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, thaws: bool
) -> None:
    wait_for_locks(monkeypatch, 60_000 if thaws else 50)
    async with serving(tmp_path, SEND, database=new_database()) as served:
        engine, of_run = served.engine, await served.new_run("run")
        slots = [QueueSlot(queue=name) for name in LOCKED]
        for number, slot in enumerate(slots):
            assert await engine.begin(replace(of_run, id=f"first-{number}", slot=slot))
        holder = Database(engine.database.url)
        with holder.engine.begin() as frozen:
            for name in LOCKED:
                lock_queue(frozen, name)
            # More than there are threads for requests, and than may wait patiently.
            waiting = [
                asyncio.create_task(engine.begin(replace(of_run, id=f"queued-{number}", slot=slots[number % 3])))
                for number in range(30)
            ]
            others = [engine.begin(replace(of_run, id=f"other-{number}")) for number in range(30)]
            async with asyncio.timeout(30):
                assert await asyncio.gather(*others) == [True] * 30
            assert not thaws or not any(one.done() for one in waiting)
            refused = [] if thaws else await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in refused} <= {StoreBusyError}
        if thaws:
            assert await asyncio.gather(*waiting) == [True] * 30
        else:
            assert await engine.begin(replace(of_run, id="queued-0", slot=slots[0]))
        holder.close()


async def test_a_transaction_of_a_process_that_has_frozen_is_ended_by_the_server(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Database(new_database())
    own.create()
    assert await own.run(_setting) == "5s"
    assert await own.run_until_available(_setting) == "5s"
    monkeypatch.setattr(database_module, "_SERVER_OPTIONS", "-c idle_in_transaction_session_timeout=100")
    other = Database(own.url)

    def freeze(connection: Connection) -> None:
        connection.execute(queues.insert().values(name="Q", run_limit=1, last_number=0))
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        ended = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
        while transaction(own.engine, lambda looking: looking.execute(ended, {"pid": pid}).scalar_one()):
            pass
        connection.execute(select(events))

    reason = "this process did nothing for too long in a transaction"
    with pytest.raises(StoreUnavailableError, match=reason):
        await other.run(freeze)
    assert await own.run(lambda connection: connection.execute(select(queues)).all()) == []
    own.close()
    other.close()


def _setting(connection: Connection) -> str:
    return str(connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one())


async def test_what_waits_behind_one_that_does_not_get_a_lock_fails_with_it_and_the_next_tries_anew() -> None:
    lines, begun = OneAtATime(), list[str]()
    locked = asyncio.Event()

    async def work(name: str) -> str:
        begun.append(name)
        if name == "first":
            await locked.wait()
            raise StoreBusyError("busy")
        return name

    first, behind = (asyncio.create_task(lines.do("Q", lambda name=name: work(name))) for name in ("first", "behind"))  # type: ignore[misc]
    await asyncio.sleep(0)
    assert await lines.do("another", lambda: work("another")) == "another"
    locked.set()
    failed = await asyncio.gather(first, behind, return_exceptions=True)
    assert [type(one) for one in failed] == [StoreBusyError, StoreBusyError]
    assert await lines.do("Q", lambda: work("next")) == "next"
    assert begun == ["first", "another", "next"]
    assert not lines._lines
