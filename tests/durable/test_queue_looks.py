"""Threads that wait for work look for all queues together, and at once for what this process has enqueued."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from support.engine import COUNT, serving
from support.statements import statements
from support.waiting import PATIENCE, until

from twilio_component.durable.execution import queue_looks
from twilio_component.durable.execution.queue_looks import QueueLooks, look_cheaply
from twilio_component.durable.execution.run_queue import CHUNKS, RUNS
from twilio_component.durable.store.after_commit import after_commit
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.workflow_rows import VERSION

NEVER = 10_000.0


class Work:
    """The queues that have work, as looks find it."""

    def __init__(self) -> None:
        self.looks = 0
        self.queues: set[str] = set()
        self.during_look: Callable[[], None] = lambda: None

    def look(self) -> Collection[str]:
        self.looks += 1
        found = set(self.queues)
        self.during_look()
        return found


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Work of which looks are told: by themselves they look once, at the beginning."""
    monkeypatch.setattr(queue_looks, "_BUSY_SECONDS", NEVER)
    return Work()


def waiting(looks: QueueLooks, queue: str) -> threading.Thread:
    thread = threading.Thread(target=looks.wait_for_work, args=(queue,), daemon=True)
    thread.start()
    return thread


def join(thread: threading.Thread) -> None:
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_one_look_is_for_all_queues_and_only_those_with_work_continue(work: Work) -> None:
    looks = QueueLooks(work.look)
    runs, chunks = waiting(looks, RUNS), waiting(looks, CHUNKS)
    until(lambda: work.looks == 1, "the first look")
    work.queues = {CHUNKS}
    looks.notice(at_once=True)
    join(chunks)
    assert runs.is_alive()
    work.queues = {RUNS, CHUNKS}
    looks.notice(at_once=True)
    join(runs)
    assert work.looks == 3
    looks.wait_for_work(CHUNKS)  # the same look has found this
    assert work.looks == 3


def test_what_is_noticed_during_a_look_is_looked_for_again(work: Work) -> None:
    looks = QueueLooks(work.look)

    def commit_too_late_for_this_look() -> None:
        work.during_look = lambda: None
        work.queues = {RUNS}
        looks.notice(at_once=True)

    work.during_look = commit_too_late_for_this_look
    join(waiting(looks, RUNS))
    assert work.looks == 2


