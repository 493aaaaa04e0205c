"""What many ask for at the same time, done once for all of them: one transaction costs as much as ten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from twilio_component.durable.errors import StoreUnavailableError

_Asked = TypeVar("_Asked")
_Answered = TypeVar("_Answered")

_MOST = 100


class Together(Generic[_Asked, _Answered]):
    """Has everything answered that is asked while something is being answered, in the order in which it came.

    ``answer`` answers at most a hundred, each with what stands at its place.
    """

    def __init__(self, answer: Callable[[Sequence[_Asked]], Awaitable[Sequence[_Answered]]]) -> None:
        self._answer = answer
        self._waiting: list[tuple[_Asked, asyncio.Future[_Answered]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, asked: _Asked) -> _Answered:
        """The answer, which was begun after this was asked; raises what ``answer`` raises for this one."""
        future: asyncio.Future[_Answered] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._task is None:
            self._task = asyncio.create_task(self._answer_all())
        return await future

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._answer_batch(batch)
        finally:
            self._task = None

    async def _answer_batch(self, batch: Sequence[tuple[_Asked, asyncio.Future[_Answered]]]) -> None:
        try:
            answers = await self._answer([asked for asked, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is whoever asked who must know
            if len(batch) == 1 or isinstance(error, StoreUnavailableError):
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                return
            # What one of them asks cannot be done: that is no reason to fail the others.
            for one in batch:
                await self._answer_batch([one])
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():  # whoever asked may have left
                future.set_result(answer)
