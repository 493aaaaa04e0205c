"""The register of people who want no more messages, and the condition that keeps calls from reaching them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, delete, or_, select

from twilio_component.durable.sending.claim_condition import ClaimCondition
from twilio_component.durable.sending.conditions import NOTHING_AGAINST_IT, Proceed, Refuse
from twilio_component.durable.store.many_rows import is_among
from twilio_component.durable.store.schema import opt_outs
from twilio_component.durable.store.upsert import insert_once

if TYPE_CHECKING:
    from twilio_component.durable.sending.conditions import Verdict
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intents import CallIdentity
    from twilio_component.durable.sending.send_rules import SendRules
    from twilio_component.durable.store.database import Database
    from twilio_component.flows.interpreter.effects import Failure
    from twilio_component.host.contacts import Contact

MESSAGE, RESPONSE, IMPORT, OPERATOR = "message", "response", "import", "operator"
_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """One entry: the ``person`` wants nothing more from the ``scope``; ``since`` is in seconds since 1970."""

    scope: str
    person: str
    source: str
    since: float


class OptOutRegister:
    """Reads and changes the register. Its methods raise ``StoreUnavailableError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entries: Sequence[tuple[str, str]], source: str) -> int:
        """Add entries ``(scope, person)``; how many of them are new. One that exists stays as it is."""

        def work(connection: Connection) -> int:
            now = self._database.now(connection)
            return sum(store_opt_out(connection, [scope], person, source, now) for scope, person in entries)

        return await self._database.run(work)

    async def remove(self, person: str, scope: str | None = None) -> int:
        """Remove the person's entry for a scope, or all of them; how many there were."""

        def work(connection: Connection) -> int:
            chosen = [opt_outs.c.person == person, *([opt_outs.c.scope == scope] if scope else [])]
            return connection.execute(delete(opt_outs).where(*chosen)).rowcount

        return await self._database.run(work)

    async def of(self, person: str) -> list[OptOut]:
        """The person's entries."""
        return await self._read(select(opt_outs).where(opt_outs.c.person == person).order_by(opt_outs.c.scope))

    async def page(self, after: OptOut | None = None, scope: str | None = None) -> list[OptOut]:
        """The next thousand entries after one, in the order of scope and person."""
        chosen = select(opt_outs).order_by(opt_outs.c.scope, opt_outs.c.person).limit(_PAGE)
        if scope is not None:
            chosen = chosen.where(opt_outs.c.scope == scope)
        if after is not None:
            later = (opt_outs.c.scope == after.scope) & (opt_outs.c.person > after.person)
            chosen = chosen.where((opt_outs.c.scope > after.scope) | later)
        return await self._read(chosen)

    async def _read(self, chosen: Any) -> list[OptOut]:
        def work(connection: Connection) -> list[OptOut]:
            return [
                OptOut(scope=row.scope, person=row.person, source=row.source, since=row.since)
                for row in connection.execute(chosen)
            ]

        return await self._database.run(work)


def store_opt_out(
    connection: Connection, scopes: Iterable[str], person: str, source: str, now: float, *, service: str | None = None
) -> int:
    """Add the person to the register for these scopes; how many entries are new.

    ``service`` is the one among them to which several senders belong.
    """
    entry = {"person": person, "source": source, "since": now, "service": service}
    rows = ({**entry, "scope": scope} for scope in sorted(set(scopes)))
    return sum(insert_once(connection, opt_outs, row) for row in rows)


def remove_opt_out(connection: Connection, scopes: Iterable[str], person: str) -> None:
    """Take the person from the register for these scopes, and for all senders of a service among them."""
    concerned = [*scopes]
    of_service = or_(opt_outs.c.scope.in_(concerned), opt_outs.c.service.in_(concerned))
    connection.execute(delete(opt_outs).where(opt_outs.c.person == person, of_service))


class OptOuts:
    """The condition that nobody who has opted out is sent anything.

    In the claim it is always checked. Before that, only where a call may be held, or where its claim has failed: a
    list of a hundred thousand need not ask twice for each.
    """

    def __init__(self, database: Database, rules: SendRules) -> None:
        self._database = database
        self._rules = rules
        self._unclaimed: set[str] = set()

    async def judge(self, call: CallIdentity, guarded: GuardedCall) -> Verdict:
        """Refuse a call to somebody who has opted out."""
        contact = guarded.contact
        if contact is None:
            return NOTHING_AGAINST_IT
        if (self._rules.may_hold(guarded) or call.key in self._unclaimed) and await self._is_opted_out(contact):
            self._unclaimed.discard(call.key)
            return Refuse(guarded.opted_out)
        return Proceed(claim_conditions=(_NotOptedOut(contact, call.key, self._unclaimed),))

    async def learn(
        self,
        call: CallIdentity,  # noqa: ARG002 - other conditions need it
        guarded: GuardedCall,
        failure: Failure,
    ) -> None:
        """Add to the register whom the provider has refused to send to, since they have opted out."""
        contact = guarded.contact
        if contact is None or failure.reason not in guarded.opted_out_reasons or not contact.senders:
            return

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            store_opt_out(connection, contact.senders, contact.person, RESPONSE, now, service=contact.service)

        await self._database.run_until_available(work)

    async def _is_opted_out(self, contact: Contact) -> bool:
        found = await self._database.run_until_available(lambda connection: _scopes_of(connection, [contact.person]))
        return not found[contact.person].isdisjoint(contact.scopes)


class _NotOptedOut(ClaimCondition):
    """The claim condition: nobody has stored an opt-out that concerns the call."""

    is_about_calls = False

    def __init__(self, contact: Contact, key: str, unclaimed: set[str]) -> None:
        self.contact = contact
        self._key = key
        self._unclaimed = unclaimed
        self.is_opted_out = True  # until it has been read

    @classmethod
    def read(cls, connection: Connection, conditions: Sequence[Self]) -> None:
        found = _scopes_of(connection, {one.contact.person for one in conditions})
        for one in conditions:
            one.is_opted_out = not found[one.contact.person].isdisjoint(one.contact.scopes)

    def holds(self, _connection: Connection, _now: float) -> bool:
        if self.is_opted_out:
            self._unclaimed.add(self._key)
        return not self.is_opted_out

    def record(self, _connection: Connection, _now: float) -> None:
        self._unclaimed.discard(self._key)


_ENTRIES = select(opt_outs.c.person, opt_outs.c.scope).where(is_among(opt_outs.c.person, "people"))


def _scopes_of(connection: Connection, people: Collection[str]) -> Mapping[str, set[str]]:
    """The scopes from which each of these people wants nothing more."""
    found: dict[str, set[str]] = {person: set() for person in people}
    for person, scope in connection.execute(_ENTRIES, {"people": sorted(people)}):
        found[person].add(scope)
    return found
