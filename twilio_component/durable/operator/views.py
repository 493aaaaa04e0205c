"""Runs as an operator sees them: without what people wrote, and with what went wrong."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, or_, select

from twilio_component.durable.errors import UnknownRunError
from twilio_component.durable.store.schema import intents, journal, runs
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs: by flow, state, the time from which on they were stored (seconds since 1970), the id of an effect.

    At most ``limit`` of them, the newest.
    """

    flow: str | None = None
    state: str | None = None
    since: float | None = None
    resource_id: str | None = None
    limit: int = 50


class RunViews:
    """Looks at runs in a database; changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listed(self, wanted: RunFilter) -> list[dict[str, Any]]:
        """The runs, the newest first: id, integration, flow, state, created, finished and error."""

        def work(connection: Connection) -> list[dict[str, Any]]:
            question = select(runs).order_by(runs.c.created_at.desc(), runs.c.id).limit(wanted.limit)
            if wanted.flow is not None:
                question = question.where(runs.c.flow == wanted.flow)
            if wanted.state is not None:
                question = question.where(runs.c.state == wanted.state)
            if wanted.since is not None:
                question = question.where(runs.c.created_at >= wanted.since)
            if wanted.resource_id is not None:
                question = question.where(
                    runs.c.id.in_(select(intents.c.run).where(intents.c.resource_id == wanted.resource_id))
                )
            return [_summary(row) for row in connection.execute(question)]

        return await self._database.run(work)

    async def shown(self, run: str) -> dict[str, Any]:
        """One run with its ``steps``, in their order; raises ``UnknownRunError``.

        A step has its place, its times, an outline of its ``inputs``, its ``state`` (``succeeded``, ``failed`` or
        ``waiting``) and ``error``, and the id of its effect, if it had one.
        """

        def work(connection: Connection) -> dict[str, Any]:
            row = connection.execute(select(runs).where(runs.c.id == run)).one_or_none()
            if row is None:
                raise UnknownRunError(f"there is no run '{run}'")
            kept = select(journal).where(journal.c.run == run, journal.c.ordinal >= 0).order_by(journal.c.ordinal)
            # Those of rounds are not the run's: there may be very many (``LoopViews.rounds`` tells them).
            effects = select(intents).where(intents.c.run == run, intents.c.item.is_(None))
            by_key = {intent.key: intent for intent in connection.execute(effects)}
            found = connection.execute(kept).all()
            steps = [_step(value, by_key.pop(f"{run}:{value.ordinal}", None)) for value in _answered(found)]
            open_ = [{"step": intent.step_id, "state": intent.state, **_effect(intent)} for intent in by_key.values()]
            return {**_summary(row), "steps": [*steps, *open_]}

        return await self._database.run(work)

    async def children(self, run: str) -> list[str]:
        """The ids of the runs that were begun to run this one again."""

        def work(connection: Connection) -> list[str]:
            again = or_(runs.c.id == run, runs.c.id.startswith(f"{run}~", autoescape=True))
            return list(connection.execute(select(runs.c.id).where(again)).scalars())

        return await self._database.run(work)


def _summary(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "integration": row.integration,
        "flow": row.flow,
        "state": row.state,
        "created": format_time(row.created_at),
        "finished": format_time(row.finished_at),
        "error": json.loads(row.error) if row.error else None,
    }


def _answered(found: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
    """The steps without the answers that were only "ask again"; what an execution goes on from has another place."""
    for value, following in zip_longest(found, found[1:]):
        again = following is not None and following.step_id == value.step_id
        if not again or "failure" in json.loads(value.value):
            yield value


def _step(value: Row[Any], intent: Row[Any] | None) -> dict[str, Any]:
    kept = json.loads(value.value)
    failure = kept.get("failure")
    return {
        "step": value.step_id,
        "state": "failed" if failure else "waiting" if "again" in kept.get("envelope", {}) else "succeeded",
        "started": format_time(value.started_at),
        "finished": format_time(value.finished_at),
        "inputs": json.loads(value.inputs) if value.inputs else None,
        **({"error": {"code": failure["code"], "message": failure["message"]}} if failure else {}),
        **(_effect(intent) if intent is not None else {}),
    }


def _effect(intent: Row[Any]) -> dict[str, Any]:
    return {"effect": intent.resource_id} if intent.resource_id else {}


def format_time(seconds: float | None) -> str | None:
    """A time as an operator reads it, of one in seconds since 1970; None where there is none."""
    return None if seconds is None else iso_time(dt.datetime.fromtimestamp(seconds, dt.UTC))
