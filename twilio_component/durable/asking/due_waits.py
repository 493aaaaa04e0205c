"""Runs whose time to wait is over: one bounded query a second finds them, however many wait."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.store import waits

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.asking.questions import QuestionStore
    from twilio_component.durable.store.database import Database

_LOOK_SECONDS = 1.0
_BATCH = 100


class DueWaits:
    """Wakes such runs. A question that a run waits with is closed as timed out."""

    def __init__(self, database: Database, questions: QuestionStore, enqueue: waits.Enqueue) -> None:
        self._database = database
        self._questions = questions
        self._enqueue = enqueue

    async def keep_looking(self) -> None:
        """Look every second, until cancelled."""
        trouble = "could not check whether the time of waiting runs is over; trying again"
        await run_periodically(self.sweep, _LOOK_SECONDS, trouble)

    async def sweep(self) -> int:
        """Wake every run whose time is over; their number."""
        woken = 0
        while batch := await self._database.run_until_available(self._due):
            for waiting in batch:
                await self._database.run_until_available(partial(self._wake, waiting))
            woken += len(batch)
        return woken

    def _due(self, connection: Connection) -> list[tuple[str, str]]:
        return waits.due(connection, self._database.now(connection), _BATCH)

    def _wake(self, waiting: tuple[str, str], connection: Connection) -> None:
        run, reason = waiting
        if reason == waits.REPLY:
            self._questions.expire(connection, run, self._database.now(connection))
        else:
            waits.wake(connection, run, self._enqueue)
