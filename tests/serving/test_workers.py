"""Processes that share a Postgres: one dies, another goes on; the database goes away and comes back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from support.crashing_serve import VARIABLE
from support.postgres import Postgres
from support.serve_processes import Deployment, inbound, killed, post
from support.waiting import PATIENCE, until

from twilio_component.cli import exit_codes
from twilio_component.durable import crash_points
from twilio_component.durable.errors import DurableError

if TYPE_CHECKING:
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


def test_a_worker_goes_on_with_what_a_killed_process_left(
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


def test_the_database_goes_away_and_comes_back(emulator: Emulator, twilio: str, tmp_path: Path) -> None:
    with Postgres() as postgres:
        deployment = Deployment(tmp_path, twilio, database=postgres.new_database("runs"))
        with deployment.serving():
            assert post(deployment.webhook(), inbound(1)).status_code == 204
            postgres.stop()
            assert post(deployment.webhook(), inbound(2)).status_code == 503
            postgres.start()
            until(lambda: post(deployment.webhook(), inbound(2)).status_code == 204, "webhooks are taken again")
            until(lambda: len(emulator.messages) == 2, "both messages were sent")
            time.sleep(0.5)
    assert sorted(message.to for message in emulator.messages) == ["+15558670001", "+15558670002"]


def test_a_worker_needs_a_database_that_can_be_shared(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "http://127.0.0.1:1")
    assert deployment.start_worker().wait(PATIENCE) == exit_codes.exit_code(DurableError())
    assert "a worker needs a Postgres database" in deployment.log()
