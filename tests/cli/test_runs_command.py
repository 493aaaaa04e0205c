"""``runs`` as people type it: beginnings of ids, one convention for JSON, and a question before anything is deleted."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from dbos import DBOS

from twilio_component.cli import exit_codes
from twilio_component.cli.main import main
from twilio_component.durable.execution.engine_log import silence_stops
from twilio_component.durable.recovery.single_process_lock import SingleProcessLock
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.runs import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = "no process executes it: start `serve` or `worker` with this database"
NO_LIST = "has no items: it has begun no list (a loop with concurrency)"


@pytest.fixture
def database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A database with two runs, of which one ended long ago."""
    file = tmp_path / "runs.sqlite"

    main(["serve", "--migrate-only", "--database", str(file)])

    async def fill() -> None:
        opened = Database(f"sqlite:///{file}")
        store = RunStore(opened)
        digest = await store.define("f.yaml", "text")
        for run in ("web-1a", "web-2b"):
            await store.accept(NewRun(id=run, definition=digest, integration="I", flow="F", payload={}))
        error = {"id": "send", "code": "twilio-api-error", "message": "m", "outcomeUnknown": False}
        await store.finish("web-2b", "failed", error=error, response=None, keep_payloads=True, changes={})
        opened.close()

    asyncio.run(fill())
    capsys.readouterr()
    return str(file)


class Terminal(io.StringIO):
    """Standard input on which somebody types."""

    def isatty(self) -> bool:
        return True


def test_the_beginning_of_an_id_names_a_run(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "show", "web-2", "--database", database]) == exit_codes.DONE
    assert json.loads(capsys.readouterr().out)["id"] == "web-2b"
    assert main(["runs", "pause", "web-1", "--database", database]) == exit_codes.DONE
    assert main(["runs", "show", "web", "--database", database]) != exit_codes.DONE
    assert "'web' begins the ids of several runs: web-1a and web-2b" in capsys.readouterr().err


def test_json_is_an_array_and_jsonl_are_lines(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["runs", "list", "--json", "--database", database])
    array = json.loads(capsys.readouterr().out)
    main(["runs", "list", "--jsonl", "--database", database])
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == array
    assert {run["id"] for run in array} == {"web-1a", "web-2b"}
    main(["runs", "items", "web-1a", "--json", "--database", database])
    assert capsys.readouterr() == ("[]\n", f"web-1a {NO_LIST}\n")


