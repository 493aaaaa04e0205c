"""Runs as an operator sees them: without what people wrote, and with what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from twilio_component.durable import ids
from twilio_component.durable.errors import UnknownRunError
from twilio_component.durable.operator.flow_names import flow_names, known_flows
from twilio_component.durable.operator.journal_replay import is_asked_again
from twilio_component.durable.operator.late_replies import late_replies_of
from twilio_component.durable.operator.run_ids import count_retries, retried_as
from twilio_component.durable.operator.step_times import begin_times
from twilio_component.durable.operator.times import format_time
from twilio_component.durable.operator.wait_views import waits_of
from twilio_component.durable.sending.intents import PLANNED
from twilio_component.durable.store.run_status import FAILED, RETRIED, UNKNOWN
from twilio_component.durable.store.schema import OWN_AND_OPEN, intents, journal, runs, throttles

if TYPE_CHECKING:
    from sqlalchemy import Select

    from twilio_component.durable.store.database import Database

_KEYS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Selects runs by flow, state, the time since which they were stored, and the id of a resource they created.

    ``since`` is in seconds since 1970. At most ``limit`` runs are selected, the newest.
    """

    flow: str | None = None
    state: str | None = None
    since: float | None = None
    resource_id: str | None = None
    limit: int = 50


class RunViews:
    """Reads runs. Its methods raise ``StoreUnavailableError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, wanted: RunFilter) -> list[dict[str, Any]]:
        """The runs, the newest first: id, integration, flow, state, created, finished and error."""

        def work(connection: Connection) -> list[dict[str, Any]]:
            chosen = _of_filter(select(runs), wanted)
            if wanted.resource_id is not None:
                # First of all: as a part of the query a database may look at every run of the flow instead.
                creators = select(intents.c.run).where(intents.c.resource_id == wanted.resource_id)
                chosen = chosen.where(runs.c.id.in_(connection.execute(creators).scalars().all()))
            return [run_summary(row) for row in connection.execute(chosen)]

        return await self._database.run(work)

    async def find_ids(self, wanted: RunFilter, states: Sequence[str]) -> list[str]:
        """The ids of the runs of this filter that are in one of the states, the newest first."""

        def work(connection: Connection) -> list[str]:
            # A query for each state, so that an index has its runs in their order.
            columns = select(runs.c.created_at, runs.c.id)
            found = [connection.execute(_of_filter(columns, replace(wanted, state=state))).all() for state in states]
            newest = sorted((tuple(row) for rows in found for row in rows), reverse=True)
            return [run for _, run in newest[: wanted.limit]]

        return await self._database.run(work)

    async def show(self, run: str) -> dict[str, Any]:
        """One run with its ``steps``, in their order, and its ``waits`` (``waits_of``); raises ``UnknownRunError``.

        A step has its id, its times, its redacted ``inputs``, its ``state`` (``succeeded``, ``failed``, ``waiting``, or
        the state of a call that has not ended) and ``error``, and the id of what it created (``effect``). A call that
        must wait says until when (``heldUntil``, if that is known) and why (``reason``, and the kind of a ``hold``).
        A run that was retried has the id of the run in its place as ``retriedAs``, if that is still stored.
        ``lateReplies`` are those that its questions keep, with what people wrote (``late_replies_of``).
        """

        def work(connection: Connection) -> dict[str, Any]:
            row = connection.execute(select(runs).where(runs.c.id == run)).one_or_none()
            if row is None:
                raise UnknownRunError(f"there is no run '{run}'")
            entries = select(journal).where(journal.c.run == run, journal.c.ordinal >= 0).order_by(journal.c.ordinal)
            stored = connection.execute(entries).all()
            begun, found = begin_times(connection, row, stored), list(final_entries(stored))
            by_key = {intent.key: intent for intent in _own_calls(connection, run, found)}
            steps = [
                step_view(entry, by_key.pop(ids.call_key(run, entry.ordinal), None), begun[entry.ordinal])
                for entry in found
            ]
            now = self._database.now(connection)
            waiting = [open_call(connection, one, now) for one in by_key.values()]
            again = {"retriedAs": retried_as(connection, run)} if row.state == RETRIED else {}
            return {
                **run_summary(row),
                **again,
                "waits": waits_of(connection, run),
                "lateReplies": late_replies_of(connection, run),
                "steps": [*steps, *waiting],
            }

        return await self._database.run(work)

    async def flows(self) -> list[str]:
        """The names of flows that have runs, in alphabetical order."""
        return await self._database.run(flow_names)

    async def known_flows(self) -> list[str]:
        """The names of flows that have runs or are served, in alphabetical order."""
        return await self._database.run(known_flows)

    async def find_payloads(self, text: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest payloads, oldest first, that contain ``text`` and are still stored: created and payload."""

        def work(connection: Connection) -> list[dict[str, Any]]:
            chosen = select(runs.c.created_at, runs.c.payload).where(runs.c.payload.contains(text, autoescape=True))
            found = connection.execute(chosen.order_by(runs.c.created_at.desc()).limit(limit)).all()
            return [
                {"created": format_time(row.created_at), "payload": json.loads(row.payload)} for row in reversed(found)
            ]

        return await self._database.run(work)

    async def count_retries(self, run: str) -> int:
        """How many runs have been begun to run this one again."""
        return await self._database.run(lambda connection: count_retries(connection, run))


