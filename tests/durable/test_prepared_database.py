"""The file that tests copy has every table, also where a connection to its original is still open."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from dbos import DBOS
from support import prepared_database

from twilio_component.durable.store.schema import metadata

if TYPE_CHECKING:
    import pytest


def test_a_prepared_database_has_every_table_though_a_connection_to_its_original_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def leave_open(url: str) -> None:
        opened.append(sqlite3.connect(url.removeprefix("sqlite:///")))
        opened[-1].execute("SELECT count(*) FROM sqlite_master").fetchall()
        migrate(url)

    migrate = DBOS.migrate
    monkeypatch.setattr(DBOS, "migrate", leave_open)
    prepared_database._contents.cache_clear()
    file = tmp_path / "runs.sqlite"
    prepared_database.prepare_database(file)
    prepared_database._contents.cache_clear()
    opened[0].close()

    with closing(sqlite3.connect(file)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert metadata.tables.keys() <= tables
    assert "workflow_status" in tables
