"""The same with the official Node SDK, where ``make conformance`` has installed it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from twilio_component.emulator.server.server import ServerInThread

SUITE = Path(__file__).with_name("node") / "suite.cjs"


def test_the_official_node_sdk_cannot_tell_the_emulator_from_twilio(server: ServerInThread) -> None:
    modules = os.environ.get("TWILIO_NODE_MODULES", "")
    if shutil.which("node") is None or not Path(modules, "twilio").is_dir():
        pytest.skip("without Node, or without its SDK: `make conformance` installs it where there is npm")
    environment = {**os.environ, "NODE_PATH": modules, "EMULATOR_URL": server.url}
    suite = subprocess.run(
        ["node", "--test", "--test-concurrency=1", str(SUITE)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert suite.returncode == 0, suite.stdout + suite.stderr