def _own_calls(connection: Connection, run: str, entries: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
    """The calls of these entries, and those that are not over; not those of iterations, which may be very many."""
    keys = [ids.call_key(run, entry.ordinal) for entry in entries]
    for begin in range(0, len(keys), _KEYS_AT_ONCE):
        of_entries = intents.c.key.in_(keys[begin : begin + _KEYS_AT_ONCE])
        yield from connection.execute(select(intents).where(of_entries))
    is_open = (intents.c.run == run, OWN_AND_OPEN)
    yield from connection.execute(select(intents).where(*is_open).order_by(intents.c.created_at))


def _of_filter(chosen: Select[Any], wanted: RunFilter) -> Select[Any]:
    return newest_runs(chosen, wanted.limit, flow=wanted.flow, state=wanted.state, since=wanted.since)


def newest_runs(
    chosen: Select[Any], limit: int, *, flow: str | None, state: str | None, since: float | None
) -> Select[Any]:
    """The newest runs of a flow, in a state and since a time, as far as these are given."""
    chosen = chosen.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
    if flow is not None:
        chosen = chosen.where(runs.c.flow == flow)
    if state is not None:
        chosen = chosen.where(runs.c.state == state)
    if since is not None:
        chosen = chosen.where(runs.c.created_at >= since)
    return chosen


def run_summary(row: Row[Any]) -> dict[str, Any]:
    """A run without its steps: id, integration, flow, state, created, finished and error."""
    return {
        "id": row.id,
        "integration": row.integration,
        "flow": row.flow,
        "state": row.state,
        "created": format_time(row.created_at),
        "finished": format_time(row.finished_at),
        "error": json.loads(row.error) if row.error else None,
    }


def final_entries(entries: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
    """The entries without the results that were only "ask again" and that the same step's next one follows."""
    for entry, following in zip_longest(entries, entries[1:]):
        again = following is not None and following.step_id == entry.step_id
        if not again or entry.is_failure:
            yield entry


def step_view(entry: Row[Any], intent: Row[Any] | None, begun: float | None) -> dict[str, Any]:
    """A call that has a result, as ``RunViews.show`` shows it; ``intent`` is its intent, where it had one.

    ``begun`` is when it first began (``begin_times``).
    """
    failure = json.loads(entry.value)["failure"] if entry.is_failure else None
    return {
        "step": entry.step_id,
        "state": _state_of_failure(failure) if failure else "waiting" if is_asked_again(entry.value) else "succeeded",
        "started": format_time(begun),
        "finished": format_time(entry.finished_at),
        "inputs": json.loads(entry.inputs) if entry.inputs else None,
        **({"error": _error(failure)} if failure else {}),
        **(_effect(intent) if intent is not None else {}),
    }


def _state_of_failure(failure: Mapping[str, Any]) -> str:
    return UNKNOWN if failure["outcome_unknown"] else FAILED


def open_call(connection: Connection, intent: Row[Any], now: float) -> dict[str, Any]:
    """A call that has no result yet; while it is throttled, until when and why."""
    call = {"step": intent.step_id, "state": intent.state, **_effect(intent)}
    if intent.state != PLANNED:
        return call
    if intent.hold_kind:
        until = {"heldUntil": format_time(intent.held_until)} if intent.held_until else {}
        return {**call, "hold": intent.hold_kind, **until, "reason": intent.hold_reason}
    of_keys = throttles.c.key.in_(json.loads(intent.limit_keys))
    latest = select(throttles).where(of_keys, throttles.c.throttled_until > now)
    held = connection.execute(latest.order_by(throttles.c.throttled_until.desc()).limit(1)).one_or_none()
    return call if held is None else {**call, "heldUntil": format_time(held.throttled_until), "reason": held.reason}


def _effect(intent: Row[Any]) -> dict[str, Any]:
    return {"effect": intent.resource_id} if intent.resource_id else {}


def _error(failure: dict[str, Any]) -> dict[str, Any]:
    """Why a call failed; ``reason`` is the service's own code, where it has one."""
    reason = failure.get("reason")
    return {"code": failure["code"], **({"reason": reason} if reason else {}), "message": failure["message"]}
