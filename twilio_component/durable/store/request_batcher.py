"""Many requests that arrive at the same time, handled together: one transaction costs as much as ten."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from twilio_component.durable.errors import StoreBusyError, StoreUnavailableError

_Request = TypeVar("_Request")
_Result = TypeVar("_Result")
_Handle = Callable[[Sequence[_Request]], Awaitable[Sequence[_Result]]]
_Batch = Sequence[tuple[_Request, asyncio.Future[_Result]]]

_MAX_BATCH = 100
_CROWD = 8  # requests that wait at once; a process that keeps up has one or two
_CROWD_SECONDS = 0.5


class RequestBatcher(Generic[_Request, _Result]):
    """Hands everything that is submitted while a batch is under way to ``handle``, in the order of submission.

    ``handle`` gets at most a hundred requests and returns their results in the same order. For one of which it raises
    ``StoreBusyError``, ``handle_with_wait`` gets it alone, and holds up no other.
    """

    def __init__(
        self,
        handle: _Handle[_Request, _Result],
        handle_with_wait: _Handle[_Request, _Result] | None = None,
    ) -> None:
        self._handle = handle
        self._handle_with_wait = handle_with_wait
        self._waiting_for_locks: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[_Request, asyncio.Future[_Result]]] = []
        self._task: asyncio.Task[None] | None = None
        self._crowded_until = float("-inf")

    @property
    def is_crowded(self) -> bool:
        """Whether many requests have come at the same time, a moment ago; may be asked by any thread."""
        return time.monotonic() < self._crowded_until

    async def submit(self, request: _Request) -> _Result:
        """The request's result, computed after the submission; raises what ``handle`` raises for this request."""
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._task is None:
            self._task = asyncio.create_task(self._handle_all())
        return await future

    async def drain(self) -> None:
        """Wait until everything that was submitted is done."""
        if self._task is not None:
            await asyncio.wait({self._task})
        if self._waiting_for_locks:
            await asyncio.wait(self._waiting_for_locks)

    async def _handle_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
                if len(batch) >= _CROWD:
                    self._crowded_until = time.monotonic() + _CROWD_SECONDS
                # One whose submitter has given up before it was handled is not handled.
                await self._handle_batch([one for one in batch if not one[1].done()])
        finally:
            self._task = None

    async def _handle_batch(self, batch: _Batch[_Request, _Result]) -> Exception | None:
        """Complete each future; the error when the database is away and nothing can be done now."""
        if not batch:
            return None
        failure = await _complete(self._handle, batch)
        if failure is None:
            return None
        if len(batch) == 1 and isinstance(failure, StoreBusyError) and self._handle_with_wait is not None:
            task = asyncio.create_task(_complete_alone(self._handle_with_wait, batch))
            self._waiting_for_locks.add(task)
            task.add_done_callback(self._waiting_for_locks.discard)
            return None
        if len(batch) == 1 or _is_away(failure):
            _fail(batch, failure)
            return failure if _is_away(failure) else None
        # One request that cannot be handled is no reason to fail the others.
        for number, one in enumerate(batch):
            away = await self._handle_batch([one])
            if away is not None:
                _fail(batch[number + 1 :], away)
                return away
        return None


async def _complete_alone(handle: _Handle[_Request, _Result], batch: _Batch[_Request, _Result]) -> None:
    failure = await _complete(handle, batch)
    if failure is not None:
        _fail(batch, failure)


async def _complete(handle: _Handle[_Request, _Result], batch: _Batch[_Request, _Result]) -> Exception | None:
    """Give each future of the batch its result; or return the error, which no future has yet."""
    try:
        results = await handle([request for request, _ in batch])
    except Exception as error:  # noqa: BLE001 - the submitters must know
        return error
    for (_, future), result in zip(batch, results, strict=True):
        if not future.done():  # the submitter may have given up
            future.set_result(result)
    return None


def _is_away(error: Exception) -> bool:
    return isinstance(error, StoreUnavailableError) and not isinstance(error, StoreBusyError)


def _fail(batch: Sequence[tuple[Any, asyncio.Future[Any]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
