"""The steps of the protocol, many of them in one transaction.

A batch locks the intents that its steps are about, in the order of their keys so that two processes never wait for each
other. Where it claims, it locks the runs first, so that none stops before the claim is stored: what stops a run, or has
it run again, sees the claim. Whatever locks both locks the run first. The steps are then decided one after the other
from the rows that were read, and everything that has changed is written by one statement for each table. A step is
decided as if it had a transaction of its own: one that changes nothing keeps no other from changing something.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, func, select, union_all

from twilio_component.durable.sending.intents import (
    CLAIMED,
    CLOCK_SKEW,
    IN_DOUBT,
    PLANNED,
    CallIdentity,
    Claim,
    Hold,
    Intent,
    Settlement,
    Settling,
    person_digest,
)
from twilio_component.durable.sending.late_proofs import earlier_keys, find_proof
from twilio_component.durable.sending.throttle import time_left
from twilio_component.durable.store.item_ends import end_with_calls, forget_results
from twilio_component.durable.store.journal import entry_row
from twilio_component.durable.store.many_rows import UpdateEach, has_arrays, is_among
from twilio_component.durable.store.run_status import RUNNING
from twilio_component.durable.store.schema import intents, journal, purged_resources, runs
from twilio_component.durable.store.server_time import server_time
from twilio_component.durable.store.upsert import insert_all_once, insert_each_once, to_json

if TYPE_CHECKING:
    from twilio_component.durable.sending.claim_condition import ClaimCondition

_TIME = "time"
# The time comes with what is read: to ask for it alone is one more way to the server and back.
_READ = (
    "key",
    "state",
    "attempt",
    "created_at",
    "claimed_at",
    "claimed_by",
    "resource_id",
    "hold_kind",
    "hold_reason",
    "held_until",
)
_LOCKED = (
    select(*(intents.c[name] for name in _READ), server_time().label(_TIME))
    .where(is_among(intents.c.key, "keys"))
    .order_by(intents.c.key)
    .with_for_update()
)
_RUNNING = select(runs.c.id, server_time().label(_TIME)).where(is_among(runs.c.id, "keys"), runs.c.state == RUNNING)
_KEPT_RUNNING = _RUNNING.order_by(runs.c.id).with_for_update(read=True)
_TAKEN = union_all(
    *(select(of.c.resource_id).where(is_among(of.c.resource_id, "keys")) for of in (intents, purged_resources))
)
_CHANGE = UpdateEach(intents, "key", ("state", "attempt", "claimed_at", "claimed_by", "resource_id"))

_Row = dict[str, Any]


class Step(Protocol):
    """A step of a call."""

    @property
    def call(self) -> CallIdentity:
        """The call."""

    def decide(self, batch: Batch) -> Any:
        """Change the rows of the batch; the result for the one who asked for this step."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Make an intent if there is none; the ``Intent``, or None when it is not claimed and its run is not running."""

    call: CallIdentity

    def decide(self, batch: Batch) -> Intent | None:
        """The intent, made before this if there was none; None for a call that may not go on."""
        batch.take_over_proof(self.call)
        row = batch.rows.get(self.call.key)
        if row is None or (row["state"] == PLANNED and self.call.run not in batch.running):
            return None
        return _intent(row, batch.now)


