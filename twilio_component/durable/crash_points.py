"""Named points in the life of a run and of a send at which a test may kill the process."""

from __future__ import annotations

STORED = "stored"
BEFORE_INTENT = "before-intent"
INTENT = "intent"
CLAIMED = "claimed"
RESPONDED = "responded"
SETTLED = "settled"


class CrashPoints:
    """Called at each crash point. This one does nothing; a test passes one that kills the process."""

    def hit(self, name: str) -> None:
        """Do nothing: in production no point is fatal."""
