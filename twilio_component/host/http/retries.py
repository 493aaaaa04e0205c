"""The retries that raw HTTP actions offer: a fixed number, after a fixed or a doubling delay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from twilio_component.host.errors import PerformError

_T = TypeVar("_T")


async def send_with_retries(
    send: Callable[[], Awaitable[_T]],
    inputs: Mapping[str, Any],
    *,
    is_transient: Callable[[PerformError], bool],
    retry_all: bool,
    sleep: Callable[[float], Awaitable[None]],
) -> _T:
    """Return what ``send`` returns, and call it again after an error that ``is_transient``, or any if ``retry_all``.

    ``inputs`` are those of a raw HTTP action: at most ``maxRetries`` retries, ``retryDelayMS`` apart, and twice as long
    each time with ``useExponentialBackoff``. ``sleep`` takes seconds. Raises the error of the last attempt.
    """
    attempt = 0
    while True:
        try:
            return await send()
        except PerformError as error:
            if attempt == inputs["maxRetries"] or not (retry_all or is_transient(error)):
                raise
        await sleep(inputs["retryDelayMS"] * (2**attempt if inputs["useExponentialBackoff"] else 1) / 1_000)
        attempt += 1
