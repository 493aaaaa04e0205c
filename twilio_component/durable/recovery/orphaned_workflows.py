"""Workflows that the queue gave to this process and that it never began.

The queue marks a workflow as this process's, and reads it then. When the database goes away in between, it is marked,
and nobody carries it out: not this process, which has forgotten it, nor another, since this one lives.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Collection

from dbos import DBOS

from twilio_component.durable.recovery.periodic import run_periodically

_LOOK_SECONDS = 10.0
_GRACE_SECONDS = 20.0  # a busy process may take its time to begin one
_LOGGER = logging.getLogger("twilio_component.durable")


class OrphanedWorkflows:
    """Gives such workflows back to the queue with ``requeue``, which says whether one still was this process's.

    ``at_work`` are the ids of those that it carries out.
    """

    def __init__(
        self, executor: str, at_work: Callable[[], Collection[str]], requeue: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._executor = executor
        self._at_work = at_work
        self._requeue = requeue

    async def keep_looking(self) -> None:
        """Look every ten seconds, until cancelled."""
        await asyncio.sleep(_LOOK_SECONDS)  # what was left by the one before is being given back at the start
        trouble = "it could not be seen whether every run that was given to this process was begun"
        await run_periodically(self.sweep, _LOOK_SECONDS, trouble)

    async def sweep(self, grace: float = _GRACE_SECONDS) -> int:
        """Give back what was given more than ``grace`` seconds ago and is not carried out; how many those were."""
        before = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=grace)).isoformat()
        mine = await DBOS.list_workflows_async(
            status="PENDING",
            executor_id=self._executor,
            dequeued_before=before,
            queues_only=True,
            load_input=False,
            load_output=False,
        )
        given_back = 0
        for one in mine:
            if one.workflow_id not in self._at_work():
                given_back += await self._requeue(one.workflow_id)
        if given_back:
            _LOGGER.warning("%d workflows were given to this process and not begun; they are given back", given_back)
        return given_back
