"""Runs, page by page, for a screen that is looked at all day: no query reads more rows than it shows.

Positions (``after``) are opaque texts from the page before. Each method reads on one connection; pass a ``Reader``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, literal, select, tuple_, union_all

from twilio_component.durable import ids
from twilio_component.durable.errors import UnknownRunError
from twilio_component.durable.execution.redacted_inputs import redact_inputs
from twilio_component.durable.operator.actions import actions_for
from twilio_component.durable.operator.flow_names import flow_names
from twilio_component.durable.operator.step_times import begin_times
from twilio_component.durable.operator.times import format_time
from twilio_component.durable.operator.views import final_entries, newest_runs, open_call, run_summary, step_view
from twilio_component.durable.operator.wait_views import waits_of
from twilio_component.durable.sending.intents import CLAIMED, person_digest
from twilio_component.durable.store import run_status
from twilio_component.durable.store.schema import OWN_AND_OPEN, definitions, intents, journal, loops, runs

if TYPE_CHECKING:
    from sqlalchemy import Row, Select

    from twilio_component.durable.store.reader import Reader

MOST_RUNS = 100
MOST_STEPS = 100
COUNTED = 1_000
"""Up to this number runs are counted; of more is only said that there are more."""
_MOST_RELATIVES = 20
_MOST_OF_PERSON = 1_000
_WAY = 2_000  # entries that tell which way an execution took
_ROUND = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOfRuns:
    """Selects runs: of a flow, in a state, stored from ``since`` to before ``until`` (seconds since 1970).

    ``resource_id`` is the id of something that the run created, ``person`` whom one of its calls reaches.
    ``after`` is the ``next`` of the page before.
    """

    flow: str | None = None
    state: str | None = None
    since: float | None = None
    until: float | None = None
    resource_id: str | None = None
    person: str | None = None
    after: str | None = None
    limit: int = 50


class RunPages:
    """Reads runs for the page of operations. Its methods raise ``StoreUnavailableError``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def runs(self, wanted: PageOfRuns) -> dict[str, Any]:
        """``{"runs", "next"}``: the newest first; ``next`` is None on the last page.

        Raises ``ValueError`` for an invalid position.
        """
        limit = min(max(wanted.limit, 1), MOST_RUNS)
        chosen = page_of_runs(wanted, limit + 1)

        def work(connection: Connection) -> dict[str, Any]:
            rows = connection.execute(chosen).all()
            more = len(rows) > limit
            return {
                "runs": [run_summary(row) for row in rows[:limit]],
                "next": f"{rows[limit - 1].created_at!r} {rows[limit - 1].id}" if more else None,
            }

        return await self._reader.run(work)

    async def counts(self) -> dict[str, int]:
        """How many runs are in each state, up to ``COUNTED`` + 1."""

        def work(connection: Connection) -> dict[str, int]:
            return {row.state: row.number for row in connection.execute(counts_by_state())}

        return await self._reader.run(work)

    async def flows(self) -> list[str]:
        """The names of flows that have runs, in alphabetical order."""
        return await self._reader.run(flow_names)

    async def run(self, run: str, *, before: int | None = None) -> dict[str, Any]:
        """One run, with the last of its steps (or those before the call number ``before``) and its relatives.

        ``{…summary, "queue", "waits", "steps", "earlier", "actions", "parent", "attempts", "children"}``: ``waits`` are
        those of ``waits_of``, ``earlier`` is the ``before`` of the steps before these, else None. Raises
        ``UnknownRunError``.
        """

        def work(connection: Connection) -> dict[str, Any]:
            row = _row(connection, run)
            entries = connection.execute(steps_before(run, before, MOST_STEPS + 1)).all()
            earlier = entries[MOST_STEPS - 1].ordinal if len(entries) > MOST_STEPS else None
            shown = list(reversed(entries[:MOST_STEPS]))
            return {
                **run_summary(row),
                "queue": row.queue,
                "waits": waits_of(connection, run),
                "steps": [*_steps(connection, row, shown), *(_open_calls(self._reader, connection, run, before))],
                "earlier": earlier,
                "actions": actions_for(row.state),
                **_relatives(connection, row),
            }

        return await self._reader.run(work)

    async def result(self, run: str, ordinal: int) -> Any:
        """The redacted result of the run's call number ``ordinal``; None where none is stored (any more).

        Raises ``UnknownRunError`` where there is no such run or call.
        """

        def work(connection: Connection) -> Any:
            of_call = (journal.c.run == run, journal.c.ordinal == ordinal, journal.c.ordinal >= 0)
            value = connection.execute(select(journal.c.value).where(*of_call)).scalar_one_or_none()
            if value is None:
                raise UnknownRunError(f"the run '{run}' has no call number {ordinal}")
            envelope = json.loads(value).get("envelope")
            return None if envelope is None else redact_inputs({"result": envelope})["result"]

        return await self._reader.run(work)

    async def definition(self, run: str) -> tuple[str, str, str, str]:
        """The file name and text of the run's definition, the name of its flow, and the run's state.

        Raises ``UnknownRunError``.
        """

        def work(connection: Connection) -> tuple[str, str, str, str]:
            row = _row(connection, run)
            of_digest = select(definitions).where(definitions.c.digest == row.definition)
            definition = connection.execute(of_digest).one()
            return definition.file, definition.text, row.flow, row.state

        return await self._reader.run(work)

    async def way(self, run: str) -> dict[str, dict[str, Any]]:
        """The steps that the run has reached, by their ids without the numbers of rounds.

        ``{"state", "count"}``: the state of the last call, and how many there were. Of a long execution only the last
        calls are looked at.
        """

        def work(connection: Connection) -> dict[str, dict[str, Any]]:
            entries = connection.execute(way_of(run)).all()
            calls = [(entry.step_id, "failed" if entry.is_failure else "succeeded") for entry in reversed(entries)]
            own = select(intents.c.step_id, intents.c.state).where(*_open_of(run)).limit(MOST_STEPS)
            calls += [(row.step_id, row.state) for row in connection.execute(own)]
            under_way = select(loops.c.step_id).where(loops.c.run == run, loops.c.finished_at.is_(None))
            calls += [(step, CLAIMED) for step in connection.execute(under_way.limit(MOST_STEPS)).scalars()]
            return _last_states(calls)

        return await self._reader.run(work)


