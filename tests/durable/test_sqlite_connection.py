"""The engine works with the SQLite that Python is linked with, or says what it needs."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from twilio_component.durable.errors import DurableError
from twilio_component.durable.store import sqlite_connection
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.sqlite_connection import SqliteConnection


@pytest.mark.parametrize("linked", [(3, 40, 1), (3, 41, 9)])
def test_a_default_in_milliseconds_works_with_a_sqlite_that_has_no_subsec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", linked)
    connection = sqlite3.connect(tmp_path / "db", factory=SqliteConnection)
    connection.execute("CREATE TABLE t (a TEXT, at INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000))")
    before = int(time.time() * 1000)

    connection.execute("INSERT INTO t (a) VALUES ('x')")

    ((at,),) = connection.execute("SELECT at FROM t").fetchall()
    assert before <= at <= time.time() * 1000
    connection.close()


def test_a_sqlite_that_has_subsec_keeps_its_own_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 42, 0))
    monkeypatch.setattr(sqlite_connection, "unix_time", lambda _modifier: -1.0)
    connection = sqlite3.connect(tmp_path / "db", factory=SqliteConnection)

    assert connection.execute("SELECT unixepoch('1970-01-02')").fetchone() == (86_400,)
    connection.close()


def test_another_modifier_is_refused_and_not_guessed() -> None:
    with pytest.raises(ValueError, match=r"unixepoch\('now'\) needs SQLite 3\.42"):
        sqlite_connection.unix_time("now")


def test_a_sqlite_that_is_too_old_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")

    with pytest.raises(DurableError, match=r"linked with SQLite 3\.34\.1, and 3\.35 or later is needed") as refused:
        Database(f"sqlite:///{tmp_path / 'runs' / 'db.sqlite'}")
    assert "\n" not in str(refused.value)
    assert "postgresql://" in str(refused.value)
    assert list(tmp_path.iterdir()) == []
