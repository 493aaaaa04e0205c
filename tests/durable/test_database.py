"""The database when it is away, when it is somebody else's, and what it never tells."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from twilio_component.durable.database import Database
from twilio_component.durable.errors import DurableError, StoreUnavailableError
from twilio_component.durable.sole_process import SoleProcess


def test_a_database_that_is_away_is_an_error_without_the_statement(tmp_path: Path) -> None:
    away = Database(f"sqlite:///{tmp_path / 'nowhere' / 'runs.sqlite'}")
    with pytest.raises(StoreUnavailableError, match=r"^the database does not answer \(OperationalError\)$"):
        asyncio.run(away.run(lambda connection: connection.execute(text("SELECT 'secret'"))))


def test_work_that_must_not_be_lost_waits_for_the_database(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    database = Database(f"sqlite:///{folder / 'runs.sqlite'}")

    async def scenario() -> int:
        insisting = asyncio.create_task(
            database.insist(lambda connection: connection.execute(text("SELECT 7")).scalar_one())
        )
        await asyncio.sleep(0.05)
        folder.mkdir()
        return int(await insisting)

    assert asyncio.run(scenario()) == 7
    database.close()


def test_a_mistake_in_the_work_is_no_outage(database: Database) -> None:
    def mistaken(_connection: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(database.insist(mistaken))


def test_other_databases_are_refused() -> None:
    with pytest.raises(DurableError, match="must be SQLite or Postgres"):
        Database("mysql+pymysql://somewhere/db")


def test_a_second_process_does_not_get_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "state" / "runs.sqlite"
    first = SoleProcess(file)
    with pytest.raises(DurableError, match="another process serves from"):
        SoleProcess(file)
    first.release()
    SoleProcess(file).release()
