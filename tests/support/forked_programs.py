"""Programs of tests in processes that are forked from one that has imported nearly everything.

Importing is two thirds of the processor time that a serving process of a test takes. What begins with the imports is
tested where the command itself is started, as in `tests/packaging/wheel`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

_FORKING = Path(__file__).with_name("forking_program.py")


class ForkedProcess:
    """A process that was forked by another one: what `subprocess.Popen` can do, as far as tests need it."""

    def __init__(self, status: IO[bytes]) -> None:
        self._status = status
        self._lock = threading.Lock()
        self.pid = int(status.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        with self._lock:
            if self.returncode is None and self._has_ended(0):
                self.returncode = int(self._status.readline())
                self._status.close()
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; the exit code. Raises ``subprocess.TimeoutExpired``."""
        if self.returncode is None and not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, seconds: float | None) -> bool:
        poll = select.poll()
        try:
            poll.register(self._status, select.POLLIN)
        except ValueError:  # another thread has read the end meanwhile
            return True
        return bool(poll.poll(None if seconds is None else 1000 * seconds))


def start_program(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], output: int, folder: Path | None = None
) -> ForkedProcess:
    """Start ``run(arguments)`` of the module in a process of its own, which writes to the descriptor ``output``."""
    what = {"module": module, "arguments": [*arguments], "environment": {**environment}, "folder": str(folder or "")}
    message = json.dumps(what).encode()
    reading, writing = os.pipe()
    # What a library changes that is loaded before all others must have been changed from the beginning.
    is_special = "LD_PRELOAD" in environment
    with _LOCK:
        connection = _start_forking(environment) if is_special else _forking()
        socket.send_fds(connection, [len(message).to_bytes(4, "big")], [output, writing])
        connection.sendall(message)
        if is_special:
            connection.close()
    os.close(writing)
    return ForkedProcess(os.fdopen(reading, "rb", buffering=0))


def end_forking() -> None:
    """End the process that forks, so that the system counts the processor time of what it has forked as ours."""
    with _LOCK:
        if _forking.cache_info().currsize:
            _forking().close()
            _forking.cache_clear()
        while _STARTED:
            _STARTED.pop().wait()


_LOCK = threading.Lock()
_STARTED: list[subprocess.Popen[bytes]] = []


@cache
def _forking() -> socket.socket:
    return _start_forking(os.environ)


def _start_forking(environment: Mapping[str, str]) -> socket.socket:
    ours, its = socket.socketpair()
    with its:
        command = [sys.executable, str(_FORKING), str(its.fileno())]
        _STARTED.append(subprocess.Popen(command, pass_fds=[its.fileno()], env=environment))
    return ours
