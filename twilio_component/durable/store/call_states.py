"""The states of a call that must happen at most once; ``sending.intents`` says what changes them."""

from __future__ import annotations

PLANNED, CLAIMED, IN_DOUBT, SETTLED, UNKNOWN = "planned", "claimed", "in_doubt", "settled", "unknown"
OPEN = (PLANNED, CLAIMED, IN_DOUBT)
"""States of a call that is not over."""