# The statements, by themselves: a test looks at their plans.


def page_of_runs(wanted: PageOfRuns, limit: int) -> Select[Any]:
    """The newest ``limit`` runs of a page."""
    chosen = newest_runs(select(runs), limit, flow=wanted.flow, state=wanted.state, since=wanted.since)
    if wanted.until is not None:
        chosen = chosen.where(runs.c.created_at < wanted.until)
    if wanted.resource_id is not None:
        chosen = chosen.where(runs.c.id.in_(select(intents.c.run).where(intents.c.resource_id == wanted.resource_id)))
    if wanted.person is not None:
        # The newest calls to a person, however many there were.
        reaching = select(intents.c.run).where(intents.c.person == person_digest(wanted.person))
        chosen = chosen.where(runs.c.id.in_(reaching.order_by(intents.c.created_at.desc()).limit(_MOST_OF_PERSON)))
    if wanted.after is not None:
        chosen = chosen.where(tuple_(runs.c.created_at, runs.c.id) < _position(wanted.after))
    return chosen


def counts_by_state() -> Any:
    """How many runs are in each state, counted no further than ``COUNTED`` + 1."""
    counting = []
    for state in run_status.STATES:
        # In the order of the index, so that no planner reads the table instead.
        of_state = select(runs.c.id).where(runs.c.state == state).order_by(runs.c.created_at)
        some = of_state.limit(COUNTED + 1).subquery()
        counting.append(select(literal(state).label("state"), func.count().label("number")).select_from(some))
    return union_all(*counting)


