"""``twilio-component ops``: the page alone, for a database that other processes work with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from support.ports import reserve_port
from support.waiting import PATIENCE, until

from twilio_component.cli.main import main
from twilio_component.durable.store.database import Database

if TYPE_CHECKING:
    import pytest

EVERYWHERE = "0.0.0.0"  # noqa: S104 - for the moment of a test
TOKEN = "a-token-of-the-night-shift"
PROGRAM = "import sys; from twilio_component.cli.main import main; sys.exit(main(sys.argv[1:]))"


def test_ops_serves_the_page_of_a_database_behind_a_token_from_a_file(tmp_path: Path) -> None:
    file, token, port = tmp_path / "runs.sqlite", tmp_path / "token", reserve_port()
    database = Database(f"sqlite:///{file}")
    database.create()
    database.close()
    token.write_text(f"{TOKEN}\n", encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "ops", "--database", str(file), "--port", str(port), "--host", EVERYWHERE],
        env={**os.environ, "TWILIO_COMPONENT_OPERATIONS_TOKEN_FILE": str(token)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:

        def is_up() -> bool:
            assert process.poll() is None
            try:
                return httpx.get(url).is_success
            except httpx.TransportError:
                return False

        until(is_up, "the page is served", 3 * PATIENCE)
        with httpx.Client(base_url=url) as client:
            assert client.get("/api/runs").status_code == 401
            signed_in = client.post("/api/session", json={"token": TOKEN}, headers={"Origin": url})
            assert signed_in.json() == {"signedIn": True}
            assert client.get("/api/runs").json() == {"runs": [], "next": None}
            assert client.get("/api/workers").json() == {"workers": []}
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert f":{port}/" in output
    assert TOKEN not in output


def test_ops_refuses_to_be_reached_from_elsewhere_without_a_token_and_a_database_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "runs.sqlite"
    assert main(["ops", "--database", str(file)]) != 0
    assert "there is no database" in capsys.readouterr().err
    database = Database(f"sqlite:///{file}")
    database.create()
    database.close()
    assert main(["ops", "--database", str(file), "--host", EVERYWHERE]) == 2
    assert "set TWILIO_COMPONENT_OPERATIONS_TOKEN" in capsys.readouterr().err
