"""Loops whose rounds run side by side, as they are stored: their items, and how each round has ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from twilio_component.durable.store.journal import Kept, kept_in
from twilio_component.durable.store.run_status import FAILED, RUNNING, SUCCEEDED, UNKNOWN
from twilio_component.durable.store.runs import keep_states
from twilio_component.durable.store.schema import fans, items, runs, values, workers
from twilio_component.durable.store.upsert import insert_once, written
from twilio_component.flows.interpreter.iterations import MOST_FAILURES, Tally, failure_code

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

PENDING = "pending"
"""Of a round that has not ended; the others have the states of runs."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which loop: the one that was first begun as the ``ordinal``-th call of a run."""

    run: str
    ordinal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fan:
    """A loop as it is stored (see ``schema.fans``)."""

    place: Place
    name: str
    loop: str
    concurrency: int
    captured: Mapping[str, Any]
    taken: int = 0
    after: Any = None
    is_whole: bool = False
    lanes: int | None = None
    size: int | None = None

    def share(self, piece: int) -> int:
        """How many rounds of that piece may run side by side, so that all together are ``concurrency``."""
        assert self.lanes is not None  # noqa: S101 - pieces begin when the items have been divided
        more = self.concurrency % self.lanes
        return self.concurrency // self.lanes + (piece % self.lanes < more)


@dataclass(frozen=True, slots=True)
class Item:
    """An item whose round has not ended; ``id`` is the name under which what its calls were answered with is kept."""

    id: str
    number: int
    item: Any


@dataclass(frozen=True, slots=True)
class Ended:
    """How a round has ended; ``states`` are changes of what flows keep, by scope and key."""

    id: str
    error: Mapping[str, Any] | None
    states: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Status:
    """What the one who watches a loop needs to know; ``pending`` counts rounds by piece, where there are any."""

    run_state: str
    taken: int
    generation: int
    pending: Mapping[int, int]


