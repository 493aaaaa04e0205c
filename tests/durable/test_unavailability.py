"""An operator is told why the database cannot be used, and nothing of what was to be stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.store.database import transaction
from twilio_component.durable.store.unavailability import unavailability

TEXT = "what somebody wrote"


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'small.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (words)"))
    with engine.connect() as connection:
        connection.execute(text("PRAGMA max_page_count = 2"))
        with pytest.raises(OperationalError) as caught:
            connection.execute(text("INSERT INTO kept VALUES (:words)"), {"words": TEXT * 10_000})
    engine.dispose()
    assert unavailability(caught.value) == "its disk is full"


def test_a_file_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(f"file:{tmp_path / 'none'}?mode=ro", uri=True))
    with pytest.raises(StoreUnavailableError, match=r"\(its file cannot be opened\)"):
        transaction(engine, lambda connection: connection.execute(text("SELECT 1")))


@pytest.mark.parametrize(
    ("state", "words"),
    [("53300", "it has no connection left"), ("57P01", "it shuts down"), ("58030", "SQLSTATE 58030")],
)
def test_postgres_is_translated_by_its_states(new_database: Callable[[], str], state: str, words: str) -> None:
    url = new_database().replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    raising = f"DO $$ BEGIN RAISE EXCEPTION '{TEXT}' USING ERRCODE = '{state}'; END $$"
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text(raising))
    engine.dispose()
    assert unavailability(caught.value) == words


def test_a_server_that_is_not_there_cannot_be_reached() -> None:
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(OperationalError) as caught:
        engine.connect()
    assert unavailability(caught.value).startswith("it cannot be reached")
