"""Processes that share a Postgres: one dies, another goes on; the database goes away and comes back."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from support.crashing_serve import VARIABLE
from support.pages import text_of
from support.postgres import Postgres
from support.serve_processes import Deployment, inbound, killed, post
from support.waiting import PATIENCE, until

from twilio_component.cli import exit_codes
from twilio_component.cli.main import main
from twilio_component.durable import crash_points
from twilio_component.durable.errors import DurableError

if TYPE_CHECKING:
    import pytest

    from twilio_component.emulator import Emulator


def test_one_event_delivered_to_two_processes_at_once_starts_one_run(
    emulator: Emulator, twilio: str, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    deployment = Deployment(tmp_path, twilio, database=new_database())
    with deployment.serving(), deployment.serving(number=1), ThreadPoolExecutor(10) as pool:
        posts = pool.map(lambda number: post(deployment.webhook(number % 2), inbound(1)).status_code, range(50))
        assert set(posts) == {204}
        until(lambda: emulator.messages and deployment.running() == 0, "the run has ended")
    assert len(emulator.messages) == 1
    assert deployment.ask("SELECT count(*) FROM flow_runs") == [(1,)]


def test_a_worker_continues_with_what_a_killed_process_left(
    emulator: Emulator, twilio: str, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    deployment = Deployment(tmp_path, twilio, database=new_database(), resend="true")
    process = deployment.start({VARIABLE: f"{crash_points.RESPONDED}:1"})
    deployment.wait_until_ready(process)
    assert post(deployment.webhook(), inbound(1)).status_code == 204
    assert killed(process)
    worker = deployment.start_worker()
    try:
        until(lambda: deployment.running() == 0, "the run has ended")
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE) == 0
    assert len(emulator.messages) == 1
    assert deployment.ask("SELECT state FROM flow_runs") == [("succeeded",)]


def test_the_database_fails_over_as_the_page_tells_operators(
    emulator: Emulator, twilio: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = text_of("docs/how-to/scale-out.md").partition("## When the database fails over")[2]
    with Postgres() as postgres:
        # One host of two is the primary server, as after a failover.
        url = postgres.new_database("runs").replace("?host=", "?host=127.0.0.1,") + "&target_session_attrs=read-write"
        deployment = Deployment(tmp_path, twilio, database=url)

        def is_logged(line: str) -> bool:
            return line in deployment.log()

        with deployment.serving():
            assert post(deployment.webhook(), inbound(1)).status_code == 204
            postgres.stop()
            assert post(deployment.webhook(), inbound(2)).status_code == 503
            assert httpx.get(f"{deployment.url()}/readyz").status_code == 503
            for line in ("a request was refused: the database is unavailable", "nothing is sent meanwhile"):
                assert line in said
                until(partial(is_logged, line), line)
            assert main(["runs", "doctor", "--database", url]) == exit_codes.TRY_LATER
            assert "the database is unavailable" in capsys.readouterr().err
            postgres.start()
            until(lambda: post(deployment.webhook(), inbound(2)).status_code == 204, "webhooks are taken again")
            until(lambda: len(emulator.messages) == 2 and deployment.running() == 0, "both runs have ended")
            assert "the database is available again" in said
            until(lambda: "the database is available again" in deployment.log(), "the lease is held again")
            # As the page says: nothing is to be done, and this is how an operator knows.
            until(lambda: main(["runs", "doctor", "--database", url]) == exit_codes.DONE, "nothing is to be done")
            assert capsys.readouterr().out.splitlines()[-1] in said
    assert sorted(message.to for message in emulator.messages) == ["+15558670001", "+15558670002"]


def test_a_worker_needs_a_database_that_can_be_shared(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "http://127.0.0.1:1")
    assert deployment.start_worker().wait(PATIENCE) == exit_codes.exit_code(DurableError())
    assert "a worker needs a Postgres database" in deployment.log()
