"""A program for tests: the command line, in a process that may be killed at a crash point.

``CRASH_AT=responded:3`` kills the process, as ``kill -9`` does, when it passes ``responded`` for the third time.
``CLOCK_AHEAD=3600`` lets its clock be an hour ahead of this machine's.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial

from twilio_component.cli.main import main
from twilio_component.durable import clock
from twilio_component.durable.crash_points import CrashPoints

VARIABLE = "CRASH_AT"
AHEAD = "CLOCK_AHEAD"


class KillAt(CrashPoints):
    """Kills this process at the ``count``-th passing of a crash point."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._left = count

    def hit(self, name: str) -> None:
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def run(arguments: list[str]) -> int:
    """Run the command line, with the crash point that the environment names."""
    ahead = float(os.environ.get(AHEAD, "0"))
    clock._WALL += ahead
    clock.Clock.wall = lambda _clock: time.time() + ahead  # type: ignore[method-assign,assignment]
    name, _, count = os.environ.get(VARIABLE, "").partition(":")
    if name:
        from twilio_component.serving import server, worker

        points = KillAt(name, int(count or 1))
        server.Server = partial(server.Server, crash_points=points)  # type: ignore[misc,assignment]
        worker.Worker = partial(worker.Worker, crash_points=points)  # type: ignore[misc,assignment]
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