def steps_before(run: str, before: int | None, limit: int) -> Select[Any]:
    """The last ``limit`` entries of a run's calls before the number ``before``, the last one first."""
    chosen = select(journal).where(journal.c.run == run, journal.c.ordinal >= 0)
    if before is not None:
        chosen = chosen.where(journal.c.ordinal < before)
    return chosen.order_by(journal.c.ordinal.desc()).limit(limit)


def way_of(run: str) -> Select[Any]:
    """Which steps the last calls of a run were of, the last one first."""
    columns = (journal.c.step_id, journal.c.is_failure)
    chosen = select(*columns).where(journal.c.run == run, journal.c.ordinal >= 0)
    return chosen.order_by(journal.c.ordinal.desc()).limit(_WAY)


def _position(text: str) -> Any:
    moment, _, run = text.partition(" ")
    try:
        return tuple_(literal(float(moment)), literal(run))
    except ValueError:
        raise ValueError("after has to be the next of a page") from None


def _row(connection: Connection, run: str) -> Row[Any]:
    row = connection.execute(select(runs).where(runs.c.id == run)).one_or_none()
    if row is None:
        raise UnknownRunError(f"there is no run '{run}'")
    return row


def _open_of(run: str) -> tuple[Any, ...]:
    return intents.c.run == run, OWN_AND_OPEN


def _steps(connection: Connection, run: Row[Any], entries: list[Row[Any]]) -> list[dict[str, Any]]:
    keys = [ids.call_key(run.id, entry.ordinal) for entry in entries]
    begun = begin_times(connection, run, entries)
    by_key = {row.key: row for row in connection.execute(select(intents).where(intents.c.key.in_(keys)))}
    found = ((entry, by_key.get(ids.call_key(run.id, entry.ordinal))) for entry in final_entries(entries))
    return [
        {**step_view(entry, intent, begun[entry.ordinal]), "ordinal": entry.ordinal, **_tries(entry, intent)}
        for entry, intent in found
    ]


def _tries(entry: Row[Any], intent: Row[Any] | None) -> dict[str, Any]:
    """How many requests a call took, and until when it waits to be asked again."""
    envelope = json.loads(entry.value).get("envelope", {})
    again = envelope.get("until") if isinstance(envelope, dict) and "again" in envelope else None
    return {
        **({"tries": intent.attempt} if intent is not None else {}),
        **({"waitsUntil": format_time(again)} if again is not None else {}),
    }


def _open_calls(reader: Reader, connection: Connection, run: str, before: int | None) -> list[dict[str, Any]]:
    if before is not None:
        return []
    now = reader.now(connection)
    own = select(intents).where(*_open_of(run)).order_by(intents.c.created_at).limit(MOST_STEPS)
    return [
        {**open_call(connection, row, now), "started": format_time(row.created_at), "tries": row.attempt}
        for row in connection.execute(own)
    ]


def _relatives(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    """The runs that this one started, was started by, repeats, and is repeated by."""
    first, _, number = row.id.rpartition("~")
    original = first if number.isdigit() else row.id
    attempts = [original, *(ids.retry_id(original, number) for number in range(2, 2 + _MOST_RELATIVES))]
    others = select(runs.c.id, runs.c.state).where(runs.c.id.in_(attempts), runs.c.id != row.id)
    children = select(runs.c.id, runs.c.flow, runs.c.state).where(runs.c.parent == row.id)
    started = connection.execute(children.order_by(runs.c.id).limit(_MOST_RELATIVES)).all()
    return {
        "parent": row.parent,
        "attempts": [{"id": one.id, "state": one.state} for one in connection.execute(others.order_by(runs.c.id))],
        "children": [{"id": one.id, "flow": one.flow, "state": one.state} for one in started],
    }


def _last_states(calls: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    counts: Counter[str] = Counter()
    last: dict[str, str] = {}
    for step, state in calls:
        place = _ROUND.sub("", step)
        counts[place] += 1
        last[place] = state
    return {place: {"state": state, "count": counts[place]} for place, state in last.items()}