@dataclass(slots=True)
class ClaimStep:
    """Claim the attempt after ``attempt`` for a worker.

    It ``may_be_stored`` once a transaction has claimed the attempt, whose confirmation may have been lost.
    """

    call: CallIdentity
    attempt: int
    worker_id: str
    conditions: Collection[ClaimCondition] = ()
    may_be_stored: bool = False

    def decide(self, batch: Batch) -> Claim:
        """Claim the attempt, if nothing stands against it."""
        if self.may_be_stored and self._is_stored(batch):
            return Claim(attempt=self.attempt + 1)
        batch.take_over_proof(self.call)
        row = batch.row_of(self.call, self.attempt, PLANNED)
        is_running = self.call.run in batch.running
        throttled = {key: batch.throttled[key] for key in self.call.limit_keys if key in batch.throttled}
        if row is None or row["resource_id"] is not None or not is_running or throttled:
            return Claim(is_stopped=not is_running, throttled=throttled)
        if self.conditions and not self._holds(batch):
            return Claim()
        attempt = self.attempt + 1
        batch.change(row, state=CLAIMED, attempt=attempt, claimed_at=batch.now, claimed_by=self.worker_id)
        for condition in self.conditions:
            condition.record(batch.connection, batch.now)
        self.may_be_stored = True
        return Claim(attempt=attempt)

    def _is_stored(self, batch: Batch) -> bool:
        """Whether the attempt was claimed by an earlier transaction of this step: nobody has used the claim yet.

        A process has one driver of a call, so nobody else claims this attempt for the same worker.
        """
        row = batch.row_of(self.call, self.attempt + 1, CLAIMED)
        return row is not None and row["claimed_by"] == self.worker_id

    def _holds(self, batch: Batch) -> bool:
        """Whether the conditions hold, which may be about the calls that have just been claimed in this batch."""
        if any(condition.is_about_calls for condition in self.conditions):
            batch.write()
        return all(condition.holds(batch.connection, batch.now) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Settle:
    """Store the outcome of this attempt, and journal it."""

    call: CallIdentity
    attempt: int
    settlement: Settlement
    from_states: Collection[str]

    def decide(self, batch: Batch) -> Settling:
        """Store and journal the outcome, if the attempt is the newest, the resource free and nothing else proven."""
        settlement = self.settlement
        row = batch.row_of(self.call, self.attempt, *self.from_states)
        if row is None:
            return Settling.SUPERSEDED
        proven, named = row["resource_id"], settlement.resource_id
        if proven is not None and named != proven and (named is not None or settlement.entry.is_failure):
            return Settling.PROVEN
        # The one that the row names already may be named again.
        if named in batch.taken and named != proven:
            return Settling.RESOURCE_TAKEN
        if named is not None:
            batch.taken.add(named)
        looked_for = named is not None and proven is None and row["state"] == IN_DOUBT
        before = {name: row[name] for name in ("state", "resource_id")}
        batch.change(row, state=settlement.state, resource_id=named or proven)
        if looked_for and batch.was_purged(named):
            batch.change(row, **before)
            return Settling.RESOURCE_TAKEN
        batch.settled.append(self)
        return Settling.SETTLED

    def row(self, now: float) -> _Row:
        """The row of the journal."""
        call, entry = self.call, self.settlement.entry
        redacted = None if call.redact_inputs is None else call.redact_inputs()
        entry = replace(entry, redacted_inputs=redacted)
        return entry_row((call.caller, call.ordinal), entry, started=self.settlement.started, finished=now)


@dataclass(frozen=True, slots=True)
class Move:
    """Bring the call from one state into another; whether it was this attempt's, in that state.

    A call in doubt that is proven to have created something stays in doubt, to be settled by that.
    """

    call: CallIdentity
    attempt: int
    from_state: str
    to: str

    def decide(self, batch: Batch) -> bool:
        """Move the call, if it is this attempt's and in that state."""
        row = batch.row_of(self.call, self.attempt, self.from_state)
        if row is None or (self.from_state == IN_DOUBT and row["resource_id"] is not None):
            return False
        batch.change(row, state=self.to)
        return True


def carry_out(connection: Connection, steps: Sequence[Step], clock: Callable[[Connection], float]) -> list[Any]:
    """Carry out the steps in this transaction; their results in the same order.

    The ``clock`` of the database, in seconds since 1970, is asked when the time does not come with what is read.
    """
    batch = Batch(connection, clock)
    batch.read(steps)
    results = [step.decide(batch) for step in steps]
    batch.write()
    return results


@dataclass(slots=True)
class Batch:
    """The intents that steps are about, by key, as stored and as changed since; and what decides about the steps."""

    connection: Connection
    clock: Callable[[Connection], float]
    time: float | None = None
    rows: dict[str, _Row] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    throttled: Mapping[str, float] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    changed: dict[str, _Row] = field(default_factory=dict)
    settled: list[Settle] = field(default_factory=list)

    @property
    def now(self) -> float:
        """The time of this batch, in seconds since 1970."""
        if self.time is None:
            self.time = self.clock(self.connection)
        return self.time

    def row_of(self, call: CallIdentity, attempt: int, *states: str) -> _Row | None:
        """The call's row if its newest attempt is this one and its state one of these, else None."""
        row = self.rows.get(call.key)
        return row if row is not None and row["attempt"] == attempt and row["state"] in states else None

    def change(self, row: _Row, **changes: Any) -> None:
        """Change a row: later steps see it changed, and ``write`` stores it."""
        row.update(changes)
        self.changed[row["key"]] = row

    def take_over_proof(self, call: CallIdentity) -> None:
        """Put a planned call in doubt, with what an earlier one has created: it is settled by that.

        The rows of both are locked, so a proof comes either before this, or after the claim.
        """
        proof = find_proof(self.connection, self.rows, call)
        if proof is not None:
            taken = {name: proof[name] for name in ("resource_id", "claimed_at", "claimed_by")}
            self.change(proof, resource_id=None)
            self.write()  # two rows never name one resource
            self.change(self.rows[call.key], state=IN_DOUBT, **taken)

    def was_purged(self, resource_id: str | None) -> bool:
        """Whether a purged call had created the resource that a changed row names.

        Another call may have been proven to have created it, and its run purged, since the batch was read. From when
        the row that names it is stored, the database lets no other name it, so this look is the last one needed.
        """
        self.write()
        purged = select(purged_resources.c.resource_id).where(purged_resources.c.resource_id == resource_id)
        return self.connection.execute(purged).one_or_none() is not None

    def read(self, steps: Sequence[Step]) -> None:
        """Lock and read what the steps are about, and make the intents that are planned."""
        claims = [step for step in steps if isinstance(step, ClaimStep)]
        planned = [step for step in steps if isinstance(step, Plan)]
        needed = [step.call.run for step in claims] + [step.call.run for step in planned]
        self.running = {row["id"] for row in self._read(_KEPT_RUNNING if claims else _RUNNING, needed)}
        self.rows = self._lock(key for step in steps for key in (step.call.key, *earlier_keys(step.call)))
        self._read_conditions([condition for step in claims for condition in step.conditions])
        limited = {key for step in claims for key in step.call.limit_keys}
        self.throttled = time_left(self.connection, limited, self.now)
        settled = (step.settlement.resource_id for step in steps if isinstance(step, Settle))
        named = [one for one in settled if one is not None]
        self.taken = {row["resource_id"] for row in self._read(_TAKEN, named)}
        new = {step.call.key: step.call for step in planned if step.call.key not in self.rows}
        self._insert([call for _, call in sorted(new.items()) if call.run in self.running])

    def _read_conditions(self, conditions: Sequence[ClaimCondition]) -> None:
        if self.connection.dialect.name == "postgresql":
            for lock in sorted({one.lock for one in conditions if one.lock is not None}):
                self.connection.execute(select(func.pg_advisory_xact_lock(lock)))
        kinds: list[type[ClaimCondition]] = list({type(one): None for one in conditions})
        for kind in kinds:
            kind.read(self.connection, [one for one in conditions if type(one) is kind])

    def write(self) -> None:
        """Store what has changed since the last time."""
        if self.changed:
            _CHANGE.execute(self.connection, [row for _, row in sorted(self.changed.items())])
            self.changed = {}
        if self.settled:
            self._journal(self.settled)
            self.settled = []

    def _journal(self, settled: Sequence[Settle]) -> None:
        """Store the results, but not of iterations that end with them: nobody would read those."""
        last = [(one, one.settlement.last) for one in settled if one.settlement.last is not None]
        ended = end_with_calls(self.connection, self.now, [call for _, call in last])
        unread = {one.call.key for one, call in last if call.item in ended and not call.keeps_results}
        if kept := [one.row(self.now) for one in settled if one.call.key not in unread]:
            insert_each_once(self.connection, journal, kept)
        # Those of earlier calls, and of an iteration that another process has ended before.
        stale = {call.item for one, call in last if one.call.ordinal > 0 or call.item not in ended}
        if forgotten := stale.difference(call.item for _, call in last if call.keeps_results):
            forget_results(self.connection, sorted(forgotten))

    def _insert(self, calls: Sequence[CallIdentity]) -> None:
        if not calls:
            return
        rows = {call.key: _planned_row(call, self.now) for call in calls}
        if has_arrays(self.connection.dialect):
            made = insert_all_once(self.connection, intents, intents.c.key, list(rows.values()))
        else:  # SQLite has one writer at a time: nobody else has planned them since we looked
            insert_each_once(self.connection, intents, list(rows.values()))
            made = set(rows)
        self.rows.update({key: {**_UNSET, **rows[key]} for key in made})
        # The others were planned by another process since we looked.
        self.rows.update(self._lock(rows.keys() - made))

    def _lock(self, keys: Iterable[str]) -> dict[str, _Row]:
        return {row["key"]: row for row in self._read(_LOCKED, keys)}

    def _read(self, question: Any, keys: Iterable[str]) -> list[_Row]:
        """The rows with these keys; the first time that comes with some is the batch's."""
        wanted = sorted(set(keys))
        if not wanted:
            return []
        found = self.connection.execute(question, {"keys": wanted})
        names = tuple(found.keys())
        rows = [dict(zip(names, row, strict=True)) for row in found]
        if rows and self.time is None:
            self.time = rows[0].get(_TIME)
        return rows


_UNSET: Mapping[str, None] = dict.fromkeys(_READ)


def _planned_row(call: CallIdentity, now: float) -> _Row:
    return {
        "key": call.key,
        "run": call.run,
        "item": call.item,
        "step_id": call.step_id,
        "fingerprint": call.fingerprint,
        "limit_keys": _limit_keys_json(tuple(sorted(call.limit_keys))),
        "person": None if call.person is None else person_digest(call.person),
        "state": PLANNED,
        "attempt": 0,
        "created_at": now,
    }


@lru_cache(maxsize=100)
def _limit_keys_json(keys: tuple[str, ...]) -> str:
    return to_json(keys)  # the same for all sends of a list


def _intent(row: _Row, now: float) -> Intent:
    held = row["hold_kind"]
    return Intent(
        state=row["state"],
        attempt=row["attempt"],
        claimed_by=row["claimed_by"],
        age=max(0.0, now - max(row["created_at"], row["held_until"] or 0.0)),
        claimed_ago=None if row["claimed_at"] is None else max(0.0, now - row["claimed_at"]),
        certain_age=0.0 if row["claimed_at"] is None else max(0.0, now - row["claimed_at"] - CLOCK_SKEW),
        resource_id=row["resource_id"],
        hold=Hold(kind=held, reason=row["hold_reason"], until=row["held_until"]) if held else None,
    )
