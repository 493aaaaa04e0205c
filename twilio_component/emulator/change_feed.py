"""The changes of an emulator, published at once and numbered, and kept for a while so that a watcher can resume.

Watchers have no queues: all of them read the same bounded record at their own speed. A watcher that falls behind its
beginning gets ``reset``, and reads everything again.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from twilio_component.emulator.request_log import RequestRecord

if TYPE_CHECKING:
    from twilio_component.emulator.model.message import Message
    from twilio_component.emulator.request_log import WebhookRecord

Kind = Literal["message", "refusal", "webhook", "conditions", "reset"]

KEPT = 2000
MOST_WATCHERS = 32
# Keep-alive interval in seconds: shorter than what proxies and browsers wait for.
HEARTBEAT = 15.0
_BURST_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``subject`` is the message or the record that changed, if there is one."""

    number: int
    kind: Kind
    subject: Any = None


@dataclass(frozen=True, slots=True)
class _Watcher:
    loop: asyncio.AbstractEventLoop
    news: asyncio.Event


class TooManyWatchersError(Exception):
    """There are ``MOST_WATCHERS`` already."""


class Feed:
    """The changes of one emulator. Publishing is cheap, from any thread, and never waits for a watcher."""

    def __init__(self, kept: int = KEPT) -> None:
        self._changes: deque[Change] = deque(maxlen=kept)
        self._last = 0
        self._watchers: list[_Watcher] = []
        # Numbers begin anew with every process; a position of another one means nothing here.
        self._name = uuid.uuid4().hex[:8]

    def publish(self, kind: Kind, subject: Any = None) -> None:
        """Publish a change to every watcher."""
        self._last += 1
        self._changes.append(Change(self._last, kind, subject))
        for watcher in self._watchers:
            # A loop that has ended meanwhile has nobody to wake.
            with contextlib.suppress(RuntimeError):
                watcher.loop.call_soon_threadsafe(watcher.news.set)

    def update_message(self, message: Message) -> None:
        """Publish a message that is new or has changed."""
        self.publish("message", message)

    def remove_message(self, _message: Message) -> None:
        """Have every watcher read everything again, because a message was deleted."""
        self.publish("reset")

    def add_record(self, record: RequestRecord | WebhookRecord) -> None:
        """Publish a record if a watcher can see it: a webhook, or an attempt to send that was refused."""
        if not isinstance(record, RequestRecord):
            self.publish("webhook", record)
        elif record.is_refused_send:
            self.publish("refusal", record)

    def forget(self) -> None:
        """Drop the record, and have every watcher read everything again."""
        self._changes.clear()
        self.publish("reset")

    def position(self, number: int) -> str:
        """Return the name of a position in the feed, from which `watch` can resume."""
        return f"{self._name}-{number}"

    async def watch(self, after: str | None, heartbeat: float = HEARTBEAT) -> AsyncGenerator[list[Change], None]:
        """Yield the changes after a position, in batches, as they come; an empty batch means that there is nothing new.

        The first batch comes at once, and none later than ``heartbeat`` seconds after the one before.

        Without ``after``, and where the record does not reach back to it, the first change is ``reset``. Raises
        ``TooManyWatchersError`` at once when there is no room.
        """
        if len(self._watchers) >= MOST_WATCHERS:
            raise TooManyWatchersError
        watcher = _Watcher(asyncio.get_running_loop(), asyncio.Event())
        self._watchers.append(watcher)
        try:
            reached = self._number(after)
            while True:
                watcher.news.clear()
                batch = self._since(reached)
                reached = batch[-1].number if batch else reached
                yield batch
                if reached == self._last:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(heartbeat):
                            await watcher.news.wait()
                # What comes in a burst travels together.
                await asyncio.sleep(_BURST_SECONDS)
        finally:
            self._watchers.remove(watcher)

    def _number(self, position: str | None) -> int:
        name, _, number = (position or "").rpartition("-")
        known = name == self._name and number.isdecimal() and int(number) <= self._last
        return int(number) if known else -1

    def _since(self, reached: int) -> list[Change]:
        if reached == self._last:
            return []
        changes = [change for change in list(self._changes) if change.number > reached]
        if reached < 0 or not changes or changes[0].number != reached + 1:
            return [Change(self._last, "reset")]
        return changes
