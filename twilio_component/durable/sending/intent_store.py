"""The store of intents: the steps of the protocol, and what the protocol asks."""

from __future__ import annotations

import math
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, bindparam, exists, func, not_, or_, select, true, union_all, update
from sqlalchemy.exc import IntegrityError

from twilio_component.durable.errors import RunStopped
from twilio_component.durable.sending.intents import (
    CLAIMED,
    IN_DOUBT,
    OPEN,
    PLANNED,
    CallIdentity,
    Claim,
    EndedHold,
    Hold,
    Intent,
    OtherCalls,
    Settlement,
    Settling,
)
from twilio_component.durable.sending.protocol_steps import ClaimStep, Move, Plan, Settle, Step, carry_out
from twilio_component.durable.sending.throttle import throttle
from twilio_component.durable.store.request_batcher import RequestBatcher
from twilio_component.durable.store.run_status import RUNNING
from twilio_component.durable.store.schema import UNCERTAIN, intents, purged_resources, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twilio_component.durable.sending.claim_condition import ClaimCondition
    from twilio_component.durable.store.database import Database

_OF_ATTEMPT = (intents.c.key == bindparam("of_key"), intents.c.attempt == bindparam("of_attempt"))
_HOLD = select(intents.c.hold_kind, intents.c.held_at).where(*_OF_ATTEMPT, intents.c.state == PLANNED)
_CREATED: Any = bindparam("created")
_IS_A_PURGED_CALL_S = exists().where(purged_resources.c.resource_id == _CREATED)
_CONFIRMED = intents.c.key == bindparam("of_key")
_CONFIRMATION = update(intents).where(_CONFIRMED, intents.c.resource_id.is_(None)).values(resource_id=_CREATED)
_TAKEN_BACK = update(intents).where(_CONFIRMED, _IS_A_PURGED_CALL_S).values(resource_id=None)


