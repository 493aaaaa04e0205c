"""Waits of a run that was continued after it had waited as a row.

The workflow engine records the sleeps of a workflow, and the run goes on in another workflow: its waits are recorded in
the journal instead. Those that were over before are not waited for again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from twilio_component.durable.store.journal import FIRST_WAIT, JournalEntry

if TYPE_CHECKING:
    from twilio_component.durable.store.runs import RunStore


class ContinuedWaits:
    """The waits of one execution of such a run, in their order."""

    def __init__(self, runs: RunStore, run: str) -> None:
        self._runs = runs
        self._run = run
        self._count = 0
        self._reached: int | None = None

    async def seconds_left(self, step_id: str, seconds: float, next_call: int) -> float:
        """Seconds that are left of the next wait; ``next_call`` is the number of the call after it."""
        number = FIRST_WAIT - self._count
        self._count += 1
        entry = await self._runs.entry_at(self._run, number)
        if entry is not None:
            return float(entry.value["until"]) - time.time()
        if self._reached is None:
            self._reached = await self._runs.last_call(self._run)
        if next_call <= self._reached:
            return 0.0
        entry = JournalEntry(step_id=step_id, value={"until": time.time() + seconds})
        await self._runs.record(self._run, number, entry)
        return seconds
