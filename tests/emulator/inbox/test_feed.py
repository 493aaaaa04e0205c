"""The feed: what a watcher is told, where it goes on, and what it costs."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

import pytest

from twilio_component.emulator import change_feed as feed_module
from twilio_component.emulator.change_feed import Change, Feed, TooManyWatchersError


async def batches(feed: Feed, after: str | None, count: int, heartbeat: float = 0.01) -> list[list[Change]]:
    async with aclosing(feed.watch(after, heartbeat)) as watched:
        return [await anext(watched) for _ in range(count)]


def kinds(found: list[list[Change]]) -> list[list[str]]:
    return [[change.kind for change in batch] for batch in found]


async def test_a_new_watcher_is_told_to_look_at_everything_first() -> None:
    feed = Feed()
    feed.publish("message")
    assert kinds(await batches(feed, None, 1)) == [["reset"]]


async def test_a_watcher_continues_where_it_was() -> None:
    feed = Feed()
    feed.publish("message", "one")
    feed.publish("message", "two")
    feed.publish("conditions")
    (batch,) = await batches(feed, feed.position(1), 1)
    assert [(change.number, change.subject) for change in batch] == [(2, "two"), (3, None)]


@pytest.mark.parametrize("position", ["elsewhere-1", "1", "", "-", "x-\u0661"])
async def test_a_position_of_another_process_means_nothing(position: str) -> None:
    feed = Feed()
    feed.publish("message")
    assert kinds(await batches(feed, position, 1)) == [["reset"]]


async def test_a_position_that_was_never_reached_means_nothing() -> None:
    feed = Feed()
    assert kinds(await batches(feed, feed.position(7), 1)) == [["reset"]]


async def test_who_falls_behind_what_is_kept_looks_at_everything_anew() -> None:
    feed = Feed(kept=3)
    for _ in range(5):
        feed.publish("message")
    assert kinds(await batches(feed, feed.position(1), 1)) == [["reset"]]
    assert kinds(await batches(feed, feed.position(2), 1)) == [["message"] * 3]


async def test_a_slow_watcher_costs_no_memory_and_is_told_so() -> None:
    feed = Feed(kept=3)
    async with aclosing(feed.watch(feed.position(0), 5)) as watched:
        found = [await anext(watched)]
        for _ in range(1000):
            feed.publish("message")
        found.append(await anext(watched))
    assert kinds(found) == [[], ["reset"]]
    assert len(feed._changes) == 3


async def test_forgetting_has_every_watcher_look_anew() -> None:
    feed = Feed()
    feed.publish("message")
    feed.forget()
    assert kinds(await batches(feed, feed.position(1), 1)) == [["reset"]]


async def test_without_news_there_are_signs_of_life() -> None:
    feed = Feed()
    assert kinds(await batches(feed, feed.position(0), 3)) == [[], [], []]


async def test_a_watcher_is_woken_from_another_thread() -> None:
    feed = Feed()

    async with asyncio.timeout(5), aclosing(feed.watch(feed.position(0), 30)) as watched:
        await anext(watched)
        threading.Timer(0.01, feed.publish, ["message"]).start()
        found = await anext(watched)
    assert [change.kind for change in found] == ["message"]


def test_a_watcher_whose_loop_has_ended_disturbs_nobody() -> None:
    feed = Feed()
    loop = asyncio.new_event_loop()
    watched = feed.watch(None)
    loop.run_until_complete(anext(watched))
    loop.close()
    feed.publish("message")
    assert kinds(asyncio.run(batches(feed, feed.position(0), 1))) == [["message"]]
    asyncio.run(watched.aclose())


async def test_there_is_room_for_so_many_watchers_and_again_when_one_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "MOST_WATCHERS", 1)
    feed = Feed()
    async with aclosing(feed.watch(None)) as watched:
        await anext(watched)
        with pytest.raises(TooManyWatchersError):
            await anext(feed.watch(None))
    await anext(feed.watch(None))
