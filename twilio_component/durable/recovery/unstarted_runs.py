"""Runs that were stored and never started: the process that stored them died, or lost the database, in between.

A run is stored first and enqueued then. Any process of the database finds the runs for which the second did not happen.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dbos import DBOS
from sqlalchemy import Connection, exists, not_, select, tuple_

from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.store import run_status
from twilio_component.durable.store.schema import runs
from twilio_component.durable.store.workflow_rows import has_workflow

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

_GRACE_SECONDS = 10.0
_BATCH = 500
_LOOKS_BETWEEN = 6  # at the children of stopped parents, all of which are looked at
_LOGGER = logging.getLogger("twilio_component.durable")


class _Stored(NamedTuple):
    id: str
    created_at: float


class UnstartedRuns:
    """Finds such runs and hands them to ``start``, which ignores those that another process has just started."""

    def __init__(self, database: Database, start: Callable[[Sequence[str]], Awaitable[object]]) -> None:
        self._database = database
        self._start = start
        self._looked_until = 0.0

    async def keep_looking(self) -> None:
        """Look every ten seconds at the runs that are old enough to have been started, until cancelled."""
        # This process has started nothing yet. Others, if there are any, may be about to.
        grace = 0.0 if self._database.is_sqlite else _GRACE_SECONDS
        looks = 0

        async def look() -> None:
            nonlocal grace, looks
            await self.sweep(grace)
            grace = _GRACE_SECONDS
            if looks % _LOOKS_BETWEEN == 0:
                await self.sweep_children()
            looks += 1

        trouble = "could not check whether every stored run has been started; trying again"
        await run_periodically(look, _GRACE_SECONDS, trouble)

    async def sweep(self, grace: float = _GRACE_SECONDS) -> int:
        """Start what was stored more than ``grace`` seconds ago and has not been started; the number of runs.

        Every run is looked at once: by then it has been started, or it is started now.
        """
        now = await self._database.run_until_available(self._database.now)
        position = (self._looked_until, "")
        started = 0
        while batch := await self._next_batch(position, now - grace):
            position = (batch[-1].created_at, batch[-1].id)
            started += await self._start_unknown(batch)
        # A run that is being stored at this moment has its time already, but is not visible yet.
        self._looked_until = now - _GRACE_SECONDS
        if started:
            _LOGGER.warning("started what was stored and not started by its process: %d", started)
        return started

    async def sweep_children(self, grace: float = _GRACE_SECONDS) -> int:
        """Start the flows, stored more than ``grace`` seconds ago, that a run has not started and will not; the number.

        That run was stopped or has failed since the process died in which it was about to start them.
        """

        def work(connection: Connection) -> list[str]:
            parents = runs.alias()
            goes_on = exists().where(parents.c.id == runs.c.parent, parents.c.state == run_status.RUNNING)
            is_left = (
                runs.c.state == run_status.RUNNING,
                runs.c.parent.is_not(None),
                runs.c.created_at <= self._database.now(connection) - grace,
                not_(goes_on),
                not_(has_workflow(connection, runs.c.id)),
            )
            return list(connection.execute(select(runs.c.id).where(*is_left).order_by(runs.c.id)).scalars())

        left = await self._database.run_until_available(work)
        if left:
            await self._start(left)
            _LOGGER.warning("started flows that the runs which stored them will not start: %d", len(left))
        return len(left)

    async def _next_batch(self, after: tuple[float, str], until: float) -> list[_Stored]:
        """The next runs, in the order in which they were stored, that have not ended."""

        def work(connection: Connection) -> list[_Stored]:
            open_ = (
                runs.c.state == run_status.RUNNING,
                runs.c.parent.is_(None),  # a child is started by its parent, which is recovered, if that goes on
                runs.c.created_at <= until,
                tuple_(runs.c.created_at, runs.c.id) > after,
            )
            columns = select(runs.c.id, runs.c.created_at)
            found = connection.execute(columns.where(*open_).order_by(runs.c.created_at, runs.c.id).limit(_BATCH))
            return [_Stored(*row) for row in found]

        return await self._database.run_until_available(work)

    async def _start_unknown(self, batch: list[_Stored]) -> int:
        """Start the runs of which the workflow engine knows nothing; their number."""
        ids = [row.id for row in batch]
        known = await DBOS.list_workflows_async(workflow_ids=ids, load_input=False, load_output=False)
        unknown = sorted(set(ids) - {one.workflow_id for one in known})
        if unknown:
            await self._start(unknown)
        return len(unknown)
