"""What many ask for at the same time, done once for all of them: one transaction costs as much as ten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from twilio_component.durable.errors import StoreBusyError, StoreUnavailableError

_Asked = TypeVar("_Asked")
_Answered = TypeVar("_Answered")

_MOST = 100


class RequestBatcher(Generic[_Asked, _Answered]):
    """Has everything answered that is asked while something is being answered, in the order in which it came.

    ``answer`` answers at most a hundred, each with what stands at its place.
    """

    def __init__(self, answer: Callable[[Sequence[_Asked]], Awaitable[Sequence[_Answered]]]) -> None:
        self._answer = answer
        self._waiting: list[tuple[_Asked, asyncio.Future[_Answered]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, asked: _Asked) -> _Answered:
        """The answer, which was begun after this was asked; raises what ``answer`` raises for this one."""
        future: asyncio.Future[_Answered] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._task is None:
            self._task = asyncio.create_task(self._answer_all())
        return await future

    async def drain(self) -> None:
        """Wait until everything that was asked is answered."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._answer_batch(batch)
        finally:
            self._task = None

    async def _answer_batch(self, batch: Sequence[tuple[_Asked, asyncio.Future[_Answered]]]) -> Exception | None:
        """Answer each, or fail it; why nothing can be answered now, if that is so."""
        try:
            answers = await self._answer([asked for asked, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is whoever asked who must know
            failure = error
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():  # whoever asked may have left
                    future.set_result(answer)
            return None
        if len(batch) == 1 or _is_away(failure):
            _fail(batch, failure)
            return failure if _is_away(failure) else None
        # What one of them asks cannot be done: that is no reason to fail the others.
        for number, one in enumerate(batch):
            away = await self._answer_batch([one])
            if away is not None:
                _fail(batch[number + 1 :], away)
                return away
        return None


def _is_away(error: Exception) -> bool:
    return isinstance(error, StoreUnavailableError) and not isinstance(error, StoreBusyError)


def _fail(batch: Sequence[tuple[Any, asyncio.Future[Any]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
