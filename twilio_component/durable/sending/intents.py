"""Intents: the memory of calls that must happen at most once, kept before anything is written to anybody."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, exists, func, not_, or_, select, update
from sqlalchemy.exc import IntegrityError

from twilio_component.durable.sending.throttle import held, throttle, time_left
from twilio_component.durable.store.journal import JournalEntry, Times, record_entry
from twilio_component.durable.store.run_status import RUNNING
from twilio_component.durable.store.schema import intents, runs
from twilio_component.durable.store.upsert import insert_once

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

PLANNED, CLAIMED, IN_DOUBT, SETTLED, UNKNOWN = "planned", "claimed", "in_doubt", "settled", "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Which call an intent is for: the ``ordinal``-th of a run, at a ``step_id`` in its flow.

    That of a round of a loop is not the run's but the item's, whose id is ``run`` then; ``owner`` is the run itself.
    ``fingerprint`` is equal for calls with equal inputs: their effects cannot be told apart. ``outline`` is what may be
    told of them.
    """

    run: str
    ordinal: int
    step_id: str
    fingerprint: str
    redacted_inputs: Mapping[str, Any] | None = None
    owner: str = ""

    @property
    def key(self) -> str:
        """The intent's key."""
        return f"{self.run}:{self.ordinal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An intent as it is stored.

    ``age`` is how many seconds ago it was entered, ``since`` when it first was; ``effect`` what it is proved to have
    done.
    """

    state: str
    claimed_by: str | None
    age: float
    since: float | None
    resource_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Whether a call was claimed. If not, somebody else has it or had it, or these keys are held (in seconds).

    Or the run is ``stopped``: it has ended, or is cancelled or paused.
    """

    claimed: bool
    stopped: bool = False
    held: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a call: the answer to keep, when the call had begun, and the id of what it did."""

    kept: JournalEntry
    begun: float
    resource_id: str | None = None
    state: str = SETTLED


class IntentStore:
    """Reads and writes intents in a database. Every change is one conditional update, so that one process wins it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plan(self, call: Call) -> Intent:
        """The intent for a call, made now if there is none."""

        def work(connection: Connection) -> Intent:
            now = self._database.now(connection)
            row = {
                "key": call.key,
                "run": call.owner or call.run,
                "item": call.run if call.owner not in ("", call.run) else None,
                "step_id": call.step_id,
                "fingerprint": call.fingerprint,
                "state": PLANNED,
                "created_at": now,
            }
            insert_once(connection, intents, row)
            return _intent(connection.execute(select(intents).where(intents.c.key == call.key)).one(), now)

        return await self._database.run_until_available(work)

    async def claim(self, call: Call, worker_id: str, limit_keys: Collection[str] = ()) -> Claim:
        """Claim the right to write the request, unless one of those by whom it is paced is held back.

        Nor for a run that has been stopped, or has ended: calls may have waited for their turn for a long time, and
        what it left to do may have been given to another run.
        """
        stopped = exists(select(runs.c.id).where(runs.c.id == (call.owner or call.run), runs.c.state != RUNNING))

        def work(connection: Connection) -> Claim:
            now = self._database.now(connection)
            claim = update(intents).where(
                intents.c.key == call.key, intents.c.state == PLANNED, not_(held(limit_keys, now)), not_(stopped)
            )
            entered = {"state": CLAIMED, "claimed_at": now, "claimed_by": worker_id}
            if connection.execute(claim.values(**entered, since=func.coalesce(intents.c.since, now))).rowcount:
                return Claim(claimed=True)
            is_stopped = connection.execute(select(stopped)).scalar_one()
            return Claim(claimed=False, stopped=is_stopped, held=time_left(connection, limit_keys, now))

        return await self._database.run_until_available(work)

    async def withdraw(self, call: Call, intent_state: str, by: str | None) -> bool:
        """The request that ``by`` entered certainly was not processed: it may be written again."""

        def work(connection: Connection) -> bool:
            return _change(connection, call, intent_state, by=by, state=PLANNED, claimed_at=None, claimed_by=None)

        return await self._database.run_until_available(work)

    async def throttle(self, call: Call, by: str, key: str, seconds: float | None) -> float:
        """As ``withdraw`` of an entered call, where the request was told to slow down: hold back whoever has this key.

        ``seconds`` is for how long, if that was said. How long it is held.
        """

        def work(connection: Connection) -> float:
            _change(connection, call, CLAIMED, by=by, state=PLANNED, claimed_at=None, claimed_by=None)
            return throttle(connection, key, seconds, self._database.now(connection))

        return await self._database.run_until_available(work)

    async def doubt(self, call: Call, by: str | None) -> bool:
        """The request that ``by`` entered is over, and nobody knows what became of it."""
        return await self._database.run_until_available(
            lambda connection: _change(connection, call, CLAIMED, by=by, state=IN_DOUBT)
        )

    async def settle(self, call: Call, settlement: Settlement, *, only_in_doubt: bool = False) -> bool:
        """Store what became of the call, together with its answer, so that neither is known without the other.

        False, and nothing is changed, when the effect is known to be another call's, or when the call is not
        ``doubtful`` any more though it must be.
        """

        def work(connection: Connection) -> bool:
            of_call = [intents.c.key == call.key]
            if only_in_doubt:
                of_call.append(intents.c.state == IN_DOUBT)
            changes = {"state": settlement.state, "resource_id": settlement.resource_id}
            if not connection.execute(update(intents).where(*of_call).values(changes)).rowcount:
                return False
            times = Times(settlement.begun, self._database.now(connection))
            kept = replace(settlement.kept, redacted_inputs=call.redacted_inputs)
            record_entry(connection, (call.run, call.ordinal), kept, times)
            return True

        try:
            return await self._database.run_until_available(work)
        except IntegrityError:
            return False

    async def confirm(self, key: str, resource_id: str) -> None:
        """Keep that a call did this, whatever is known of it otherwise. What is known to be another's stays so."""

        def work(connection: Connection) -> None:
            open_ = (intents.c.key == key, intents.c.resource_id.is_(None))
            connection.execute(update(intents).where(*open_).values(resource_id=resource_id))

        with suppress(IntegrityError):
            await self._database.run(work)

    async def resources_taken(self, effects: list[str]) -> set[str]:
        """Those of the effects that are known to be some call's."""

        def work(connection: Connection) -> set[str]:
            return set(
                connection.execute(select(intents.c.resource_id).where(intents.c.resource_id.in_(effects))).scalars()
            )

        return await self._database.run_until_available(work)

    async def rank(self, call: Call) -> tuple[int, int]:
        """How many equal calls in doubt were entered before this one, and how many equal ones are under way."""

        def work(connection: Connection) -> tuple[int, int]:
            equal = (intents.c.fingerprint == call.fingerprint, intents.c.key != call.key)
            mine = select(intents.c.claimed_at).where(intents.c.key == call.key).scalar_subquery()
            before = or_(
                intents.c.claimed_at < mine,
                (intents.c.claimed_at == mine) & (intents.c.key < call.key),
            )
            count = select(func.count()).select_from(intents).where(*equal)
            earlier = connection.execute(count.where(intents.c.state == IN_DOUBT, before)).scalar_one()
            under_way = connection.execute(count.where(intents.c.state == CLAIMED)).scalar_one()
            return earlier, under_way

        return await self._database.run_until_available(work)


def _change(connection: Connection, call: Call, from_state: str, *, by: str | None = None, **changes: Any) -> bool:
    # By whom it was entered is part of the condition: another process may have claimed it anew in between.
    of_call = [intents.c.key == call.key, intents.c.state == from_state]
    if by is not None:
        of_call.append(intents.c.claimed_by == by)
    return connection.execute(update(intents).where(*of_call).values(changes)).rowcount == 1


def _intent(row: Row[Any], now: float) -> Intent:
    return Intent(
        state=row.state,
        claimed_by=row.claimed_by,
        age=now - row.claimed_at if row.claimed_at is not None else 0.0,
        since=row.since,
        resource_id=row.resource_id,
    )
