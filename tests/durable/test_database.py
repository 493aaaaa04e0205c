"""The database when it is away, when it is somebody else's, and what it never tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, inspect, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from twilio_component.durable.errors import DurableError, StoreBusyError, StoreUnavailableError
from twilio_component.durable.recovery.single_process_lock import SingleProcessLock
from twilio_component.durable.store import database as database_module
from twilio_component.durable.store.database import Database, connect_arguments
from twilio_component.durable.store.migration import ONLY_POSTGRES
from twilio_component.durable.store.new_runs import NewRun, insert_runs
from twilio_component.durable.store.request_batcher import RequestBatcher
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import metadata, stored_state


@pytest.fixture
def new_database(empty_database: Callable[[], str]) -> Callable[[], str]:
    """Makes an empty database: here the tables are made."""
    return empty_database


async def test_a_database_that_is_away_is_an_error_without_the_statement(tmp_path: Path) -> None:
    away = Database(f"sqlite:///{tmp_path / 'nowhere' / 'runs.sqlite'}")
    with pytest.raises(StoreUnavailableError, match=r"^the database is unavailable \([a-z ,]+\)$"):
        await away.run(lambda connection: connection.execute(text("SELECT 'secret'")))


@pytest.mark.parametrize(
    ("state", "raised"),
    [
        ("25006", StoreUnavailableError),  # read-only: a failover
        ("53100", StoreUnavailableError),  # the disk is full
        ("53300", StoreUnavailableError),  # out of connections
        ("57P01", StoreUnavailableError),  # shutting down
        ("57P03", StoreUnavailableError),  # starting
        ("42601", ProgrammingError),  # a mistake in the statement
        ("22P05", ProgrammingError),  # text that the database cannot store
    ],
)
async def test_a_database_that_answers_but_can_do_nothing_now_is_away(
    database: Database, state: str, raised: type[Exception]
) -> None:
    class ServerError(Exception):
        sqlstate = state

    def refused(_connection: object) -> None:
        raise ProgrammingError("statement", {}, ServerError())

    with pytest.raises(raised):
        await database.run(refused)


async def test_a_read_only_database_is_away_and_then_back(new_database: Callable[[], str]) -> None:
    url = new_database()
    database = Database(url)
    database.create()

    def read_only(value: str) -> None:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            name = connection.execute(text("SELECT current_database()")).scalar_one()
            connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}"))

    read_only("on")
    database.engine.dispose()
    other = Database(url)
    with pytest.raises(StoreUnavailableError):
        await RunStore(other).define("f.yaml", "text")
    defining = asyncio.create_task(RunStore(other).define("f.yaml", "text", wait_for_database=True))
    await asyncio.sleep(0.2)
    with other.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = off"))
    other.engine.dispose()
    assert await defining
    for one in (database, other):
        one.close()


async def test_work_that_must_not_be_lost_waits_for_the_database(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    database = Database(f"sqlite:///{folder / 'runs.sqlite'}")
    insisting = asyncio.create_task(
        database.run_until_available(lambda connection: connection.execute(text("SELECT 7")).scalar_one())
    )
    await asyncio.sleep(0.05)
    folder.mkdir()
    assert int(await insisting) == 7
    database.close()


async def test_a_mistake_in_the_work_is_not_an_outage(database: Database) -> None:
    def mistaken(_connection: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.run_until_available(mistaken)


def test_other_databases_are_refused() -> None:
    with pytest.raises(DurableError, match="must be SQLite or Postgres"):
        Database("mysql+pymysql://somewhere/db")


def test_a_database_of_an_earlier_version_gets_what_it_lacks_once_whoever_starts(url: str) -> None:
    lacking = [("flow_journal", "started_at"), ("flow_runs", "response"), ("flow_runs", "parent")]
    databases = [Database(url) for _ in range(4)]
    databases[0].create()
    with databases[0].engine.begin() as connection:
        connection.execute(text("DROP INDEX flow_runs_by_parent"))
        connection.execute(text("DROP INDEX flow_runs_by_state"))
        connection.execute(text("DROP INDEX flow_runs_with_response"))
        for table, column in lacking:
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(text("DROP TABLE flow_rate_tokens"))
        connection.execute(text("INSERT INTO flow_stored_state VALUES ('s', 'n', '1')"))

    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(Database.create, databases))

    looking = inspect(databases[0].engine)
    for name, made in metadata.tables.items():
        assert {column["name"] for column in looking.get_columns(name)} == set(made.columns.keys())
        left_out = set() if url.startswith("postgresql") else {*ONLY_POSTGRES}
        wanted = {index.name for index in made.indexes} - left_out
        assert wanted <= {index["name"] for index in looking.get_indexes(name)}
    with databases[0].engine.begin() as connection:
        assert connection.execute(text("SELECT value FROM flow_stored_state")).scalar_one() == "1"
    for database in databases:
        database.close()


def test_a_second_process_does_not_get_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "state" / "runs.sqlite"
    first = SingleProcessLock(file)
    with pytest.raises(DurableError, match="another process serves from"):
        SingleProcessLock(file)
    first.release()
    SingleProcessLock(file).release()


async def test_an_error_of_the_database_repeats_nothing_that_people_wrote(url: str) -> None:
    database = Database(url)
    database.create()
    row = {"scope": "s", "name": "n", "value": "+15558675310"}
    with pytest.raises(IntegrityError) as raised:
        await database.run(lambda connection: connection.execute(insert(stored_state), [row, row]))
    assert "15558675310" not in str(raised.value)
    database.close()


async def test_what_waits_for_a_process_that_has_frozen_gives_up_and_everything_else_continues(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_LOCK_MILLISECONDS", 100)
    database = Database(new_database())
    database.create()
    store = RunStore(database)
    digest = await store.define("f.yaml", "text")
    new = NewRun(id="frozen", definition=digest, integration="I", flow="F", payload={})
    together = RequestBatcher(store.accept_all)
    with database.engine.connect() as frozen:
        insert_runs(frozen, 0.0, [new])
        first = asyncio.create_task(together.submit(new))
        await asyncio.sleep(0.02)
        others = [replace(new, id=f"other-{number}") for number in range(3)]
        asked = await asyncio.gather(first, *(together.submit(one) for one in [*others, new]), return_exceptions=True)
        assert [type(one) for one in asked] == [StoreBusyError, bool, bool, bool, StoreBusyError]
        assert str(asked[0]) == "the database is busy (another transaction has locked what is needed)"
        frozen.commit()
    assert not await together.submit(new)
    database.close()


async def test_what_has_waited_for_the_one_lock_of_sqlite_is_not_tried_again(tmp_path: Path) -> None:
    database, tries, failures = Database(f"sqlite:///{tmp_path / 'runs.sqlite'}"), list[int](), list[str]()
    database.create()
    database.on_failure = failures.append

    def work(_connection: Connection) -> None:
        tries.append(1)
        raise StoreBusyError("busy")

    for do in (database.run, database.run_quickly):
        with pytest.raises(StoreBusyError):
            await do(work)
    assert len(tries) == 2
    assert failures == ["busy", "busy"]
    database.close()


def test_options_of_the_url_are_kept_beside_those_that_notice_a_silent_network() -> None:
    url = make_url("postgresql://localhost/db?options=-c%20search_path%3Dours")
    options = connect_arguments(url, "-c lock_timeout=7")["options"]
    assert options.startswith("-c search_path=ours -c tcp_keepalives_idle=")
    assert options.endswith(" -c lock_timeout=7")
