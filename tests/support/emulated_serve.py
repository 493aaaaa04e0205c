"""A process that serves a flow with a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from support.forked_programs import start_program
from support.ports import reserve_port
from support.serve_processes import FLOW
from support.waiting import until

COMMAND = "twilio-component serve reply.yaml --emulator"
"""As the tutorial has it; ports are given, too, since several tests run at once."""


@contextmanager
def served(folder: Path, flow: str = FLOW, **environment: str) -> Iterator[tuple[str, Callable[[], str]]]:
    """A process that serves a flow with a phone; the emulator's URL, and what the process has said so far."""
    (folder / "reply.yaml").write_text(flow, encoding="utf-8")
    port, emulator_port = reserve_port(), reserve_port()
    options = ["--emulator-port", str(emulator_port), "--port", str(port)]
    log = folder / "serve.log"
    with log.open("wb") as output:
        arguments = [*COMMAND.split()[1:], *options]
        process = start_program("support.crashing_serve", arguments, environment, output.fileno(), folder)
    try:

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
            except httpx.TransportError:
                return False

        until(ready, "it serves")
        yield f"http://127.0.0.1:{emulator_port}", log.read_text
    finally:
        process.terminate()
        assert process.wait(20) == 0
