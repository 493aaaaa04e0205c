"""The lease of a process among others: without it nothing is taken, and what a process without one has is recovered."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Select, create_engine, func, insert, select, text
from support.engine import COUNT, serving

from twilio_component.durable.recovery import worker_lease
from twilio_component.durable.recovery.worker_lease import WorkerLease
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.schema import workers
from twilio_component.durable.store.worker_locks import worker_lock
from twilio_component.durable.store.workflow_rows import VERSION


async def test_a_process_without_its_lease_takes_nothing_from_the_queue(
    tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, COUNT, database=new_database()) as served:
        assert (await served.run("before"))["state"] == "succeeded"
        with monkeypatch.context() as patched:
            patched.setattr(WorkerLease, "held", property(lambda _: False))
            await asyncio.sleep(0.3)  # the queue may be looking at this moment
            await served.begin("meanwhile")
            assert await served.engine.wait_for_outcome("meanwhile", 1.5) is None
        outcome = await served.engine.wait_for_outcome("meanwhile", 20)
        assert outcome["state"] == "succeeded"


async def test_what_an_executor_has_that_holds_no_lease_and_is_in_no_table_is_recovered(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    database = new_database()
    async with serving(tmp_path, COUNT, database=database, settings=Settings(keep_payloads=True)) as served:
        await served.run("first")

        def orphan(connection: Connection) -> None:
            connection.execute(
                text("UPDATE dbos.workflow_status SET status = 'PENDING', executor_id = 'ghost', output = NULL")
            )
            connection.execute(text("UPDATE flow_runs SET state = 'running', finished_at = NULL"))

        await served.engine.database.run(orphan)
        outcome = await served.engine.wait_for_outcome("first", 20)
        assert outcome is not None
        assert outcome["state"] == "succeeded"


async def test_a_task_that_is_cancelled_as_the_database_answers_is_cancelled(new_database: Callable[[], str]) -> None:
    database = Database(new_database())
    await asyncio.to_thread(database.create)
    lease = WorkerLease(database, "leaving", (VERSION,))
    await lease.join()
    ended = []
    for turns in range(6):  # of the event loop, between the answer and the cancellation
        asked, answered = threading.Event(), threading.Event()

        def ask(_: Connection, asked: threading.Event = asked, answered: threading.Event = answered) -> str:
            asked.set()
            answered.wait()
            return "found"

        asking = asyncio.create_task(lease._on_thread(ask))
        await asyncio.to_thread(asked.wait)
        answered.set()
        time.sleep(0.02)  # the event loop has something else to do meanwhile
        for _ in range(turns):
            await asyncio.sleep(0)
        if asking.cancel():
            await asyncio.wait([asking])
            ended.append(asking.cancelled())
    await lease.leave()
    database.close()
    assert set(ended) == {True}


async def test_a_process_that_stops_recovers_nothing_and_reports_no_error(
    tmp_path: Path,
    new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(worker_lease, "BEAT_SECONDS", 0.05)
    async with serving(tmp_path, COUNT, database=(url := new_database())) as served:

        async def drain() -> None:  # as requests under way take their time
            add = insert(workers).values(worker_id="gone")
            await served.engine.database.run(lambda connection: connection.execute(add))
            await asyncio.sleep(0.3)

        monkeypatch.setattr(served.engine.guard, "drain", drain)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    left = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with left.connect() as connection:
        assert "gone" in connection.execute(select(workers.c.worker_id)).scalars().all()
    left.dispose()


async def test_a_busy_event_loop_does_not_delay_the_heartbeat(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_lease, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(worker_lease, "_ANSWER_SECONDS", 1.0)
    database = Database(new_database())
    await asyncio.to_thread(database.create)
    lease = WorkerLease(database, "busy", (VERSION,))
    await lease.join()
    time.sleep(2.5)
    held_while_busy = lease.held
    await lease.leave()
    assert held_while_busy
    database.close()


async def test_a_lock_that_is_got_too_late_does_not_keep_a_process_out_that_was_only_frozen(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(new_database())
    await asyncio.to_thread(database.create)
    lease = WorkerLease(database, "living", (VERSION,))
    await lease.join()
    recovered: list[str] = []

    async def recover(other: str) -> None:
        recovered.append(other)

    def lock_slowly(connection: Connection, worker_id: str) -> bool:
        time.sleep(0.5)
        return bool(connection.execute(locking(worker_id)).scalar_one())

    monkeypatch.setattr(lease, "_others", lambda _connection: ["frozen"])
    with monkeypatch.context() as patched:
        patched.setattr(worker_lease, "_ANSWER_SECONDS", 0.2)
        patched.setattr(worker_lease, "_try_lock", lock_slowly)
        with pytest.raises(TimeoutError):
            await lease._recover_dead(recover)
    await lease._on_thread(lambda _connection: None)  # its thread has done all that it was asked for before
    with database.engine.connect() as frozen:
        assert frozen.execute(locking("frozen")).scalar_one()
    assert recovered == []
    await lease.leave()
    database.close()


def locking(worker_id: str) -> Select[bool]:
    return select(func.pg_try_advisory_lock(worker_lock(worker_id)))
