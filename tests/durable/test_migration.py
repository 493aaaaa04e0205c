"""A release goes on with what the one before has stored, and leaves alone what a later one has changed."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Index, Integer, MetaData, String, Table, func, inspect, select, text
from support.engine import TO, serving
from support.stored_runs import ASK, FLOWS
from support.waiting import until_async

from twilio_component.durable.engine import Engine
from twilio_component.durable.errors import DurableError
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import migration, schema
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.migration import NewerDatabaseError, migrate
from twilio_component.durable.store.worker_locks import worker_lock
from twilio_component.durable.store.workflow_rows import EARLIER_VERSIONS, VERSION, adopt_workflows
from twilio_component.emulator import Emulator
from twilio_component.host.questions import Reply
from twilio_component.twilio.questions import conversation

DATABASES = Path(__file__).parents[2] / "fixtures" / "databases"
FOR_EVER = Settings(timeout=0.5, lag_bound=0.2, keep_days=3650)


@pytest.fixture
def new_database(empty_database: Callable[[], str]) -> Callable[[], str]:
    """Makes an empty database: here the tables are made."""
    return empty_database


def restore(dump: Path, folder: Path) -> Path:
    file = folder / "runs.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    return file


def layout(database: Database) -> dict[str, Any]:
    looking = inspect(database.engine)
    tables = [name for name in looking.get_table_names() if name.startswith("flow_")]
    return {
        name: (
            sorted((column["name"], str(column["type"]), column["nullable"]) for column in looking.get_columns(name)),
            sorted((str(index["name"]), index["column_names"], index["unique"]) for index in looking.get_indexes(name)),
        )
        for name in tables
    }


@pytest.fixture
def opened() -> Iterator[Callable[[str], Database]]:
    databases: list[Database] = []

    def open_(url: str) -> Database:
        databases.append(Database(url))
        return databases[-1]

    yield open_
    for database in databases:
        database.close()


@pytest.mark.parametrize("dump", sorted(DATABASES.glob("*.sql")), ids=lambda dump: dump.stem)
def test_a_migrated_database_is_like_a_new_one(dump: Path, tmp_path: Path, opened: Callable[[str], Database]) -> None:
    migrated = opened(f"sqlite:///{restore(dump, tmp_path)}")
    migrated.create()
    new = opened(f"sqlite:///{tmp_path / 'new.sqlite'}")
    new.create()
    assert layout(migrated) == layout(new)


@pytest.mark.parametrize("dump", sorted(DATABASES.glob("*.sql")), ids=lambda dump: dump.stem)
async def test_the_runs_of_the_release_before_continue_and_send_each_message_once(dump: Path, tmp_path: Path) -> None:
    file = restore(dump, tmp_path)
    emulator = Emulator()
    async with serving(tmp_path, FLOWS, emulator=emulator, settings=FOR_EVER, database=f"sqlite:///{file}") as served:
        engine, operations = served.engine, Operations(served.engine.database)

        async def end(run: str) -> str:
            ended = await engine.wait_for_outcome(run, 20)
            assert ended is not None, run
            return str(ended["state"])

        # What was interrupted had sent its first message, and one item of the list had not begun.
        await operations.resume("paused")
        assert [await end(run) for run in ("interrupted", "paused")] == ["succeeded", "succeeded"]
        texts = [message.body for message in emulator.messages if message.to == "+15558675310"]
        assert texts == ["the second message"] * 2
        await until_async(lambda: len(emulator.messages) == 5, "the list has gone on")
        listed = {message.to: message.body for message in emulator.messages if message.to != "+15558675310"}
        assert listed == {
            "+15558675311": "the second message",
            "+15558675312": "the first message",
            "+15558675313": "the second message",
        }
        assert await served.engine.stored_state({"instanceState": "Test/Send"}) == {"instanceState": {"n": 3}}
        again = await operations.retry("failed")
        assert await end(again) == "succeeded"
        await operations.resolve("unknown")
        assert await end("unknown") == "resolved"
        assert not await served.begin("succeeded", "Send")
        await operations.cancel("list")  # its second item sleeps for a minute


async def test_a_question_that_was_asked_before_an_update_is_answered_after_it(tmp_path: Path) -> None:
    file = restore(DATABASES / "format-0-questions.sql", tmp_path)
    with closing(sqlite3.connect(file)) as connection:  # however long ago the database was stored
        later = [time.time() + 3600]
        assert connection.execute("UPDATE flow_questions SET until = ?", later).rowcount == 1
        assert connection.execute("UPDATE flow_waits SET until = ?", later).rowcount == 1
        connection.commit()
    emulator, url = Emulator(), f"sqlite:///{file}"
    async with serving(tmp_path, FLOWS + ASK, emulator=emulator, settings=FOR_EVER, database=url) as served:
        (wait,) = (await RunViews(served.engine.database).show("asked"))["waits"]
        assert wait["text"] == "waits for ***10's reply"
        account = served.definition.values.by_name["Twilio"]["fields"]["username"]
        data = {"messageSid": "SM1", "body": "yes", "optOutType": None}
        said = Reply(id="SM1", conversations=[conversation(account, "+15017122661", TO)], data=data)
        assert not await served.engine.begin(replace(await served.new_run("web-SM1"), reply=said))
        ended = await served.engine.wait_for_outcome("asked", 20)
        assert ended is not None
        assert json.loads(ended["response"]["body"])["answer"] is True


def newer_schema() -> MetaData:
    """The schema of a later release: a column, an index and a table more."""
    later = MetaData()
    for table in schema.metadata.tables.values():
        table.to_metadata(later)
    runs = later.tables["flow_runs"]
    runs.append_column(Column("mood", String(20)))
    Index("flow_runs_by_mood", runs.c.mood)
    Table("flow_moods", later, Column("name", String(20), primary_key=True))
    return later


async def test_processes_of_both_releases_work_on_one_database_while_it_is_updated(
    new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[str], Database]
) -> None:
    url, emulator = new_database(), Emulator()
    one_send = FLOWS[FLOWS.index("  - name: Send") : FLOWS.index("  - name: List")]
    async with serving(tmp_path, one_send, emulator=emulator, database=url) as old:
        await old.begin("before", "Send")
        monkeypatch.setattr(migration, "metadata", newer_schema())
        later = opened(url)
        later.create()
        assert "mood" in {column["name"] for column in inspect(later.engine).get_columns("flow_runs")}
        assert "flow_runs_by_mood" in {index["name"] for index in inspect(later.engine).get_indexes("flow_runs")}
        assert inspect(later.engine).has_table("flow_moods")
        # The process that runs knows nothing of that, and one of its release that starts now does neither.
        monkeypatch.setattr(migration, "metadata", schema.metadata)
        opened(url).create()
        await old.begin("during", "Send")
        for run in ("before", "during"):
            ended = await old.engine.wait_for_outcome(run, 20)
            assert ended is not None
            assert ended["state"] == "succeeded"
    assert len(emulator.messages) == 2


def test_a_process_takes_free_runs_of_earlier_versions_and_none_of_a_later_one(
    new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, emulator = new_database(), Emulator()
    one_send = FLOWS[FLOWS.index("  - name: Send") : FLOWS.index("  - name: List")]

    async def store_and_die() -> None:
        async def nothing(_self: object, _runs: object) -> None:
            """The process dies before it starts a run."""

        monkeypatch.setattr(Engine, "_enqueue", nothing)
        monkeypatch.setattr(Engine, "_may_write", lambda _self: False)
        async with serving(tmp_path, one_send, emulator=emulator, database=url) as served:
            database = served.engine.database
            for run, version in (("earlier", EARLIER_VERSIONS[-1]), ("later", "999")):
                await served.begin(run, "Send")
                await database.run(partial(served.engine._queue.put, runs=[run]))
                await database.run(partial(set_version, run=run, version=version))
        monkeypatch.undo()

    async def go_on() -> None:
        async with serving(tmp_path, one_send, emulator=emulator, database=url) as served:
            ended = await served.engine.wait_for_outcome("earlier", 20)
            assert ended is not None
            assert ended["state"] == "succeeded"
            assert await served.engine.runs.outcome("later") is None

    asyncio.run(store_and_die())
    asyncio.run(go_on())
    assert len(emulator.messages) == 1


def set_version(connection: Connection, run: str, version: str) -> None:
    changed = text("UPDATE dbos.workflow_status SET application_version = :version WHERE workflow_uuid = :run")
    connection.execute(changed, {"version": version, "run": run})


def test_of_a_process_that_is_alive_nothing_is_taken(tmp_path: Path, opened: Callable[[str], Database]) -> None:
    database = opened(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    with database.engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE workflow_status (workflow_uuid, status, executor_id, application_version)")
        )
        rows = [("waits", "ENQUEUED", None), ("taken", "PENDING", "other"), ("ended", "SUCCESS", "other")]
        for run, status, executor in rows:
            connection.execute(
                text("INSERT INTO workflow_status VALUES (:run, :status, :executor, '4')"),
                {"run": run, "status": status, "executor": executor},
            )
        assert adopt_workflows(connection, ["4"], VERSION) == 1
        assert adopt_workflows(connection, ["4"], VERSION, "another") == 0
        assert adopt_workflows(connection, ["4"], VERSION, "other") == 1
        left = connection.execute(text("SELECT workflow_uuid FROM workflow_status WHERE application_version = '4'"))
        assert list(left.scalars()) == ["ended"]


def test_steps_are_taken_once_and_a_database_that_has_more_of_them_is_refused(
    url: str, opened: Callable[[str], Database]
) -> None:
    database = opened(url)
    database.create()
    taken: list[int] = []
    steps = [lambda _: taken.append(1), lambda _: taken.append(2)]
    for known in (steps[:1], steps, steps):
        with database.engine.begin() as connection:
            migrate(connection, known)
    assert taken == [1, 2]
    with (
        pytest.raises(NewerDatabaseError, match=r"^the database has format 2, and this release knows formats up to 0"),
        database.engine.begin() as connection,
    ):
        migrate(connection)
    with pytest.raises(NewerDatabaseError):
        database.create()


def test_a_new_database_needs_no_steps(url: str, opened: Callable[[str], Database]) -> None:
    database = opened(url)

    def never(_connection: Connection) -> None:
        raise AssertionError

    for _ in range(2):
        with database.engine.begin() as connection:
            migrate(connection, [never])


def test_a_step_waits_for_no_living_process_but_says_what_to_stop(
    new_database: Callable[[], str], opened: Callable[[str], Database]
) -> None:
    database = opened(new_database())
    database.create()
    with database.engine.connect() as alive:
        alive.execute(select(func.pg_advisory_lock(worker_lock("alive"))))
        alive.execute(schema.workers.insert(), [{"worker_id": "alive"}, {"worker_id": "dead"}])
        alive.commit()
        with pytest.raises(DurableError, match="stop every process"), database.engine.begin() as connection:
            migrate(connection, [lambda _: None])
    database.engine.dispose()  # and with its connection the lock
    with database.engine.begin() as connection:
        migrate(connection, [lambda _: None])


def test_a_table_that_is_busy_is_altered_once_it_is_free(
    new_database: Callable[[], str], opened: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_LOCK_TIMEOUT", "SET LOCAL lock_timeout = '50ms'")
    monkeypatch.setattr("twilio_component.durable.store.database._MIGRATION_PAUSE", 0.05)
    database = opened(new_database())
    database.create()
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE flow_runs DROP COLUMN response"))
    busy = database.engine.connect()
    busy.execute(text("LOCK TABLE flow_runs IN SHARE MODE"))
    thread = threading.Thread(target=opened(database.url).create)
    thread.start()
    time.sleep(0.3)
    busy.commit()
    busy.close()
    thread.join()
    assert "response" in {column["name"] for column in inspect(database.engine).get_columns("flow_runs")}


def test_a_user_who_may_not_alter_tables_is_told_who_must(
    new_database: Callable[[], str], opened: Callable[[str], Database]
) -> None:
    url = new_database()
    database = opened(url)
    database.create()
    with database.engine.begin() as connection:
        connection.execute(text("CREATE ROLE app LOGIN"))
        connection.execute(text("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app"))
    restricted = opened(str(database.engine.url.set(drivername="postgresql", username="app", password=None)))
    try:
        restricted.create()  # nothing is missing
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE flow_runs DROP COLUMN response"))
        with pytest.raises(DurableError, match="run `serve --migrate-only` once with a user that may"):
            restricted.create()
    finally:
        restricted.engine.dispose()
        with database.engine.begin() as connection:
            connection.execute(text("DROP OWNED BY app"))
            connection.execute(text("DROP ROLE app"))


def test_columns_of_every_table_can_be_added_while_others_write() -> None:
    """Fails for a new NOT NULL column without a default, which the release before could not fill."""
    rule = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if not column.nullable and column.server_default is None
    }
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((DATABASES / "format-0.sql").read_text(encoding="utf-8"))
        known = {
            f"{table}.{row[1]}"
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for row in connection.execute(f"PRAGMA table_info({table})")
        }
        tables = {one.partition(".")[0] for one in known}
    assert {one for one in rule - known if one.partition(".")[0] in tables} == set()
    assert isinstance(schema.database_format.c.format.type, Integer)
