"""When and how long to wait before a request is repeated."""

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
class Retry:
    """How requests are repeated that certainly may be.

    - ``attempts``: how often a request is made at the most, the first time included.
    - ``first``, ``longest``: the waits grow from ``first`` seconds, doubling, to ``longest``; each is drawn at random
      between half of that and all of it, so that many clients do not come back together.
    - ``patience``: the longest ``Retry-After``, in seconds, that is waited out; a longer one ends the call with the
      error, for the caller to decide.
    - ``sleep``: how to wait.
    """

    attempts: int = 4
    first: float = 0.5
    longest: float = 8.0
    patience: float = 30.0
    sleep: Sleep = asyncio.sleep

    def wait(self, attempt: int, retry_after: float | None = None) -> float | None:
        """Seconds to wait after the ``attempt``-th attempt; None when it was the last or the wait is too long."""
        if attempt >= self.attempts:
            return None
        planned = min(self.first * float(2 ** (attempt - 1)), self.longest)
        jittered = planned * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
        if retry_after is None:
            return jittered
        return None if retry_after > self.patience else max(retry_after, jittered)


def retry_after(value: str | None) -> float | None:
    """The ``Retry-After`` header in seconds from now: it holds seconds or a date. None without a readable one."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None
