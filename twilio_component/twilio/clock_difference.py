"""How far Twilio's clock is ahead of this machine's, as the ``Date`` of its responses tells."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

_MEASURING_SECONDS = 10.0
_TOLERATED = 1.0


class ClockDifference:
    """The difference in seconds, between ``least`` and ``most``; both are 0 before the first response.

    A date has whole seconds and a response takes a while, so the difference is known to about a second.
    """

    def __init__(self) -> None:
        self.least = self.most = 0.0
        self._measure_at = float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether the next response should be measured: parsing every date would cost more than it tells."""
        return time.monotonic() >= self._measure_at

    def expire(self) -> None:
        """Measure the next response, however short ago the last one was."""
        self._measure_at = float("-inf")

    def measure(self, date: str | None, sent_at: float) -> None:
        """Take the difference from the ``Date`` of a response to a request of ``sent_at``, in seconds since 1970.

        A response without a date, or with one that cannot be read, changes nothing.
        """
        try:
            shown = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return
        self._measure_at = time.monotonic() + _MEASURING_SECONDS
        self.least, self.most = shown - time.time(), shown + 1.0 - sent_at

    @property
    def warning(self) -> str:
        """A sentence about a difference of certainly more than a second; empty where there is none."""
        if self.most >= -_TOLERATED and self.least <= _TOLERATED:
            return ""
        seconds = min(abs(self.least), abs(self.most))
        side = "behind" if self.least > 0 else "ahead of"
        return f"the clock of this machine is {seconds:,.0f} s {side} Twilio's; set it by NTP"