class IntentStore:
    """Reads and writes intents. Each step is conditional, so that one process wins it.

    Steps that are submitted while others are being stored are stored together. Every method but ``confirm`` retries
    until the database is available.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._steps = RequestBatcher(self._carry_out)

    async def plan(self, call: CallIdentity) -> Intent:
        """The intent for a call, made now if there is none.

        Raises ``RunStopped`` when the call has not been claimed and its run is not running, or does not exist.
        """
        intent: Intent | None = await self._steps.submit(Plan(call))
        if intent is None:
            raise RunStopped
        return intent

    async def claim(
        self, call: CallIdentity, attempt: int, worker_id: str, conditions: Collection[ClaimCondition] = ()
    ) -> Claim:
        """Claim the right to write the request, as the attempt after ``attempt``, the one that was seen."""
        claim: Claim = await self._steps.submit(ClaimStep(call, attempt, worker_id, conditions))
        return claim

    async def hold(self, call: CallIdentity, attempt: int, hold: Hold | None) -> EndedHold | None:
        """Store why a planned call waits, or that it waits no more; what has held it, if that ends now."""

        def work(connection: Connection) -> EndedHold | None:
            now = self._database.now(connection)
            found = connection.execute(_HOLD, _attempt(call, attempt)).one_or_none()
            if found is None:
                return None
            goes_on = hold is not None and hold.kind == found.hold_kind
            changes = (
                {"hold_kind": None, "hold_reason": None}  # held_until stays: the call's age counts from then
                if hold is None
                else {"hold_kind": hold.kind, "hold_reason": hold.reason, "held_until": hold.until}
                | ({} if goes_on else {"held_at": now})
            )
            holding = update(intents).where(*_OF_ATTEMPT, intents.c.state == PLANNED).values(changes)
            connection.execute(holding, _attempt(call, attempt))
            if goes_on or found.hold_kind is None or found.held_at is None:
                return None
            return EndedHold(found.hold_kind, max(0.0, now - found.held_at))

        return await self._database.run_until_available(work)

    async def withdraw(self, call: CallIdentity, attempt: int) -> bool:
        """Plan the call again: the request of this attempt was certainly not processed."""
        return await self._move(call, attempt, CLAIMED, PLANNED)

    async def resend(self, call: CallIdentity, attempt: int) -> bool:
        """Plan the call again: what this attempt may have created does not exist."""
        return await self._move(call, attempt, IN_DOUBT, PLANNED)

    async def doubt(self, call: CallIdentity, attempt: int) -> bool:
        """Put the call in doubt: the request of this attempt is over, and its outcome is not known."""
        return await self._move(call, attempt, CLAIMED, IN_DOUBT)

    async def throttle(
        self,
        call: CallIdentity,
        attempt: int,
        key: str,
        seconds: float | None,
        reason: str,
        *,
        since_success: float = math.inf,
    ) -> float:
        """Plan the call again, and throttle everything with this key; for how many seconds.

        ``seconds`` is how long the provider asked to wait, if it did; ``reason`` is shown to an operator. A request
        with this key got through ``since_success`` seconds ago.
        """

        def work(connection: Connection) -> float:
            carry_out(connection, [Move(call, attempt, CLAIMED, PLANNED)], self._database.now)
            now = self._database.now(connection)
            return throttle(connection, key, seconds, reason, now, since_success=since_success)

        return await self._database.run_until_available(work)

    async def settle(
        self, call: CallIdentity, attempt: int, settlement: Settlement, *, from_states: Collection[str] = OPEN
    ) -> Settling:
        """Store the outcome of this attempt in one transaction with its journal entry."""
        try:
            settling: Settling = await self._steps.submit(Settle(call, attempt, settlement, from_states))
        except IntegrityError:  # another process has stored the resource at the same moment
            return Settling.RESOURCE_TAKEN
        return settling

    async def confirm(self, key: str, resource_id: str, *, wait_for_database: bool = False) -> None:
        """Store that the call with this key created this resource, unless another call is known to have done so.

        Retries until the database is available with ``wait_for_database``, else raises ``StoreUnavailableError``.
        """

        def work(connection: Connection) -> None:
            confirmation = {"of_key": key, "created": resource_id}
            if connection.execute(_CONFIRMATION, confirmation).rowcount:
                # Looked for now that nobody else can get it: the one that had it may be purged at this moment.
                connection.execute(_TAKEN_BACK, confirmation)

        with suppress(IntegrityError):
            await (self._database.run_until_available if wait_for_database else self._database.run)(work)

    async def other_calls(self, call: CallIdentity, resource_ids: Collection[str], *, reach: float) -> OtherCalls:
        """What is known of the other calls, which of these resources are a call's, and what is proven of this one.

        Of the equal calls those count that were claimed after this one was, or less than ``reach`` seconds before,
        whatever has become of their runs since. It is one statement: two would see two moments, and a call that settles
        between them is in neither.
        """
        asked = {"of_key": call.key, "of_fingerprint": call.fingerprint, "reach": reach}
        asked["resources"] = sorted(resource_ids)

        def work(connection: Connection) -> OtherCalls:
            rows = connection.execute(_OTHER_CALLS, asked).all()
            first = rows[0]
            return OtherCalls(
                own=first.own,
                taken=frozenset(row.resource_id for row in rows if row.resource_id is not None),
                earlier=first.earlier,
                under_way=first.under_way,
                later=first.later,
                is_any_open=bool(first.is_any_open),
            )

        return await self._database.run_until_available(work)

    async def _move(self, call: CallIdentity, attempt: int, from_state: str, to: str) -> bool:
        moved: bool = await self._steps.submit(Move(call, attempt, from_state, to))
        return moved

    async def _carry_out(self, steps: Sequence[Step]) -> list[Any]:
        return await self._database.run_until_available(
            lambda connection: carry_out(connection, steps, self._database.now)
        )


def _attempt(call: CallIdentity, attempt: int) -> dict[str, Any]:
    return {"of_key": call.key, "of_attempt": attempt}


def _other_calls() -> Select[Any]:
    """A row for each of the resources that is taken, or one without a resource; each with the same counts."""
    key: Any = bindparam("of_key")
    mine, own = (
        select(column).where(intents.c.key == key).scalar_subquery()
        for column in (intents.c.claimed_at, intents.c.resource_id)
    )
    # One that is known to have created a resource competes for no other, and one of long ago, which a process that died
    # has left in a run that was then cancelled, created nothing that is seen now.
    equal = (
        intents.c.fingerprint == bindparam("of_fingerprint"),
        intents.c.key != key,
        intents.c.resource_id.is_(None),
        intents.c.claimed_at > mine - bindparam("reach"),
    )
    before = or_(intents.c.claimed_at < mine, (intents.c.claimed_at == mine) & (intents.c.key < key))
    count = select(func.count()).select_from(intents).where(*equal, UNCERTAIN)
    others = (UNCERTAIN, intents.c.key != key, runs.c.state == RUNNING)
    counts = select(
        own.label("own"),
        count.where(intents.c.state == IN_DOUBT, before).scalar_subquery().label("earlier"),
        count.where(intents.c.state == IN_DOUBT, not_(before)).scalar_subquery().label("later"),
        count.where(intents.c.state == CLAIMED).scalar_subquery().label("under_way"),
        exists(select(intents.c.key).join(runs, runs.c.id == intents.c.run).where(*others)).label("is_any_open"),
    ).subquery()
    resources: Any = bindparam("resources", expanding=True)
    taken = union_all(
        select(intents.c.resource_id).where(intents.c.resource_id.in_(resources), intents.c.key != key),
        select(purged_resources.c.resource_id).where(purged_resources.c.resource_id.in_(resources)),
    ).subquery()
    return select(counts, taken.c.resource_id).select_from(counts.outerjoin(taken, true()))


# Built once: building a statement costs as much as executing it.
_OTHER_CALLS = _other_calls()
