"""The condition that nobody is written to in quiet hours."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from twilio_component.durable.sending.claim_condition import ClaimCondition
from twilio_component.durable.sending.conditions import NOTHING_AGAINST_IT, QUIET_HOURS, HoldUntil, Proceed, Refuse
from twilio_component.durable.sending.send_rules import UnknownZoneError
from twilio_component.durable.store.schema import last_heard
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.quiet_hours import QuietZones, next_time_outside

if TYPE_CHECKING:
    from twilio_component.durable.clock import Clock
    from twilio_component.durable.sending.conditions import Verdict
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intents import CallIdentity
    from twilio_component.durable.sending.send_rules import SendRules
    from twilio_component.durable.store.database import Database
    from twilio_component.host.contacts import Contact

_ZONE = Failure(
    code="unknown-time-zone",
    message="timeZone of quietHours must be the name of a time zone, such as Europe/Berlin",
    permanent=True,
)
_NEVER = Failure(
    code="quiet-hours",
    message="there is no time within a year that is outside the quiet hours in every zone that the number may be in",
    permanent=True,
)


class OutsideQuietHours:
    """Holds calls until it is quiet in none of the zones that their recipient may be in.

    A request arrives at the latest ``margin`` seconds after its claim: it must not be quiet then, either.
    """

    def __init__(self, database: Database, rules: SendRules, *, margin: float) -> None:
        self._database = database
        self._rules = rules
        self._margin = margin

    async def judge(self, call: CallIdentity, guarded: GuardedCall) -> Verdict:  # noqa: ARG002 - others need the call
        """Hold a call in quiet hours, unless it answers somebody who has just written."""
        contact = guarded.contact
        if contact is None:
            return NOTHING_AGAINST_IT
        try:
            quiet = self._rules.quiet_zones(guarded, contact)
        except UnknownZoneError:
            return Refuse(_ZONE)
        if not quiet:
            return NOTHING_AGAINST_IT
        # What people's clocks show: a process's own time stands still while its machine sleeps, and is never set.
        clock = self._database.clock
        now = clock.wall()
        free = next_time_outside(quiet, now, self._margin)
        if free == now:
            return Proceed(claim_conditions=(_OutsideNow(quiet, self._margin, clock),))
        seconds = self._rules.replies_pass_for(guarded)
        answering = _Answering(contact, seconds)
        if seconds and await self._database.run_until_available(
            lambda connection: answering.holds(connection, self._database.now(connection))
        ):
            return Proceed(claim_conditions=(answering,))
        return _hold(free, ahead=round(clock.now() - now))


def _hold(free: float | None, *, ahead: float) -> Verdict:
    """The verdict for a call that is free at this time of the system's clock, of which this process's is ``ahead``."""
    if free is None:
        return Refuse(_NEVER)
    return HoldUntil(kind=QUIET_HOURS, reason="it is quiet where the recipient may be", until=free + ahead)


class _OutsideNow(ClaimCondition):
    """The claim condition: since the call was judged it may have waited for a token for long."""

    is_about_calls = False

    def __init__(self, quiet: Collection[QuietZones], margin: float, clock: Clock) -> None:
        self._quiet = quiet
        self._margin = margin
        self._clock = clock

    def holds(self, _connection: Connection, _now: float) -> bool:
        now = self._clock.wall()
        return next_time_outside(self._quiet, now, self._margin) == now


class _Answering(ClaimCondition):
    """The claim condition: the person has written to one of the senders within the last ``seconds``."""

    is_about_calls = False

    def __init__(self, contact: Contact, seconds: float) -> None:
        self._contact = contact
        self._seconds = seconds

    def holds(self, connection: Connection, now: float) -> bool:
        recent = select(last_heard.c.person).where(
            last_heard.c.person == self._contact.person,
            last_heard.c.sender.in_(self._contact.senders),
            last_heard.c.heard_at >= now - self._seconds,
        )
        return connection.execute(recent.limit(1)).one_or_none() is not None
