"""Places on the way of a run, and of a send, where the proofs kill the process.

``TWILIO_COMPONENT_KILL=answered:3`` kills this process, as ``kill -9`` does, when it comes to ``answered`` for the
third time. Without the variable a checkpoint is one comparison.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

VARIABLE = "TWILIO_COMPONENT_KILL"
STORED = "stored"
BEFORE_INTENT = "before-intent"
INTENT = "intent"
CLAIMED = "claimed"
RESPONDED = "responded"
SETTLED = "settled"


class CrashPoints:
    """Counts how often each place is reached."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._name, _, count = environment.get(VARIABLE, "").partition(":")
        self._left = int(count or 1)

    def hit(self, name: str) -> None:
        """Die here, if it is this process's lot."""
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
