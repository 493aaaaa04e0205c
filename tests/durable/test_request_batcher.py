"""What many ask for at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from twilio_component.durable.errors import StoreBusyError, StoreUnavailableError
from twilio_component.durable.store import request_batcher
from twilio_component.durable.store.request_batcher import RequestBatcher


class Doubling:
    """Doubles numbers, as soon as it is let; ``fails`` raises for what may not be doubled."""

    def __init__(self, fails: dict[int, Exception] | None = None) -> None:
        self.batches: list[list[int]] = []
        self.let = asyncio.Event()
        self.together = RequestBatcher(self.double)
        self._fails = fails or {}

    async def double(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        await self.let.wait()
        for number in numbers:
            if number in self._fails:
                raise self._fails[number]
        return [2 * number for number in numbers]

    async def asked(self, numbers: Sequence[int]) -> list[Any]:
        """What became of each, when the first was being answered before the others were asked."""
        asking = []
        for number in numbers:
            asking.append(asyncio.create_task(self.together.submit(number)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self.let.set()
        return await asyncio.gather(*asking, return_exceptions=True)


async def test_what_is_asked_meanwhile_is_answered_together_and_each_gets_its_own_answer() -> None:
    doubling = Doubling()
    assert await doubling.asked(range(5)) == [0, 2, 4, 6, 8]
    assert doubling.batches == [[0], [1, 2, 3, 4]]
    assert await doubling.together.submit(7) == 14


async def test_at_most_a_hundred_are_answered_together() -> None:
    doubling = Doubling()
    await doubling.asked(range(202))
    assert [len(batch) for batch in doubling.batches] == [1, 100, 100, 1]


async def test_what_cannot_be_answered_fails_by_itself() -> None:
    error = ValueError("no")
    doubling = Doubling({2: error})
    assert await doubling.asked(range(4)) == [0, 2, error, 6]


async def test_a_database_that_is_away_fails_all_of_them_without_being_asked_for_each() -> None:
    away = StoreUnavailableError("away")
    doubling = Doubling({2: away})
    assert await doubling.asked(range(4)) == [0, away, away, away]
    assert len(doubling.batches) == 2


async def test_a_database_that_goes_away_meanwhile_is_not_asked_for_each_that_is_left() -> None:
    error, away = ValueError("no"), StoreUnavailableError("away")
    doubling = Doubling({2: error, 4: away})
    assert await doubling.asked(range(7)) == [0, 2, error, 6, away, away, away]
    assert doubling.batches == [[0], [1, 2, 3, 4, 5, 6], [1], [2], [3], [4]]


async def test_one_that_something_else_keeps_from_being_answered_keeps_no_other() -> None:
    busy = StoreBusyError("busy")
    doubling = Doubling({2: busy})
    assert await doubling.asked(range(4)) == [0, 2, busy, 6]
    await doubling.together.drain()
    assert doubling.together._task is None


@pytest.mark.parametrize("fails", [{}, {1: ValueError("no")}])
async def test_one_who_has_left_is_not_answered_and_the_others_are(fails: dict[int, Exception]) -> None:
    doubling = Doubling(fails)
    first, leaving = (
        asyncio.create_task(doubling.together.submit(0)),
        asyncio.create_task(doubling.together.submit(1)),
    )
    await asyncio.sleep(0)
    leaving.cancel()
    assert await doubling.asked([2, 3]) == [4, 6]
    assert await first == 0
    assert leaving.cancelled()


async def test_many_that_wait_at_once_are_a_crowd_and_one_after_the_other_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    doubling = Doubling()
    doubling.let.set()
    for number in range(20):
        assert await doubling.together.submit(number) == 2 * number
    crowds = [doubling.together.is_crowded]
    assert await asyncio.gather(*map(doubling.together.submit, range(8))) == [2 * number for number in range(8)]
    crowds.append(doubling.together.is_crowded)
    monkeypatch.setattr(request_batcher, "_CROWD_SECONDS", 0.0)
    await asyncio.gather(*map(doubling.together.submit, range(8)))
    assert [*crowds, doubling.together.is_crowded] == [False, True, False]
