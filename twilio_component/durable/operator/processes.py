"""What an operator sees beside runs: processes, senders, schedules, and webhooks that were refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from twilio_component.durable.execution.redacted_inputs import redact_inputs
from twilio_component.durable.operator.times import format_time
from twilio_component.durable.recovery.heartbeat import BEAT_SECONDS
from twilio_component.durable.store.operator_tables import heartbeats, refused_webhooks
from twilio_component.durable.store.schema import rate_tokens, throttles
from twilio_component.durable.store.worker_locks import held_locks, worker_lock
from twilio_component.durable.store.workflow_rows import stored_schedules
from twilio_component.flows.parsing.cron import comes_again
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from sqlalchemy import Row

    from twilio_component.durable.store.reader import Reader

ALIVE, GONE, STOPPED = "alive", "gone", "stopped"
MOST = 200
NEXT_TIMES = 3
_SILENCE = 3 * BEAT_SECONDS  # after which a process without a lock counts as gone


class ProcessViews:
    """Reads what processes say of themselves. Its methods raise ``StoreUnavailableError``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def workers(self) -> list[dict[str, Any]]:
        """The processes of the last day, the newest first.

        ``{"id", "kind", "name", "version", "state", "started", "heard", "workflows", "requests"}``: the state is
        ``alive``, ``stopped`` (in order) or ``gone``; a number of workflows and requests is how many were under way.
        """

        def work(connection: Connection) -> list[dict[str, Any]]:
            now = self._reader.now(connection)
            locks = None if self._reader.is_sqlite else held_locks(connection)
            chosen = select(heartbeats).order_by(heartbeats.c.started_at.desc()).limit(MOST)
            return [_worker(row, now, locks) for row in connection.execute(chosen)]

        return await self._reader.run(work)

    async def senders(self) -> list[dict[str, Any]]:
        """Connections and senders that are throttled or have a rate, the throttled ones first.

        ``{"id", "connection", "sender", "throttledUntil", "reason", "perSecond", "inUse"}``: the connection is shown by
        the beginning of its digest, a sender as ``redact_inputs`` shows it. ``perSecond`` is its number of tokens, of
        which ``inUse`` are taken or rest.
        """

        def work(connection: Connection) -> list[dict[str, Any]]:
            now = self._reader.now(connection)
            found: dict[str, dict[str, Any]] = {}
            throttled = select(throttles).where(throttles.c.throttled_until > now)
            for row in connection.execute(throttled.order_by(throttles.c.throttled_until.desc()).limit(MOST)):
                until = {"throttledUntil": format_time(row.throttled_until), "reason": row.reason}
                found[row.key] = {**_sender(row.key), **until}
            used = func.count().filter(rate_tokens.c.free_at > now)
            counting = select(rate_tokens.c.key, func.count(), used).group_by(rate_tokens.c.key)
            for key, tokens, taken in connection.execute(counting.order_by(rate_tokens.c.key).limit(MOST)):
                found[key] = {**(found.get(key) or _sender(key)), "perSecond": tokens, "inUse": taken}
            return list(found.values())

        return await self._reader.run(work)

    async def schedules(self) -> list[dict[str, Any]]:
        """``{"integration", "flow", "cron", "timeZone", "last", "next"}``: ``next`` are the next three times."""
        rows = await self._reader.run(stored_schedules)
        return [_schedule(row) for row in rows[:MOST]]

    async def refused_webhooks(self, days: float = 1.0) -> list[dict[str, Any]]:
        """``{"path", "reason", "count", "last"}``: the requests refused in the last days, the last one first."""

        def work(connection: Connection) -> list[dict[str, Any]]:
            since = int((self._reader.now(connection) - days * 86400) // 3600)
            last = func.max(refused_webhooks.c.last_at)
            names = (refused_webhooks.c.path, refused_webhooks.c.reason)
            counting = select(*names, func.sum(refused_webhooks.c.count), last).where(refused_webhooks.c.hour >= since)
            rows = connection.execute(counting.group_by(*names).order_by(last.desc()).limit(MOST))
            return [
                {"path": path, "reason": reason, "count": int(count), "last": format_time(moment)}
                for path, reason, count, moment in rows
            ]

        return await self._reader.run(work)


def throttled_keys(connection: Connection, sender: str, now: float) -> list[str]:
    """The keys that are throttled and that ``ProcessViews.senders`` shows by this ``id``."""
    keys = connection.execute(select(throttles.c.key).where(throttles.c.throttled_until > now)).scalars()
    return [key for key in keys if _id(key) == sender]


def _worker(row: Row[Any], now: float, locks: set[int] | None) -> dict[str, Any]:
    # With Postgres a process has a lock as long as it lives; with SQLite it can only be heard.
    lives = now - row.heard_at < _SILENCE if locks is None else worker_lock(row.worker_id) in locks
    return {
        "id": row.worker_id[:8],
        "kind": row.kind,
        "name": row.name,
        "version": row.version,
        "state": STOPPED if row.stopped_at is not None else ALIVE if lives else GONE,
        "started": format_time(row.started_at),
        "heard": format_time(row.heard_at),
        "workflows": row.workflows,
        "requests": row.requests,
    }


def _sender(key: str) -> dict[str, Any]:
    connection, _, sender = key.partition(":")
    shown = redact_inputs({"sender": sender})["sender"] if sender else None
    return {"id": _id(key), "connection": connection[:8], "sender": shown}


def _id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def _schedule(row: Row[Any]) -> dict[str, Any]:
    context = json.loads(row.context)
    return {
        "integration": context["integration"],
        "flow": context["flow"],
        "cron": row.schedule,
        "timeZone": row.cron_timezone or "UTC",
        "last": row.last_fired_at,
        "next": [iso_time(moment) for moment in _next_times(row.schedule, row.cron_timezone)],
    }


def _next_times(cron: str, zone: str | None) -> Iterator[dt.datetime]:
    from croniter import croniter

    times = croniter(cron, dt.datetime.fromtimestamp(time.time(), ZoneInfo(zone or "UTC")), second_at_beginning=True)
    local = (moment for moment in times.all_next(dt.datetime) if not comes_again(cron, moment, zone or ""))
    return (moment.astimezone(dt.UTC) for moment in islice(local, NEXT_TIMES))