def test_a_table_shows_the_end_and_the_code_first(
    database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main(["runs", "list", "--database", database])
    heading, *rows = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
    assert heading.split()[:3] == ["state", "code", "id"]
    assert ["failed", "twilio-api-error", "web-2b"] in [row.split()[:3] for row in rows]


@pytest.mark.parametrize(("typed", "left"), [("n\n", 2), ("", 2), ("y\n", 1)])
def test_a_person_is_asked_before_runs_are_deleted(
    typed: str, left: int, database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    code = main(["runs", "purge", "--days", "0", "--database", database])
    said = capsys.readouterr()
    assert "Delete all runs that ended more than 0 days ago" in said.err
    assert code == (exit_codes.DONE if left == 1 else exit_codes.BAD_INPUT)
    main(["runs", "list", "--json", "--database", database])
    assert len(json.loads(capsys.readouterr().out)) == left


@pytest.mark.parametrize("options", [["--yes"], []])
def test_scripts_are_not_asked(
    options: list[str], database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal() if options else io.StringIO())
    assert main(["runs", "purge", "--days", "0", *options, "--database", database]) == exit_codes.DONE
    assert json.loads(capsys.readouterr().out) == {"purged": 1}


def test_a_command_says_what_it_has_done_with_which_run(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command, said in (
        ("pause", "web-1a is paused\n"),
        ("resume", f"{NOBODY}\nweb-1a is resumed\n"),
        ("cancel", "web-1a is cancelled\n"),
    ):
        assert main(["runs", command, "web-1", "--database", database]) == exit_codes.DONE
        assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("command", [["retry", "web-2"], ["retry", "--state", "failed", "--yes"], ["resume", "web-1"]])
def test_what_no_process_is_there_to_do_is_said(
    command: list[str], database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["runs", "pause", "web-1", "--database", database])
    capsys.readouterr()
    assert main(["runs", *command, "--database", database]) == exit_codes.DONE
    assert capsys.readouterr().err.startswith(f"{NOBODY}\n")
    main(["runs", "retry", "--state", "failed", "--yes", "--database", database])
    if command[0] == "retry":
        assert capsys.readouterr().err == "no run matches that can be retried\n"


def test_a_process_that_is_there_needs_no_words(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    lock = SingleProcessLock(Path(database))
    assert main(["runs", "retry", "web-2", "--database", database]) == exit_codes.DONE
    lock.release()
    assert capsys.readouterr().err == ""


def test_a_release_of_nothing_says_so_in_a_script_too(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    lock = SingleProcessLock(Path(database))
    assert main(["runs", "release", "web-1", "--database", database]) == exit_codes.DONE
    lock.release()
    assert "web-1a has nothing to release: no message of it waits after a refusal" in capsys.readouterr().err


def test_a_run_that_was_run_again_says_as_which(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["runs", "retry", "web-2", "--database", database])
    capsys.readouterr()
    for command in ("resume", "retry"):
        assert main(["runs", command, "web-2b", "--database", database]) == exit_codes.BAD_INPUT
        assert "the run 'web-2b' was run again as 'web-2b~2', but must be" in capsys.readouterr().err
    main(["runs", "show", "web-2b", "--database", database])
    assert json.loads(capsys.readouterr().out)["retriedAs"] == "web-2b~2"


def test_following_a_run_whose_retry_is_not_stored_never_looks_like_a_success(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE flow_runs SET state = 'retried' WHERE id = 'web-2b'")
    assert main(["runs", "follow", "web-2b", "--database", database]) == exit_codes.OUTCOME_UNKNOWN
    assert capsys.readouterr().err == "another run has taken the place of web-2b; how that ended is not known here\n"


def test_a_person_learns_why_nothing_is_found(
    database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for command, said in {
        ("list", "--flow", "F", "--state", "unknown"): ("no runs\n", ""),
        ("items", "web-1a"): ("", f"web-1a {NO_LIST}\n"),
    }.items():
        assert main(["runs", *command, "--database", database]) == exit_codes.DONE
        assert capsys.readouterr() == said


@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["retry", "--yes"]])
def test_the_name_of_a_flow_that_does_not_exist_is_an_error(
    command: list[str], database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", *command, "--flow", "f", "--database", database]) == exit_codes.BAD_INPUT
    said = capsys.readouterr()
    assert "--flow: no flow 'f' has runs or is served; did you mean 'F'?" in said.err
    assert said.out == ""


@pytest.mark.parametrize(("sid", "code"), [("SM1", exit_codes.BAD_INPUT), ("order-7", exit_codes.DONE)])
def test_a_malformed_sid_is_an_error_and_another_components_id_is_not(
    sid: str, code: int, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "list", "--sid", sid, "--database", database]) == code
    assert ("--sid: must be a message SID" in capsys.readouterr().err) == (code != exit_codes.DONE)


def test_doctor_says_that_runs_have_failed_though_nothing_waits(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["runs", "cancel", "web-1", "--database", database])
    assert main(["runs", "doctor", "--database", database]) == exit_codes.DONE
    said = capsys.readouterr().out
    assert "an operator\n1 run of the last 24 hours failed, at least in part: `twilio-component runs list" in said


def test_what_the_engine_says_of_a_workflow_that_was_taken_over_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    silence_stops()
    logging.getLogger("dbos").warning("Workflow web-1a outcome was not recorded: the workflow is no longer owned by …")
    logging.getLogger("dbos").warning("Asyncio task cancelled for workflow or step <function send at 0x7f>")
    logging.getLogger("dbos").warning("Workflow already exists in queue: flows, but the provided queue name is: None.")
    logging.getLogger("dbos").warning("another thing")
    assert [record.getMessage() for record in caplog.records] == ["another thing"]


def test_what_the_engine_cannot_do_any_more_while_its_process_ends_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    silence_stops()
    engine, executor = logging.getLogger("dbos"), ThreadPoolExecutor()
    executor.shutdown()
    destroyed: Callable[[], object] = partial(vars(DBOS)["_sys_db"].fget, SimpleNamespace(_sys_db_field=None))
    refused: Callable[[], object] = lambda: executor.submit(list)  # noqa: E731
    for late in (refused, destroyed):
        with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is, as it is raised
            late()
        engine.error("Exception encountered when recovering workflow web-1a:", exc_info=raised.value)
    engine.error("Exception encountered when recovering workflow web-1a:", exc_info=RuntimeError("a bug"))
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["a bug"]
