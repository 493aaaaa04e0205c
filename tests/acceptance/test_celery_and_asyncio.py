"""The page about other engines: its programs, run by Celery's forking workers and by asyncio."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from twilio_component.emulator import Emulator
from twilio_component.testing import emulator_connection

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "other-engines.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
WORKER = """
import os, sys
from celery.contrib.testing.worker import start_worker
from messages import app, send
app.conf.update(broker_url="memory://", result_backend="file://" + os.getcwd())
with start_worker(app, pool="prefork", concurrency=2, perform_ping_check=False):
    numbers = [f"+1555867{number:04d}" for number in range(4)]
    waiting = [send.delay(to=number, message="Hello", **{"from": "+15017122661"}) for number in numbers]
    print(" ".join(result.get(timeout=30) for result in waiting))
"""


def run(program: str, folder: Path, emulator: Emulator) -> str:
    """What the program prints, with the emulator as Twilio."""
    with emulator.serve_in_thread() as server:
        connection = emulator_connection()
        connection["fields"]["baseUrl"] = server.url
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={**os.environ, "PRISMATIC_CONNECTION_VALUE": json.dumps(connection)},
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_celery_task_sends_from_forking_workers(tmp_path: Path) -> None:
    emulator = Emulator()
    (tmp_path / "messages.py").write_text(PROGRAMS[0], encoding="utf-8")
    sids = run(WORKER, tmp_path, emulator).split()
    assert sorted(sids) == sorted(message.sid for message in emulator.messages)
    assert len(set(sids)) == 4


def test_a_plain_asyncio_program_sends(tmp_path: Path) -> None:
    emulator = Emulator()
    assert run(PROGRAMS[1], tmp_path, emulator) == "queued\n"
    assert len(emulator.messages) == 1


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_programs_have_at_most_ten_lines(program: str) -> None:
    assert len([line for line in program.splitlines() if line]) <= 10
