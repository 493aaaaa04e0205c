"""The retries that raw HTTP actions offer: a fixed number, after a fixed or a doubling delay."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from twilio_component.host.errors import PerformError

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_T = TypeVar("_T")

# Milliseconds between attempts where the inputs give none.
_FIRST_BACKOFF, _DELAY = 200, 1_000


async def send_with_retries(
    send: Callable[[float], Awaitable[_T]],
    inputs: Mapping[str, Any],
    *,
    is_transient: Callable[[PerformError], bool],
    retry_all: bool,
    unknown: Callable[[PerformError], PerformError],
    context: Context,
) -> _T:
    """Return what ``send`` returns, and call it again after an error that ``is_transient``, or any if ``retry_all``.

    ``send`` gets the seconds that it has left. ``inputs`` are those of a raw HTTP action: at most ``maxRetries``
    retries, ``retryDelayMS`` apart (a second for 0), and twice as long each time with ``useExponentialBackoff`` (200
    milliseconds first for 0). A caller that limits the attempt repeats itself what was certainly not processed; then
    there is a retry only if there is time for it.

    Raises the error of the last attempt; where an earlier one may have been processed, and the last one was not, what
    ``unknown`` makes of it.
    """
    loop, limit = asyncio.get_running_loop(), context.request_seconds
    deadline = last_start = math.inf
    if limit is not None:
        deadline = loop.time() + limit
        last_start = deadline - limit / 4  # one that has no time is lost
    attempt, may_have_happened = 0, False
    while True:
        try:
            return await send(deadline - loop.time())
        except PerformError as error:
            is_last = attempt == inputs["maxRetries"] or not (retry_all or is_transient(error))
            is_callers = limit is not None and (error.not_sent or error.throttled is not None)
            delay = _delay(inputs, attempt)
            if is_last or is_callers or loop.time() + delay > last_start:
                if may_have_happened and not error.may_have_happened:
                    raise unknown(error) from error
                raise
            may_have_happened = may_have_happened or error.may_have_happened
        await context.resources.sleep(delay)
        attempt += 1


def _delay(inputs: Mapping[str, Any], attempt: int) -> float:
    """The seconds before the next attempt."""
    exponential = inputs["useExponentialBackoff"]
    # Exports carry a delay of 0, which must not become a storm of requests.
    delay: float = inputs["retryDelayMS"] or (_FIRST_BACKOFF if exponential else _DELAY)
    return delay * (2**attempt if exponential else 1) / 1_000
