"""Work that is committed together stands or falls by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import IntegrityError
from support.statements import statements

from twilio_component.durable.store.database import Database
from twilio_component.durable.store.group_commit import GroupCommit

if TYPE_CHECKING:
    from concurrent.futures import Future


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    database = Database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    database.create()
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
    yield database.engine
    database.close()


def add(number: int) -> Any:
    return lambda connection: connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number}).rowcount


def count(connection: Connection) -> Any:
    return connection.execute(text("SELECT count(*) FROM t")).scalar_one()


def together(group: GroupCommit, works: list[Any]) -> list[Future[Any]]:
    """Submit works while the thread is busy, so that they are committed as one."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        go_on.wait(10)

    group.submit(hold)
    begun.wait(10)
    futures = [group.submit(work) for work in works]
    go_on.set()
    return futures


def test_what_has_come_meanwhile_is_committed_as_one_and_each_gets_its_own_answer(engine: Engine) -> None:
    commits: list[Connection] = []
    event.listen(engine, "commit", commits.append)
    group = GroupCommit(engine)
    futures = together(group, [add(number) for number in range(10)])
    assert [future.result(10) for future in futures] == [1] * 10
    assert len(commits) == 2
    assert group.submit(count).result(10) == 10
    group.close()


def test_work_that_fails_takes_nothing_of_the_others_with_it(engine: Engine) -> None:
    def half(connection: Connection) -> None:
        add(7)(connection)
        add(1)(connection)

    group = GroupCommit(engine)
    first, failing, last = together(group, [add(1), half, add(2)])
    assert (first.result(10), last.result(10)) == (1, 1)
    with pytest.raises(IntegrityError):
        failing.result(10)
    assert group.submit(count).result(10) == 2
    group.close()


def test_when_the_commit_fails_nobody_is_told_that_it_happened(engine: Engine) -> None:
    group = GroupCommit(engine)
    failures = [RuntimeError("disk full")]

    def refuse(_: Connection) -> None:
        if failures:
            raise failures.pop()

    event.listen(engine, "commit", refuse)
    futures = [group.submit(add(1))]
    for future in futures:
        with pytest.raises(RuntimeError):
            future.result(10)
    event.remove(engine, "commit", refuse)
    assert group.submit(count).result(10) == 0
    group.close()


def test_work_that_was_given_up_before_it_began_is_not_done(engine: Engine) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        go_on.wait(10)

    group = GroupCommit(engine)
    group.submit(hold)
    begun.wait(10)
    given_up, kept = group.submit(add(1)), group.submit(add(2))
    assert given_up.cancel()
    go_on.set()
    assert kept.result(10) == 1
    assert group.submit(count).result(10) == 1
    group.close()


def test_what_was_submitted_before_the_end_is_done(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'b.sqlite'}")
    group = GroupCommit(engine)
    future = group.submit(lambda connection: connection.execute(text("SELECT 1")).scalar_one())
    group.close()
    assert future.result(0) == 1
    engine.dispose()


def test_work_that_comes_alone_stands_or_falls_with_its_transaction(engine: Engine) -> None:
    group = GroupCommit(engine)
    with statements(engine) as executed:
        assert group.submit(add(1)).result(10) == 1

        def fail(connection: Connection) -> None:
            add(2)(connection)
            add(1)(connection)

        with pytest.raises(IntegrityError):
            group.submit(fail).result(10)
        assert group.submit(count).result(10) == 1
    group.close()
    assert [one.text.split()[0] for one in executed] == [
        "BEGIN",
        "INSERT",
        "BEGIN",
        "INSERT",
        "INSERT",
        "BEGIN",
        "SELECT",
    ]