class FanStore:
    """Reads and writes loops in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, fan: Fan) -> Fan:
        """Store a loop that is to begin; as it is stored, if this run has begun it before, as whichever call."""
        begun_before = (fans.c.run == fan.place.run, fans.c.place == fan.name)

        def work(connection: Connection) -> Fan:
            found = connection.execute(select(fans).where(*begun_before)).one_or_none()
            if found is not None:
                return _fan(found)
            row = {
                "run": fan.place.run,
                "ordinal": fan.place.ordinal,
                "place": fan.name,
                "loop": fan.loop,
                "concurrency": fan.concurrency,
                "captured": written(fan.captured),
                "taken": 0,
                "is_whole": False,
                "generation": 0,
                "created_at": self._database.now(connection),
            }
            insert_once(connection, fans, row)
            return _fan(connection.execute(select(fans).where(*_of(fan.place))).one())

        return await self._database.insist(work)

    async def renew(self, place: Place) -> None:
        """Let pieces that have been carried out be carried out again: there will be more in them."""
        await self._database.insist(
            lambda connection: connection.execute(
                update(fans).where(*_of(place)).values(generation=fans.c.generation + 1)
            )
        )

    async def load(self, place: Place) -> Fan | None:
        """The loop, or None when it has been purged."""

        def work(connection: Connection) -> Fan | None:
            row = connection.execute(select(fans).where(*_of(place))).one_or_none()
            return None if row is None else _fan(row)

        return await self._database.insist(work)

    async def take(self, fan: Fan, page: Mapping[str, Any]) -> Fan:
        """Store the next items; the loop as it is then. What another process has stored in between stays."""
        found = page["items"]
        after = {"is_whole": page["next"] is None, "after": written(page["next"]), "taken": fan.taken + len(found)}
        rows = [
            {
                "id": f"{fan.place.run}.{fan.place.ordinal}-{number}",
                "run": fan.place.run,
                "ordinal": fan.place.ordinal,
                "number": number,
                "state": PENDING,
                "item": written(item),
            }
            for number, item in enumerate(found, start=fan.taken)
        ]

        def work(connection: Connection) -> Fan:
            mine = update(fans).where(*_of(fan.place), fans.c.taken == fan.taken, fans.c.is_whole.is_(False))
            if connection.execute(mine.values(after)).rowcount and rows:
                connection.execute(insert(items), rows)
            return _fan(connection.execute(select(fans).where(*_of(fan.place))).one())

        return await self._database.insist(work)

    async def processes(self) -> int:
        """How many processes carry out runs of this database, one at least."""
        counting = select(func.count()).select_from(workers)
        return max(1, await self._database.insist(lambda connection: connection.execute(counting).scalar_one()))

    async def divide(self, fan: Fan, lanes: int, size: int) -> Fan:
        """Divide the items into pieces of a size, and the pieces among lanes; what has been divided stays so."""

        def work(connection: Connection) -> Fan:
            undivided = (*_of(fan.place), fans.c.lanes.is_(None))
            connection.execute(update(fans).where(*undivided).values(lanes=lanes, size=size))
            return _fan(connection.execute(select(fans).where(*_of(fan.place))).one())

        return await self._database.insist(work)

    async def status(self, fan: Fan, pieces: Sequence[int]) -> Status:
        """How the loop is doing; of the pending rounds only those of these pieces are counted."""

        def work(connection: Connection) -> Status:
            stored = connection.execute(
                select(fans.c.taken, fans.c.generation, runs.c.state)
                .join(runs, runs.c.id == fans.c.run)
                .where(*_of(fan.place))
            ).one()
            pending: dict[int, int] = {}
            if fan.size is not None and pieces:
                piece = items.c.number // fan.size
                within = items.c.number.between(min(pieces) * fan.size, (max(pieces) + 1) * fan.size - 1)
                counting = (
                    select(piece, func.count()).where(*_items_of(fan.place), within, items.c.state == PENDING)
                ).group_by(piece)
                pending = {int(number): count for number, count in connection.execute(counting)}
            return Status(stored.state, stored.taken, stored.generation, pending)

        return await self._database.insist(work)

    async def pending(self, fan: Fan, piece: int) -> tuple[list[Item], dict[str, dict[int, Kept]]]:
        """The items of a piece whose rounds have not ended, and what calls of those rounds were answered with."""
        assert fan.size is not None  # noqa: S101 - the items have been divided
        of_piece = (
            *_items_of(fan.place),
            items.c.number.between(piece * fan.size, (piece + 1) * fan.size - 1),
            items.c.state == PENDING,
        )

        def work(connection: Connection) -> tuple[list[Item], dict[str, dict[int, Kept]]]:
            rows = connection.execute(select(items).where(*of_piece).order_by(items.c.number))
            found = [Item(row.id, row.number, json.loads(row.item)) for row in rows]
            kept: dict[str, dict[int, Kept]] = {}
            for row in connection.execute(select(values).where(values.c.run.in_(select(items.c.id).where(*of_piece)))):
                kept.setdefault(row.run, {})[row.ordinal] = kept_in(row)
            return found, kept

        return await self._database.insist(work)

    async def end_rounds(self, ended: Sequence[Ended], *, keep_payloads: bool) -> None:
        """Store how rounds have ended. What they kept is deleted if they succeeded, unless ``keep_payloads``.

        Where two processes have run a round, since one was taken for dead, it stays as it was first said to have ended:
        whoever is late may have found its answers deleted.
        """

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            changes = [
                {
                    "of": one.id,
                    "state": _state(one.error),
                    "code": None if one.error is None else failure_code(one.error)[:100],
                    "error": None if one.error is None else written(one.error),
                    "finished_at": now,
                }
                for one in ended
            ]
            open_ = (items.c.id == bindparam("of"), items.c.state == PENDING)
            connection.execute(update(items).where(*open_), changes)
            if not keep_payloads:
                succeeded = (items.c.id.in_([one.id for one in ended]), items.c.state == SUCCEEDED)
                connection.execute(delete(values).where(values.c.run.in_(select(items.c.id).where(*succeeded))))
                connection.execute(update(items).where(*succeeded).values(item=None))
            for one in ended:
                keep_states(connection, one.states)

        await self._database.insist(work)

    async def tally(self, fan: Fan) -> dict[str, Any]:
        """What the loop is answered with, and that it has ended."""

        def work(connection: Connection) -> dict[str, Any]:
            tally = Tally()
            for state, code, count in connection.execute(_counts(fan.place)):
                tally.succeeded += count if state == SUCCEEDED else 0
                tally.failed += count if state == FAILED else 0
                tally.unknown += count if state == UNKNOWN else 0
                if state != SUCCEEDED:
                    tally.by_code[code] += count
            wrong = (*_items_of(fan.place), items.c.state.in_((FAILED, UNKNOWN)))
            for row in connection.execute(select(items).where(*wrong).order_by(items.c.number).limit(MOST_FAILURES)):
                tally.failures.append({"index": row.number, **json.loads(row.error)})
            ended = update(fans).where(*_of(fan.place), fans.c.finished_at.is_(None))
            connection.execute(ended.values(finished_at=self._database.now(connection)))
            return tally.as_data()

        return await self._database.insist(work)

    async def is_running(self, run: str) -> bool:
        """Whether the run is to go on; not one that has been purged."""
        state = select(runs.c.state).where(runs.c.id == run)
        return await self._database.insist(lambda connection: connection.execute(state).scalar_one_or_none() == RUNNING)


def counted(connection: Connection, place: Place) -> dict[str, Any]:
    """``{"succeeded", "failed": {code: rounds}, "unknown", "pending"}`` of a loop."""
    found: dict[str, Any] = {"succeeded": 0, "failed": {}, "unknown": 0, "pending": 0}
    for state, code, count in connection.execute(_counts(place)):
        if state == FAILED:
            found["failed"][code] = count
        else:
            found[state] += count
    return found


def _counts(place: Place) -> Any:
    return (
        select(items.c.state, items.c.code, func.count())
        .where(*_items_of(place))
        .group_by(items.c.state, items.c.code)
        .order_by(items.c.state, items.c.code)
    )


def _of(place: Place) -> tuple[Any, Any]:
    return fans.c.run == place.run, fans.c.ordinal == place.ordinal


def _items_of(place: Place) -> tuple[Any, Any]:
    return items.c.run == place.run, items.c.ordinal == place.ordinal


def _state(error: Mapping[str, Any] | None) -> str:
    if error is None:
        return SUCCEEDED
    return UNKNOWN if error["outcomeUnknown"] else FAILED


def _fan(row: Row[Any]) -> Fan:
    return Fan(
        place=Place(row.run, row.ordinal),
        name=row.place,
        loop=row.loop,
        concurrency=row.concurrency,
        captured=json.loads(row.captured),
        taken=row.taken,
        after=json.loads(row.after) if row.after else None,
        is_whole=row.is_whole,
        lanes=row.lanes,
        size=row.size,
    )
