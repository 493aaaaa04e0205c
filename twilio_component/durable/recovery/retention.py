"""Retention: finished runs, with the phone numbers and texts in them, are deleted in time."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

from dbos import DBOS
from sqlalchemy import delete

from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.store.schema import contact_counts, last_heard

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.store.database import Database
    from twilio_component.durable.store.runs import RunStore

_HOUR = 3600.0
_BATCH = 500


def forget_contacts(connection: Connection, before: float) -> None:
    """Delete what no quiet hours and no frequency cap ask for any more: who has written, and was written to."""
    connection.execute(delete(last_heard).where(last_heard.c.heard_at < before))
    connection.execute(delete(contact_counts).where(contact_counts.c.claimed_at < before))


class Retention:
    """Purges runs that ended more than ``days`` ago."""

    def __init__(self, database: Database, runs: RunStore, days: float) -> None:
        self._database = database
        self._runs = runs
        self._days = days

    async def keep_purging(self) -> None:
        """Purge now and every hour, until cancelled."""
        await run_periodically(self.purge, _HOUR, "finished runs could not be purged; trying again in an hour")

    async def purge(self) -> int:
        """Purge what is due; the number of runs. From then on an event that started one of them is new again."""
        before = time.time() - self._days * 24 * _HOUR
        purged = 0
        while due := await self._runs.finished_before(before, _BATCH, wait_for_database=True):
            await DBOS.delete_workflows_async(await self._runs.workflows_of(due, wait_for_database=True))
            await self._runs.forget(due, wait_for_database=True)
            purged += len(due)
        await self._database.run_until_available(
            lambda connection: forget_contacts(connection, self._database.now(connection) - 24 * _HOUR)
        )
        # Schedules that fired and chunks of loops are workflows of DBOS, but not runs of ours.
        for name in ("fire_schedule", "run_chunk"):
            await self._purge_workflows(name, before)
        await self._database.forget_log()
        return purged

    async def _purge_workflows(self, name: str, before: float) -> None:
        moment = dt.datetime.fromtimestamp(before, dt.UTC).isoformat()
        while True:
            ended = await DBOS.list_workflows_async(
                name=name, completed_before=moment, limit=_BATCH, load_input=False, load_output=False
            )
            if not ended:
                return
            await DBOS.delete_workflows_async([one.workflow_id for one in ended])
