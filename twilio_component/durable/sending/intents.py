"""Intents: the record of calls that must happen at most once, stored before any request is written.

The states of an intent and what changes them::

    planned ──claim──▶ claimed ──settle──▶ settled
       ▲                 │  │
       └────withdraw─────┘  └──doubt──▶ in_doubt ──settle──▶ settled, unknown
       └──────────────────resend───────────┘

Each claim gets the next *attempt* number, and every later change names the attempt that it is about. So a process that
acts on what it saw some time ago changes nothing once another attempt has begun, and two processes that drive the same
call are harmless. A claim also needs a run that exists and is running: a process that wakes up after its run has ended,
or has been purged, gets none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, exists, func, not_, or_, select, update
from sqlalchemy.exc import IntegrityError

from twilio_component.durable import ids
from twilio_component.durable.errors import RunStopped
from twilio_component.durable.sending.throttle import is_throttled, throttle, time_left
from twilio_component.durable.store.journal import JournalEntry, record_entry
from twilio_component.durable.store.run_status import RUNNING
from twilio_component.durable.store.schema import intents, runs
from twilio_component.durable.store.upsert import insert_once, to_json

if TYPE_CHECKING:
    from twilio_component.durable.sending.claim_condition import ClaimCondition
    from twilio_component.durable.store.database import Database

PLANNED, CLAIMED, IN_DOUBT, SETTLED, UNKNOWN = "planned", "claimed", "in_doubt", "settled", "unknown"
OPEN = (PLANNED, CLAIMED, IN_DOUBT)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIdentity:
    """The call that an intent is for: number ``ordinal`` of a run, made by the step ``step_id``.

    ``item`` is the id of the item whose iteration makes the call, if one does. ``fingerprint`` is equal for calls that
    nothing at the provider tells apart. ``redacted_inputs`` may be shown to an operator. ``limit_keys`` are the keys by
    which the call can be throttled. ``person`` is whom it reaches.
    """

    run: str
    ordinal: int
    step_id: str
    fingerprint: str
    item: str | None = None
    redacted_inputs: Mapping[str, Any] | None = None
    limit_keys: Collection[str] = ()
    person: str | None = None

    @property
    def caller(self) -> str:
        """The id under which the result is journaled: the item's of an iteration, else the run's."""
        return self.item or self.run

    @property
    def key(self) -> str:
        """The intent's key."""
        return ids.call_key(self.caller, self.ordinal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a planned call waits (see ``conditions.HoldUntil``); ``until`` is in seconds since 1970, if it is known."""

    kind: str
    reason: str
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An intent as it is stored.

    ``attempt`` is the number of its last claim, 0 before the first; ``age`` is how many seconds ago the call was
    planned, or could first be made where it was held; ``hold`` is why it waits; ``since`` is the time of its first
    claim in seconds since 1970; ``resource_id`` is what the call is proven to have created.
    """

    state: str
    attempt: int
    claimed_by: str | None
    age: float
    since: float | None
    resource_id: str | None
    hold: Hold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The claim's ``attempt`` number, or None. Without one, these keys are ``throttled`` (seconds left by key).

    Or the run ``is_stopped``: it has ended, was cancelled or paused, or is gone. Or another process was faster.
    """

    attempt: int | None = None
    is_stopped: bool = False
    throttled: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of a call: the result to journal, when the call started, and the id of what it created."""

    entry: JournalEntry
    started: float
    resource_id: str | None = None
    state: str = SETTLED


class Settling(Enum):
    """What came of settling a call."""

    SETTLED = auto()
    SUPERSEDED = auto()
    """Another attempt has begun, or the call is settled; nothing was changed."""
    RESOURCE_TAKEN = auto()
    """The resource is known to be another call's; nothing was changed."""


class IntentStore:
    """Reads and writes intents. Each change is one conditional update, so that one process wins it.

    Every method but ``confirm`` retries until the database is available.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plan(self, call: CallIdentity) -> Intent:
        """The intent for a call, made now if there is none.

        Raises ``RunStopped`` when the call has not been claimed and its run is not running, or does not exist.
        """

        def work(connection: Connection) -> Intent | None:
            now = self._database.now(connection)
            found = connection.execute(select(intents).where(intents.c.key == call.key)).one_or_none()
            if found is not None and found.state != PLANNED:
                return _intent(found, now)
            if connection.execute(select(exists(_running(call)))).scalar_one() is False:
                return None
            if found is None:
                insert_once(connection, intents, _planned_row(call, now))
                found = connection.execute(select(intents).where(intents.c.key == call.key)).one()
            return _intent(found, now)

        intent = await self._database.run_until_available(work)
        if intent is None:
            raise RunStopped
        return intent

    async def claim(
        self, call: CallIdentity, attempt: int, worker_id: str, conditions: Collection[ClaimCondition] = ()
    ) -> Claim:
        """Claim the right to write the request, as the attempt after ``attempt``, the one that was seen."""

        def work(connection: Connection) -> Claim:
            now = self._database.now(connection)
            claiming = update(intents).where(
                *_of(call, attempt, PLANNED),
                not_(is_throttled(call.limit_keys, now)),
                exists(_running(call)),
                *(condition.clause(connection, now) for condition in conditions),
            )
            changes = {"state": CLAIMED, "attempt": attempt + 1, "claimed_at": now, "claimed_by": worker_id}
            if connection.execute(claiming.values(**changes, since=func.coalesce(intents.c.since, now))).rowcount:
                for condition in conditions:
                    condition.record(connection, now)
                return Claim(attempt=attempt + 1)
            is_running = connection.execute(select(exists(_running(call)))).scalar_one()
            return Claim(is_stopped=not is_running, throttled=time_left(connection, call.limit_keys, now))

        return await self._database.run_until_available(work)

    async def hold(self, call: CallIdentity, attempt: int, hold: Hold | None) -> None:
        """Store why a planned call waits, or that it waits no more."""
        changes = (
            {"hold_kind": None, "hold_reason": None}  # until when it was held stays: the call's age counts from then
            if hold is None
            else {"hold_kind": hold.kind, "hold_reason": hold.reason, "held_until": hold.until}
        )
        holding = update(intents).where(*_of(call, attempt, PLANNED)).values(changes)
        await self._database.run_until_available(lambda connection: connection.execute(holding))

    async def withdraw(self, call: CallIdentity, attempt: int) -> bool:
        """Plan the call again: the request of this attempt was certainly not processed."""
        return await self._move(call, attempt, CLAIMED, PLANNED)

    async def resend(self, call: CallIdentity, attempt: int) -> bool:
        """Plan the call again: what this attempt may have created does not exist."""
        return await self._move(call, attempt, IN_DOUBT, PLANNED)

    async def doubt(self, call: CallIdentity, attempt: int) -> bool:
        """Put the call in doubt: the request of this attempt is over, and its outcome is not known."""
        return await self._move(call, attempt, CLAIMED, IN_DOUBT)

    async def throttle(self, call: CallIdentity, attempt: int, key: str, seconds: float | None, reason: str) -> float:
        """Plan the call again, and throttle everything with this key; for how many seconds.

        ``seconds`` is how long the provider asked to wait, if it did; ``reason`` is shown to an operator.
        """

        def work(connection: Connection) -> float:
            connection.execute(update(intents).where(*_of(call, attempt, CLAIMED)).values(state=PLANNED))
            return throttle(connection, key, seconds, reason, self._database.now(connection))

        return await self._database.run_until_available(work)

    async def settle(
        self, call: CallIdentity, attempt: int, settlement: Settlement, *, from_states: Collection[str] = OPEN
    ) -> Settling:
        """Store the outcome of this attempt in one transaction with its journal entry."""

        def work(connection: Connection) -> Settling:
            changes = {"state": settlement.state, "resource_id": settlement.resource_id}
            of_attempt = _of(call, attempt, *from_states)
            if not connection.execute(update(intents).where(*of_attempt).values(changes)).rowcount:
                return Settling.SUPERSEDED
            entry = replace(settlement.entry, redacted_inputs=call.redacted_inputs)
            now = self._database.now(connection)
            record_entry(connection, (call.caller, call.ordinal), entry, started=settlement.started, finished=now)
            return Settling.SETTLED

        try:
            return await self._database.run_until_available(work)
        except IntegrityError:
            return Settling.RESOURCE_TAKEN

    async def confirm(self, key: str, resource_id: str, *, wait_for_database: bool = False) -> None:
        """Store that the call with this key created this resource, unless another call is known to have done so.

        Retries until the database is available with ``wait_for_database``, else raises ``StoreUnavailableError``.
        """

        def work(connection: Connection) -> None:
            without = (intents.c.key == key, intents.c.resource_id.is_(None))
            connection.execute(update(intents).where(*without).values(resource_id=resource_id))

        with suppress(IntegrityError):
            await (self._database.run_until_available if wait_for_database else self._database.run)(work)

    async def resources_taken(self, resource_ids: list[str]) -> set[str]:
        """Those of the resources that are known to be a call's."""

        def work(connection: Connection) -> set[str]:
            taken = select(intents.c.resource_id).where(intents.c.resource_id.in_(resource_ids))
            return set(connection.execute(taken).scalars())

        return await self._database.run_until_available(work)

    async def rank(self, call: CallIdentity) -> tuple[int, int]:
        """How many equal calls in doubt were claimed before this one, and how many equal calls are under way."""

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

    async def others_open(self, call: CallIdentity) -> bool:
        """Whether the outcome of another call of a running run, is still open."""
        others = (intents.c.state.in_((CLAIMED, IN_DOUBT)), intents.c.key != call.key, runs.c.state == RUNNING)
        question = select(exists(select(intents.c.key).join(runs, runs.c.id == intents.c.run).where(*others)))

        def work(connection: Connection) -> bool:
            return bool(connection.execute(question).scalar_one())

        return await self._database.run_until_available(work)

    async def _move(self, call: CallIdentity, attempt: int, from_state: str, to: str) -> bool:
        def work(connection: Connection) -> bool:
            moving = update(intents).where(*_of(call, attempt, from_state)).values(state=to)
            return connection.execute(moving).rowcount == 1

        return await self._database.run_until_available(work)


def _of(call: CallIdentity, attempt: int, *states: str) -> tuple[Any, ...]:
    return intents.c.key == call.key, intents.c.attempt == attempt, intents.c.state.in_(states)


def _running(call: CallIdentity) -> Any:
    return select(runs.c.id).where(runs.c.id == call.run, runs.c.state == RUNNING)


def person_digest(person: str) -> str:
    """The digest by which calls to a person are found: the address itself is not stored with a call."""
    return hashlib.sha256(person.encode()).hexdigest()


def _planned_row(call: CallIdentity, now: float) -> dict[str, Any]:
    return {
        "key": call.key,
        "run": call.run,
        "item": call.item,
        "step_id": call.step_id,
        "fingerprint": call.fingerprint,
        "limit_keys": to_json(sorted(call.limit_keys)),
        "person": None if call.person is None else person_digest(call.person),
        "state": PLANNED,
        "attempt": 0,
        "created_at": now,
    }


def _intent(row: Row[Any], now: float) -> Intent:
    return Intent(
        state=row.state,
        attempt=row.attempt,
        claimed_by=row.claimed_by,
        age=max(0.0, now - max(row.created_at, row.held_until or 0.0)),
        since=row.since,
        resource_id=row.resource_id,
        hold=Hold(kind=row.hold_kind, reason=row.hold_reason, until=row.held_until) if row.hold_kind else None,
    )
