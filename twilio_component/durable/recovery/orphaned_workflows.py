"""Workflows that the queue gave to this process and that it never started.

The queue first marks a workflow as this process's and then reads it. When the database goes away in between, the
workflow is marked and nobody executes it: not this process, which does not know of it, and no other, since this one is
alive. The same can happen to a workflow that this process has started without the queue.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.store.workflow_rows import workflows_of_executor

if TYPE_CHECKING:
    from twilio_component.durable.active_work import ActiveWork
    from twilio_component.durable.store.database import Database

_LOOK_SECONDS = 10.0
_GRACE_SECONDS = 20.0  # a busy process may take its time to start one
_LOGGER = logging.getLogger("twilio_component.durable")


class OrphanedWorkflows:
    """Requeues such workflows. ``requeue`` returns whether the workflow still was this process's."""

    def __init__(
        self, database: Database, executor: str, work: ActiveWork, requeue: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._database = database
        self._executor = executor
        self._work = work
        self._requeue = requeue

    async def keep_looking(self) -> None:
        """Look every ten seconds, until cancelled."""
        trouble = "could not check whether every workflow that was given to this process has started; trying again"
        await run_periodically(self.sweep, _LOOK_SECONDS, trouble)

    async def sweep(self, grace: float = _GRACE_SECONDS) -> int:
        """Requeue what was given to this process more than ``grace`` seconds ago and is not executing; the number."""
        before = time.time() - grace
        own = await self._database.run_until_available(
            lambda connection: workflows_of_executor(connection, self._executor, before)
        )
        requeued = 0
        for workflow in own:
            if workflow not in self._work.workflow_ids:
                requeued += await self._requeue(workflow)
        if requeued:
            _LOGGER.warning("requeued what was given to this process and had not started: %d", requeued)
        return requeued
