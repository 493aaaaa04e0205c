"""The condition that a person gets no more messages than the frequency cap of a sender or a flow allows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select

from twilio_component.durable.sending.claim_condition import ClaimCondition
from twilio_component.durable.sending.conditions import CAP, NOTHING_AGAINST_IT, HoldUntil, Proceed, Refuse
from twilio_component.durable.store.schema import contact_counts
from twilio_component.durable.store.upsert import replace_row
from twilio_component.flows.interpreter.effects import Failure

if TYPE_CHECKING:
    from twilio_component.durable.sending.conditions import Verdict
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intents import CallIdentity
    from twilio_component.durable.sending.send_rules import SendRules
    from twilio_component.durable.store.database import Database
    from twilio_component.flows.send_rules import FrequencyCaps

_DROPPED = Failure(
    code="frequency-cap", message="the recipient has had as many messages as frequencyCaps allows", permanent=True
)
_MOMENT = 0.05


class WithinFrequencyCaps:
    """Holds or drops calls to people who have had enough for now.

    What counts are claims, in any span of an hour or a day. They are counted in the transaction of the claim, so that
    several processes together do not exceed a cap.
    """

    def __init__(self, database: Database, rules: SendRules) -> None:
        self._database = database
        self._rules = rules

    async def judge(self, call: CallIdentity, guarded: GuardedCall) -> Verdict:
        """Hold the call, or refuse it, as the cap says."""
        contact = guarded.contact
        caps = [] if contact is None else self._rules.caps_of(guarded)
        if contact is None or not caps:
            return NOTHING_AGAINST_IT
        counted = [_Counted(scope, contact.person, call.key, cap) for scope, cap in caps]

        def work(connection: Connection) -> tuple[float, list[tuple[FrequencyCaps, float]]]:
            now = self._database.now(connection)
            return now, [(one.cap, one.free_at(connection, now)) for one in counted]

        now, free = await self._database.run_until_available(work)
        if any(cap.drops and at > now for cap, at in free):
            return Refuse(_DROPPED)
        until = max(at for _, at in free)
        if until > now:
            left = until - now + _MOMENT
            return HoldUntil(
                kind=CAP,
                reason="the recipient has had as many messages as frequencyCaps allows for now",
                until=self._database.clock.now() + left,
            )
        return Proceed(claim_conditions=tuple(counted))

    async def learn(self, call: CallIdentity, guarded: GuardedCall, failure: Failure) -> None:  # noqa: ARG002
        """Count a message no more that was refused: the person has not got it."""
        await self.uncount(call, guarded)

    async def uncount(self, call: CallIdentity, guarded: GuardedCall) -> None:
        """Count a message no more that was not sent after all."""
        if self._rules.caps_of(guarded):
            refused = delete(contact_counts).where(contact_counts.c.call == call.key)
            await self._database.run_until_available(lambda connection: connection.execute(refused))


class _Counted(ClaimCondition):
    """One cap of a person, as the claim condition that it is not exceeded.

    Two claims that both see one message less than allowed must not both be the last one: hence the ``lock``.
    """

    def __init__(self, scope: str, person: str, call: str, cap: FrequencyCaps) -> None:
        self.cap = cap
        self.lock = int.from_bytes(hashlib.sha256(f"{scope}\0{person}".encode()).digest()[:8], "big", signed=True)
        self._row = {"scope": scope, "person": person, "call": call}
        self._others = (
            contact_counts.c.scope == scope,
            contact_counts.c.person == person,
            contact_counts.c.call != call,
        )

    def free_at(self, connection: Connection, now: float) -> float:
        """When one more message is within the cap: ``now``, or when the oldest of too many is old enough."""
        free = now
        for limit, period in self.cap.limits():
            times = select(contact_counts.c.claimed_at).where(*self._others, contact_counts.c.claimed_at > now - period)
            nth = times.order_by(contact_counts.c.claimed_at.desc()).offset(limit - 1).limit(1)
            found = connection.execute(nth).scalar_one_or_none()
            free = max(free, free if found is None else found + period)
        return free

    def holds(self, connection: Connection, now: float) -> bool:
        return self.free_at(connection, now) <= now

    def record(self, connection: Connection, now: float) -> None:
        row = {**self._row, "claimed_at": now}
        replace_row(connection, contact_counts, row, key=("scope", "person", "call"))
