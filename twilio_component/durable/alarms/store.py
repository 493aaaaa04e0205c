"""Stores alarms: the runs that each reports, and the receivers that it has not reached yet.

An alarm stands for all runs of one flow that ended in one state within a minute or more. It is stored before it is
delivered, so it survives a restart, and it is delivered at least once: a repetition has the same id.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, or_, select, update
from sqlalchemy import text as sql

from twilio_component.durable.operator.times import format_time
from twilio_component.durable.store.operator_tables import alarm_turns, alarms
from twilio_component.durable.store.run_status import UNTOLD
from twilio_component.durable.store.schema import runs
from twilio_component.durable.store.upsert import insert_once, to_json

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

PAUSE_SECONDS = 60.0
"""How long after an alarm the next one about the same flow and state comes at the earliest."""
MOST_TRIES = 12
_LEASE_SECONDS = 90.0  # within which a process tells, or another one does
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 900.0
_OLDEST_SECONDS = 24 * 3600.0
_MOST_NAMED = 20
_MOST_RUNS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm to deliver: its id, its content (JSON), and the receivers that have it."""

    id: str
    body: str
    told: tuple[str, ...]
    tries: int


class AlarmStore:
    """Raises alarms and keeps account of them. Its methods raise ``StoreUnavailableError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def raise_alarms(self, quiet_flow: str) -> int:
        """Store an alarm for each flow and state with runs of which nobody was told; how many.

        Runs of ``quiet_flow``, which tells of the others, raise none.
        """

        def work(connection: Connection) -> int:
            now = self._database.now(connection)
            recent = or_(runs.c.finished_at.is_(None), runs.c.finished_at >= now - _OLDEST_SECONDS)
            untold = (sql(UNTOLD), runs.c.flow != quiet_flow, recent)
            names = (runs.c.integration, runs.c.flow, runs.c.state)
            groups = connection.execute(select(*names).where(*untold).distinct().order_by(*names)).all()
            return sum(self._raise(connection, tuple(group), untold, now) for group in groups)

        return await self._database.run(work)

    def _raise(self, connection: Connection, group: tuple[str, ...], untold: Sequence[Any], now: float) -> bool:
        if not _take_turn(connection, "/".join(group), now):
            return False
        integration, flow, state = group
        of_group = (runs.c.integration == integration, runs.c.flow == flow, runs.c.state == state)
        found = select(runs.c.id).where(*of_group, *untold).order_by(runs.c.created_at).limit(_MOST_RUNS)
        alarm = uuid.uuid4().hex
        telling = update(runs).where(runs.c.id.in_(found), runs.c.alarm.is_(None), runs.c.state == state)
        told = connection.execute(telling.values(alarm=alarm).returning(runs.c.id, runs.c.error)).all()
        if not told:
            return False
        body = {
            "id": alarm,
            "time": format_time(now),
            "integration": integration,
            "flow": flow,
            "state": state,
            "count": len(told),
            "byCode": dict(_codes(row.error for row in told)),
            "runs": sorted(row.id for row in told)[:_MOST_NAMED],
        }
        row = {"id": alarm, "body": to_json(body), "told": "[]", "tries": 0, "created_at": now, "next_at": now}
        connection.execute(alarms.insert().values(row))
        return True

    async def take_due(self) -> list[Alarm]:
        """The alarms to deliver now; for a while no other process takes them."""

        def work(connection: Connection) -> list[Alarm]:
            now = self._database.now(connection)
            due = (alarms.c.next_at <= now, alarms.c.finished_at.is_(None))
            taking = update(alarms).where(*due).values(next_at=now + _LEASE_SECONDS, tries=alarms.c.tries + 1)
            rows = connection.execute(taking.returning(*alarms.c))
            return [Alarm(id=row.id, body=row.body, told=tuple(json.loads(row.told)), tries=row.tries) for row in rows]

        return await self._database.run(work)

    async def note(self, alarm: Alarm, told: Sequence[str], *, is_over: bool) -> None:
        """Store which receivers have an alarm; unless it ``is_over``, it is delivered to the others later."""

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            pause = min(_FIRST_PAUSE * 2 ** (alarm.tries - 1), _LONGEST_PAUSE)
            changes = {"told": to_json(list(told)), "next_at": now + pause, "finished_at": now if is_over else None}
            connection.execute(update(alarms).where(alarms.c.id == alarm.id).values(changes))

        await self._database.run(work)


def _take_turn(connection: Connection, group: str, now: float) -> bool:
    """Whether an alarm about this flow and state may be raised now: at most one a minute, of all processes."""
    key = group[:400]
    if insert_once(connection, alarm_turns, {"name": key, "last_at": now}):
        return True
    due = (alarm_turns.c.name == key, alarm_turns.c.last_at <= now - PAUSE_SECONDS)
    return connection.execute(update(alarm_turns).where(*due).values(last_at=now)).rowcount == 1


def _codes(errors: Any) -> Counter[str]:
    """How many runs failed with which code; a list that failed counts once for each code of its items."""
    counts: Counter[str] = Counter()
    for text in errors:
        error = json.loads(text) if text else {}
        counts.update(error.get("byCode") or [str(error.get("reason") or error.get("code") or "no code")])
    return counts
