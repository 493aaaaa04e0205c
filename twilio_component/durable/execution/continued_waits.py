"""Waits of a run that goes on in another workflow after it has waited as a row.

The workflow engine records the sleeps of one workflow only, so the waits of such a run are recorded in the journal.
Those that were over before are not waited for again.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from twilio_component.durable.errors import RunParked, RunStopped
from twilio_component.durable.ids import lineage
from twilio_component.durable.store.journal import FIRST_WAIT, WAITED, JournalEntry
from twilio_component.durable.store.waits import DELIVERY

if TYPE_CHECKING:
    from twilio_component.durable.store.runs import RunStore
    from twilio_component.durable.store.waits import Holder


class ContinuedWaits:
    """The waits of one execution of a run, in their order; ``begin`` comes before each of them."""

    def __init__(self, runs: RunStore, run: str, holder: Holder | None) -> None:
        """``holder`` has the run; an iteration, which never waits as a row, has none."""
        self._runs = runs
        self._run = run
        self._holder = holder
        self._number = FIRST_WAIT
        self._last_call: int | None = None
        self._first_call: int | None = None

    def begin(self) -> None:
        """Note that the execution comes to another wait."""
        self._number -= 1

    async def recorded_seconds_left(self, next_call: int) -> float | None:
        """Seconds that are left of this wait if it was begun after the run had waited as a row, else None.

        None are left of one before the call with which a retry goes on: the run before has waited for it.
        """
        entry = await self._runs.entry_at(self._run, self._number)
        if entry is not None:
            return float(entry.value["until"]) - time.time()
        return 0.0 if await self._has_been_waited_for(next_call) else None

    async def seconds_left(self, step_id: str, seconds: float, next_call: int) -> float:
        """Seconds that are left of this wait; ``next_call`` is the number of the call after it."""
        recorded = await self.recorded_seconds_left(next_call)
        if recorded is not None:
            return recorded
        if await self._is_past(next_call):
            return 0.0
        entry = JournalEntry(step_id=step_id, value={"until": time.time() + seconds})
        await self._runs.record(self._run, self._number, entry)
        return seconds

    async def park(self, step_id: str, seconds: float, next_call: int, effect: str) -> None:
        """Return when this wait is over; raise ``RunParked`` to let the run wait for news of ``effect`` as a row.

        It is over once the run is executed again: what wakes a run is news, or the time. A run that a crash has
        brought back asks once too often, which does no harm.
        """
        if await self._is_past(next_call):
            return
        if await self._runs.entry_at(self._run, self._number) is not None:
            if self._holder is None or not await self._runs.waits.go_on(self._run, self._holder):
                raise RunParked
            return
        entry = JournalEntry(step_id=step_id, value={"until": time.time() + seconds})
        waiting = partial(self._runs.waits.park_for, run=self._run, reason=DELIVERY, seconds=seconds, effect=effect)
        recorded = await self._runs.record(self._run, self._number, entry, in_transaction=waiting)
        raise RunStopped if recorded.is_stopped else RunParked

    async def _has_been_waited_for(self, next_call: int) -> bool:
        if self._first_call is None:
            is_retry = len(lineage(self._run)) > 1
            entry = await self._runs.entry_at(self._run, WAITED) if is_retry else None
            self._first_call = -1 if entry is None else int(entry.value.get("call", -1))
        return next_call <= self._first_call

    async def _is_past(self, next_call: int) -> bool:
        """Whether the execution had come to the call after this wait before it waited as a row."""
        if self._last_call is None:
            self._last_call = await self._runs.waits.last_call(self._run)
        return next_call <= self._last_call
