"""The calls of a simulated run, and the rules that hold for them: order, quiet hours, opt-outs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from twilio_component.durable.sending.conditions import AllOf
from twilio_component.durable.sending.opt_outs import MESSAGE, OptOuts, store_opt_out
from twilio_component.durable.sending.order import ConversationOrder
from twilio_component.durable.sending.quiet_hours import OutsideQuietHours
from twilio_component.durable.sending.send_rules import SendRules
from twilio_component.durable.store.schema import turns
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.send_order import SendOrder
from twilio_component.flows.send_rules import FrequencyCaps, QuietHours
from twilio_component.host.contacts import Contact
from twilio_component.host.results import Candidate

if TYPE_CHECKING:
    from random import Random

    from simulation.database import Server
    from simulation.twilio import Message, SimulatedTwilio
    from sqlalchemy import Connection

    from twilio_component.durable.store.database import Database

SENDER = "+15017122661"
EPOCH = 1_000_000.0
"""What the clocks of the simulation show when it begins, in seconds since 1970."""
_MINUTE = 60.0
_PEOPLE = {"one": "+15558675310", "two": "+15558675310", "three": "+15558675309"}
_ZONES = ("UTC", "Asia/Kolkata", "America/New_York", "Pacific/Auckland")


@dataclass
class Rules:
    """The rules of one seed, and what shows whether they are kept.

    ``quiet`` has for each person when it is quiet where they are: a beginning and an end on the virtual clock.
    """

    server: Server
    bound: float
    order: SendOrder | None = None
    have_contacts: bool = False
    quiet: dict[str, tuple[float, float, str]] = field(default_factory=dict)
    stopped_at: dict[str, float] = field(default_factory=dict)
    largest_step: float = 0.0
    expires_at: float = math.inf
    _places: dict[str, tuple[str, int]] = field(default_factory=dict)
    _newest_sent: dict[str, int] = field(default_factory=dict)

    @classmethod
    def drawn(cls, random: Random, server: Server, bound: float) -> Rules:
        """Draw the rules of a seed: most have none."""
        rules = cls(server, bound)
        if random.random() < 0.8:
            return rules
        rules.have_contacts = True
        rules.order = random.choice((None, SendOrder()))
        for person in sorted(set(_PEOPLE.values())):
            if random.random() < 0.4:
                first = math.floor(EPOCH / _MINUTE) + random.randint(0, 1)
                last = first + random.randint(1, 2)
                rules.quiet[person] = (first * _MINUTE - EPOCH, last * _MINUTE - EPOCH, random.choice(_ZONES))
        return rules

    def conditions(self, database: Database) -> AllOf:
        """Return the conditions of a process."""
        if not self.have_contacts:
            return AllOf()
        rules = SendRules()
        quiet = OutsideQuietHours(database, rules, margin=self.bound)
        return AllOf([OptOuts(database, rules), quiet, ConversationOrder(database, {}, _enqueue)])

    def contact(self, text: str) -> Contact | None:
        """Return whom a message with this text reaches."""
        return Contact(person=_PEOPLE[text], senders=(SENDER,)) if self.have_contacts else None

    def quiet_hours(self, text: str) -> QuietHours | None:
        """Return the quiet hours of the person that a message with this text reaches, by the clocks where they are."""
        if _PEOPLE[text] not in self.quiet:
            return None
        begin, end, zone = self.quiet[_PEOPLE[text]]
        start, stop = (dt.datetime.fromtimestamp(EPOCH + one, ZoneInfo(zone)).time() for one in (begin, end))
        return QuietHours(start=start, end=stop, zone=zone)

    def may_be_refused(self, text: str) -> bool:
        """Whether a call may fail because its person wants no more, or since it is too late for it."""
        return _PEOPLE[text] in self.stopped_at or self.expires_at < math.inf

    def stop(self, random: Random) -> None:
        """Let one of the people send STOP, which is stored at this instant."""
        person = random.choice(sorted(set(_PEOPLE.values())))
        if self.have_contacts:
            self.server.transaction(
                lambda connection: store_opt_out(connection, [SENDER], person, MESSAGE, self.server.now())
            )
            self.stopped_at.setdefault(person, self.server.loop.time())

    def check(self, message: Message) -> None:
        """Hold when Twilio accepts a message: it is in time and in order, its person has not stopped and is awake."""
        now, person = self.server.loop.time(), _PEOPLE[message.text]
        late = self.server.now() - self.expires_at - self.bound - 2 * self.largest_step
        assert late <= 0, f"{message.call} was sent {late:.3f} s after it had expired"
        if not self.have_contacts:
            return
        # A request that was claimed just before is over within the bound.
        late = now - self.stopped_at.get(person, math.inf) - self.bound
        assert late <= 0, f"{message.call} was sent {late:.3f} s too late after its recipient said STOP"
        if person in self.quiet:
            begin, end, _ = self.quiet[person]
            step = self.largest_step
            assert not begin + step <= now < end - step, f"{message.call} was sent in quiet hours"
        if self.order is not None:
            self._check_order(message)

    def _check_order(self, message: Message) -> None:
        self.note_turns()
        conversation, place = self._places.get(message.call, ("", 0))
        if conversation:  # else its run was purged meanwhile
            last = self._newest_sent.get(conversation, 0)
            assert place >= last, f"{message.call} has place {place} of its conversation, and was sent after {last}"
            self._newest_sent[conversation] = place

    def note_turns(self) -> None:
        """Note in which order turns have been taken: once a purge has deleted the highest, its number comes again."""
        taken = select(turns.c.key, turns.c.conversation).order_by(turns.c.number)
        for key, conversation in self.server.transaction(lambda connection: connection.execute(taken).all()):
            self._places.setdefault(key, (conversation, len(self._places)))


class SimulatedCall:
    """The call of a run, as the guard sees it."""

    longest_wait = 86_400.0
    must_identify = True
    opted_out = Failure(code="opted-out", message="opted out", permanent=True)
    opted_out_reasons: frozenset[str] = frozenset()
    frequency_caps: FrequencyCaps | None = None
    question: str | None = None
    flow_key = "I/F"

    def __init__(self, twilio: SimulatedTwilio, rules: Rules, key: str, text: str) -> None:
        self._twilio = twilio
        self._rules = rules
        self._key = key
        self._text = text
        self.sender = SENDER
        self.contact = rules.contact(text)
        self.order = rules.order
        self.quiet_hours = rules.quiet_hours(text)
        self.limit_keys: Mapping[str, str] = {"connection": "connection", "sender": f"connection:{SENDER}"}

    @property
    def expired(self) -> Failure | None:
        late = self._rules.server.now() > self._rules.expires_at
        return Failure(code="deadline-exceeded", message="too late") if late else None

    async def perform_once(self, _seconds: float) -> dict[str, Any]:
        return {"data": {"sid": await self._twilio.send(self._key, self._text)}}

    def failure(self, error: Exception) -> Failure:
        unknown = isinstance(error, TimeoutError) or getattr(error, "may_have_happened", False)
        return Failure(code=getattr(error, "code", "timeout"), message="failed", outcome_unknown=unknown)

    def envelope_for(self, resource_id: str) -> dict[str, Any]:
        return {"data": {"sid": resource_id}}

    def resource_id(self, envelope: Mapping[str, Any]) -> str | None:
        sid: str | None = envelope["data"]["sid"]
        return sid

    def last_call(self, _entry: object) -> None:
        return None

    async def find_candidates(self, since: dt.datetime) -> list[Candidate] | None:
        # As `sent_messages` does: a Twilio whose clock is behind gives earlier dates; its responses tell how much.
        earliest = since.timestamp() - 1_000_000.0 + min(0.0, math.floor(self._twilio.ahead))
        found = [message for message in await self._twilio.list_messages() if message.created_at >= earliest]
        found.sort(key=lambda message: message.created_at, reverse=True)  # as `twilio.reconciliation` does
        return [Candidate(id=one.sid, data={"sid": one.sid}, equal=self._is_equal(one)) for one in found]

    def _is_equal(self, message: Message) -> bool:
        return message.text == self._text and not message.is_blurred


def _enqueue(_connection: Connection, run: str, *_: object) -> None:
    raise AssertionError(f"{run} was put into the queue, though no run waits as a row")
