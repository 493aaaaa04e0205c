"""The same with the official Node SDK, where ``make conformance`` has installed it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from support.node import PROGRAMS, node_environment

if TYPE_CHECKING:
    from twilio_component.emulator.server.server import ServerInThread

SUITE = PROGRAMS / "suite.cjs"


def test_the_official_node_sdk_cannot_tell_the_emulator_from_twilio(server: ServerInThread) -> None:
    environment = {**node_environment("twilio"), "EMULATOR_URL": server.url}
    suite = subprocess.run(
        ["node", "--test", "--test-concurrency=1", str(SUITE)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert suite.returncode == 0, suite.stdout + suite.stderr
