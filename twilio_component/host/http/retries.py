"""The retries that raw HTTP actions offer: a fixed number, after a fixed or a doubling delay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from twilio_component.host.errors import PerformError

_T = TypeVar("_T")

# Milliseconds between attempts where the inputs give none.
_FIRST_BACKOFF, _DELAY = 200, 1_000


async def send_with_retries(
    send: Callable[[], Awaitable[_T]],
    inputs: Mapping[str, Any],
    *,
    is_transient: Callable[[PerformError], bool],
    retry_all: bool,
    sleep: Callable[[float], Awaitable[None]],
) -> _T:
    """Return what ``send`` returns, and call it again after an error that ``is_transient``, or any if ``retry_all``.

    ``inputs`` are those of a raw HTTP action: at most ``maxRetries`` retries, ``retryDelayMS`` apart (a second for 0),
    and twice as long each time with ``useExponentialBackoff`` (200 milliseconds first for 0). ``sleep`` takes seconds.
    Raises the error of the last attempt.
    """
    attempt = 0
    while True:
        try:
            return await send()
        except PerformError as error:
            if attempt == inputs["maxRetries"] or not (retry_all or is_transient(error)):
                raise
        exponential = inputs["useExponentialBackoff"]
        # Exports carry a delay of 0, which must not become a storm of requests.
        delay = inputs["retryDelayMS"] or (_FIRST_BACKOFF if exponential else _DELAY)
        await sleep(delay * (2**attempt if exponential else 1) / 1_000)
        attempt += 1
