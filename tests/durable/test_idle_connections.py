"""A connection that has been idle is checked before it is used again, and one that was just in use is not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, create_engine, text

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.store import idle_connections
from twilio_component.durable.store.database import Database


@pytest.fixture
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    opened = Database(new_database())
    yield opened
    opened.close()


def server_process(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


async def end_its_connection(database: Database) -> None:
    """End the connection that is idle in the pool, as a restart of the server would."""
    process = await database.run(server_process)
    other = Database(database.url)
    await other.run(lambda connection: connection.execute(text(f"SELECT pg_terminate_backend({process}, 5000)")))
    other.close()


async def test_a_dead_connection_is_replaced_when_it_has_been_idle(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_connections, "_IDLE_SECONDS", 0.0)
    before = await database.run(server_process)
    await end_its_connection(database)
    assert await database.run(server_process) != before


async def test_a_connection_that_was_just_in_use_is_used_without_a_check_and_its_death_is_an_outage(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_connections, "_IDLE_SECONDS", 600.0)
    checks: list[object] = []
    for engine in (database.engine, database._request_engine):
        monkeypatch.setattr(engine.dialect, "do_ping", checks.append)
    before = await database.run(server_process)
    assert await database.run(server_process) == before
    await end_its_connection(database)
    with pytest.raises(StoreUnavailableError):
        await database.run(server_process)
    assert await database.run(server_process) != before
    assert await database.run_until_available(server_process)
    assert not checks


def test_a_connection_that_is_older_than_the_checks_counts_as_idle(database: Database) -> None:
    engine = create_engine(database.engine.url)
    engine.connect().close()
    idle_connections.check_idle_connections(engine)
    pings: list[object] = []
    engine.dialect.do_ping = pings.append  # type: ignore[method-assign,assignment]
    engine.connect().close()
    engine.connect().close()
    assert len(pings) == 1
    engine.dispose()


async def test_work_takes_the_connection_that_was_used_last_whose_statements_are_prepared(database: Database) -> None:
    both_begun = threading.Barrier(2)

    def beside_another(connection: Connection) -> int:
        both_begun.wait(30)
        return server_process(connection)

    two = await asyncio.gather(*(database.run_until_available(beside_another) for _ in range(2)))
    after = [await database.run_until_available(server_process) for _ in range(4)]
    assert len({*two}) == 2
    assert len({*after}) == 1
