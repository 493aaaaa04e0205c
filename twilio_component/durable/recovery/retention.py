"""Retention: finished runs, with the phone numbers and texts in them, are deleted in time, and alarms with them."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING

from dbos import DBOS

from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.store.operator_tables import alarm_turns, alarms
from twilio_component.durable.store.removal import looked_back_to, remove_old
from twilio_component.durable.store.schema import contact_counts, events, last_heard, purged_resources

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.store.database import Database
    from twilio_component.durable.store.runs import RunStore

_HOUR = 3600.0
_BATCH = 500
# Twilio repeats a webhook whose response it has not got, within 15 s of the first attempt.
_RESPONSE_SECONDS = 60.0


class Retention:
    """Purges runs that ended more than ``days`` ago."""

    def __init__(self, database: Database, runs: RunStore, days: float) -> None:
        self._database = database
        self._runs = runs
        self._days = days

    async def keep_purging(self) -> None:
        """Purge now and every hour, until cancelled."""
        await run_periodically(self.purge, _HOUR, "finished runs could not be purged; trying again in an hour")

    async def keep_forgetting_responses(self) -> None:
        """Delete what synchronous flows have responded once nobody asks for it again, until cancelled."""

        async def forget() -> None:
            await self._runs.forget_responses(_RESPONSE_SECONDS)

        await run_periodically(forget, _RESPONSE_SECONDS, "old responses could not be deleted; trying again")

    async def purge(self) -> int:
        """Purge what is due; the number of runs. An event that started one of them is new again, but not for a day."""
        # By the clock by which runs end: that of this machine may be another, and far from it.
        before = await self._database.run_until_available(self._database.now) - self._days * 24 * _HOUR
        purged = 0
        while due := await self._runs.give_up_before(before, _BATCH, wait_for_database=True):
            await DBOS.delete_workflows_async(await self._runs.workflows_of(due, wait_for_database=True))
            await self._runs.forget(due, wait_for_database=True)
            purged += len(due)
        while await self._database.run_until_available(partial(self._remove_old, ended_before=before)):
            pass
        # Schedules that fired and chunks of loops are workflows of DBOS, but not runs of ours.
        for name in ("fire_schedule", "run_chunk"):
            await self._purge_workflows(name, before)
        await self._database.forget_log()
        return purged

    def _remove_old(self, connection: Connection, ended_before: float) -> bool:
        """Delete some rows that are no longer needed; return whether there were any."""
        # For a day, quiet hours and frequency caps ask who has written, and who was written to.
        now = self._database.now(connection)
        day_ago = now - 24 * _HOUR
        return remove_old(
            connection,
            {
                last_heard: last_heard.c.heard_at < day_ago,
                contact_counts: contact_counts.c.claimed_at < day_ago,
                events: events.c.kept_until < now,
                purged_resources: purged_resources.c.claimed_at < looked_back_to(connection, now),
                alarms: alarms.c.finished_at < ended_before,
                alarm_turns: alarm_turns.c.last_at < ended_before,
            },
        )

    async def _purge_workflows(self, name: str, before: float) -> None:
        moment = dt.datetime.fromtimestamp(before, dt.UTC).isoformat()
        while True:
            ended = await DBOS.list_workflows_async(
                name=name, completed_before=moment, limit=_BATCH, load_input=False, load_output=False
            )
            if not ended:
                return
            await DBOS.delete_workflows_async([one.workflow_id for one in ended])
