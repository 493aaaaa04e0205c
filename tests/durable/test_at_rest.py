"""The state at rest: for its user alone, one process at a time, and without what has been forgotten."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.engine import SEND, TO, serving

from twilio_component.durable.errors import DurableError
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.recovery.single_process_lock import SingleProcessLock
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import database as database_module


@contextmanager
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


async def test_only_its_user_may_read_what_is_stored_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "above" / "state"
    with open_umask():
        async with serving(folder, SEND) as served:
            await served.run("one")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert {name for name, mode in modes.items() if mode & 0o077} == set()
    assert len(modes) > 3
    assert (folder / ".gitignore").read_text() == "*\n"


async def test_a_file_that_others_could_read_is_closed_to_them_and_its_folder_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "runs.sqlite"
    file.touch()
    file.chmod(0o644)
    tmp_path.chmod(0o755)
    async with serving(tmp_path, SEND):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


async def test_what_was_purged_is_in_no_file_any_more(tmp_path: Path) -> None:
    async with serving(tmp_path, SEND, settings=Settings(keep_payloads=True)) as served:
        await served.run("one")
        assert TO.encode() in everything(tmp_path)
        assert await Operations(served.engine.database).purge(0) == 1
        assert TO.encode() not in everything(tmp_path)


async def test_what_a_run_that_succeeded_no_longer_needs_is_soon_in_no_file_any_more(tmp_path: Path) -> None:
    async with serving(tmp_path, SEND) as served:
        assert (await served.run("one"))["state"] == "succeeded"
        await served.engine.retention.purge()
        assert TO.encode() not in everything(tmp_path)


async def test_a_reader_that_keeps_what_was_purged_in_the_log_is_named_and_holds_up_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database_module, "_LOG_PAUSE", 0.01)
    monkeypatch.setattr(database_module, "_LOG_ATTEMPTS", 2)
    async with serving(tmp_path, SEND) as served:
        with closing(sqlite3.connect(tmp_path / "runs.sqlite", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM flow_runs").fetchone()
            assert (await served.run("one"))["state"] == "succeeded"
            await served.engine.retention.purge()
            assert "what has just been deleted stays readable in the file that ends in -wal" in caplog.text
        caplog.clear()
        await served.engine.retention.purge()
        assert caplog.text == ""


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


def test_a_link_to_the_database_does_not_get_around_its_lock(tmp_path: Path) -> None:
    file, link = tmp_path / "runs.sqlite", tmp_path / "elsewhere" / "link.sqlite"
    file.touch()
    link.parent.mkdir()
    link.symlink_to(file)
    with SingleProcessLock(file), pytest.raises(DurableError, match="another process serves from"):
        SingleProcessLock(link)
    other = tmp_path / "elsewhere" / "hard.sqlite"
    other.hardlink_to(file)
    with pytest.raises(DurableError, match="is a folder: name a file in it"):
        SingleProcessLock(tmp_path)
    for name in (file, other):
        with pytest.raises(DurableError, match="has several names"):
            SingleProcessLock(name)