def test_what_can_wait_is_found_with_the_next_look(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = QueueLooks(work.look)
    runs = waiting(looks, RUNS)
    until(lambda: work.looks == 1, "the first look")
    work.queues = {RUNS}
    looks.notice(at_once=False)
    assert runs.is_alive()
    monkeypatch.setattr(queue_looks, "_BUSY_SECONDS", 0.01)
    looks.notice(at_once=False)
    join(runs)


def test_a_look_that_fails_fails_for_one_thread_and_the_others_look_again(work: Work) -> None:
    looks = QueueLooks(work.look)

    def fail() -> None:
        raise OSError("the database is away")

    work.during_look = fail
    with pytest.raises(OSError, match="away"):
        looks.wait_for_work(RUNS)
    work.during_look = lambda: None
    work.queues = {CHUNKS}
    chunks = waiting(looks, CHUNKS)
    looks.notice(at_once=True)
    join(chunks)


def test_nobody_waits_once_looks_are_closed(work: Work) -> None:
    looks = QueueLooks(work.look)
    threads = [waiting(looks, RUNS), waiting(looks, CHUNKS)]
    looks.close()
    for thread in threads:
        join(thread)
    looks.wait_for_work(RUNS)


def test_without_work_looks_become_rare(monkeypatch: pytest.MonkeyPatch, work: Work) -> None:
    monkeypatch.setattr(queue_looks, "_BUSY_SECONDS", 0.001)
    monkeypatch.setattr(queue_looks, "_IDLE_SECONDS", NEVER)
    monkeypatch.setattr(queue_looks, "_CALM_SECONDS", 0.05)
    looks = QueueLooks(work.look)
    runs = waiting(looks, RUNS)
    until(lambda: looks._next_look > time.monotonic() + NEVER / 2, "looks have become rare")
    before = work.looks
    work.queues = {RUNS}
    looks.notice(at_once=True)
    join(runs)
    assert work.looks == before + 1


async def test_an_engine_looks_with_one_statement_for_all_queues_and_leaves_out_what_never_happens(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, COUNT) as served:
        engine = served.engine
        rows: Any = engine._dbos._sys_db
        assert engine._looks is not None
        engine._looks.close()  # so that a thread that asks for its queue does not wait
        assert {rows.get_queue(name).name for name in (RUNS, CHUNKS)} == {RUNS, CHUNKS}
        with statements(rows.engine, of_this_thread=True) as executed:
            assert engine._looks._look() == set()
            assert len(executed) == 1
            assert rows.get_queue(RUNS).name == RUNS
            assert {queue.name for queue in rows.list_queues(application_name="any")} == {RUNS, CHUNKS}
            rows.transition_delayed_workflows()
            assert rows.cancel_timed_out_workflows(10) == []
            assert len(executed) == 1


async def test_while_webhooks_crowd_a_look_takes_few_runs_but_any_number_of_chunks(tmp_path: Path) -> None:
    async with serving(tmp_path, COUNT) as served:
        engine = served.engine
        assert engine._looks is not None
        engine._looks.close()
        engine.work.is_draining = True  # nobody else takes anything

        class Taking:
            def __init__(self) -> None:
                self.room: list[int] = []

            def start_queued_workflows(self, queue: Any, *given: Any, **_options: Any) -> tuple[list[str], None]:
                self.room.append(queue._worker_concurrency - given[3])
                return [], None

            get_queue_partitions = get_queue = list_queues = start_queued_workflows
            transition_delayed_workflows = cancel_timed_out_workflows = start_queued_workflows

        rows: Any = Taking()
        look_cheaply(rows, (RUNS, CHUNKS), lambda: True, engine._most_at_once)
        queues = [await engine._queue.client.retrieve_queue_async(name) for name in (RUNS, CHUNKS)]
        for _ in range(2):
            for queue in queues:
                rows.start_queued_workflows(queue, "serve", VERSION, None, 5)
            engine._accepting._crowded_until = float("inf")
        rows.start_queued_workflows(queues[0], "serve", VERSION, None, 995)
        assert rows.room == [995, 95, 10, 95, 5]


async def test_a_process_that_may_be_held_for_dead_takes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, COUNT) as served:
        rows = served.engine._dbos._sys_db
        queue = await served.engine._queue.client.retrieve_queue_async(RUNS)
        assert queue is not None
        served.engine.work.is_draining = True
        with statements(rows.engine, of_this_thread=True) as executed:
            assert rows.start_queued_workflows(queue, "serve", VERSION, None) == ([], None)
            assert rows.get_queue_partitions(CHUNKS) == []
        assert executed == []


async def test_a_run_that_this_process_enqueues_does_not_wait_for_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_looks, "_BUSY_SECONDS", NEVER)
    async with serving(tmp_path, COUNT) as served:
        await served.engine.runs.accept(await served.new_run("enqueued"))
        await served.engine._enqueue(["enqueued"])
        outcome = await served.engine.wait_for_outcome("enqueued", PATIENCE)
        assert outcome is not None
        assert outcome["state"] == "succeeded"


async def test_what_follows_a_commit_is_done_once_and_not_after_a_failure(url: str) -> None:
    database = Database(url)
    database.create()
    done: list[str] = []

    def note() -> None:
        done.append("committed")

    def twice(connection: object) -> None:
        after_commit(connection, note)  # type: ignore[arg-type]
        after_commit(connection, note)  # type: ignore[arg-type]
        assert done == []

    def fails(connection: object) -> None:
        after_commit(connection, note)  # type: ignore[arg-type]
        connection.exec_driver_sql("SELECT * FROM nowhere")  # type: ignore[attr-defined]

    await database.run(twice)
    assert done == ["committed"]
    if not database.is_sqlite:  # whose transactions are shared: each piece of work fails alone
        with pytest.raises(Exception, match="nowhere"):
            await database.run(fails)
        await database.run(lambda _connection: None)
        assert done == ["committed"]
    database.close()
