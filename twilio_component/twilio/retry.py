"""When a request is repeated, and after which delay."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_component.host.resources import Sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How a request is repeated that may be. All times are in seconds.

    - ``attempts``: how often a request is sent at most, the first time included.
    - ``initial_delay``, ``max_delay``: the delay doubles from the one to the other; each is drawn at random between
      half of it and all of it, so that many clients do not return at the same moment.
    - ``max_retry_after``: the longest ``Retry-After`` that is waited for; a longer one ends the call with the error, so
      that the caller can decide.
    - ``sleep``: how to wait.
    """

    attempts: int = 4
    initial_delay: float = 0.5
    max_delay: float = 8.0
    max_retry_after: float = 30.0
    sleep: Sleep = asyncio.sleep

    def delay_for(self, attempt: int, retry_after: float | None = None) -> float | None:
        """Return the seconds to wait after the ``attempt``-th attempt, or None when there must be no other."""
        if attempt >= self.attempts:
            return None
        planned = min(self.initial_delay * float(2 ** (attempt - 1)), self.max_delay)
        jittered = planned * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
        if retry_after is None:
            return jittered
        return None if retry_after > self.max_retry_after else max(retry_after, jittered)


def retry_after(value: str | None) -> float | None:
    """Return a ``Retry-After`` header (seconds or a date) in seconds from now, or None when it cannot be read."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, OverflowError):
        return None
