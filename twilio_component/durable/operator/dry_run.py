"""A dry run: who would get what, and when, of the messages that a flow would send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, exists, select

from twilio_component.durable.operator.times import format_time
from twilio_component.durable.sending.guarded_call import GuardedFlowCall
from twilio_component.durable.sending.send_rules import SendRules, UnknownZoneError
from twilio_component.durable.sending.sender_rates import rates_of_senders, settings_of_senders
from twilio_component.durable.store.schema import contact_counts, opt_outs
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.flows.parsing.fitting import fit_inputs
from twilio_component.flows.quiet_hours import next_time_outside
from twilio_component.host.errors import InputError
from twilio_component.host.model import resolve

if TYPE_CHECKING:
    from twilio_component.durable.settings import Settings
    from twilio_component.durable.store.database import Database
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.flows.model import Flow
    from twilio_component.flows.quiet_hours import QuietZones
    from twilio_component.flows.runner.invoker import Invoker
    from twilio_component.flows.send_rules import FrequencyCaps
    from twilio_component.host.contacts import Contact
    from twilio_component.host.model import Component

SENT, HELD, OPTED_OUT, DROPPED, INVALID, OTHER = "send", "hold", "opted-out", "drop", "invalid", "other"
_MOST_ROUNDS = 1_000
_CODES = {OPTED_OUT: "opted-out", DROPPED: "dropped", INVALID: InputError.code}


def failure_of(planned: Mapping[str, Any]) -> Failure | None:
    """How the step would fail of which this is the plan, as ``DryRun.plan`` returns it; None where it would not."""
    code = _CODES.get(planned["plan"])
    return Failure(code=code, message=planned["reason"], permanent=True) if code else None


class DryRun:
    """Plans messages in the order in which a flow would send them; nothing is sent or stored.

    ``now`` is when the flow would start, in seconds since 1970. Opt-outs and messages of the last day are those of the
    ``database``, where there is one.
    """

    def __init__(
        self, database: Database | None, settings: Settings, components: dict[str, Component], now: float
    ) -> None:
        self._database = database
        self._rules = SendRules(
            settings_of_senders("quietHours", settings.quiet_hours, components),
            settings_of_senders("frequencyCaps", settings.frequency_caps, components),
        )
        self._rates = rates_of_senders(settings.rates, components)
        self._margin = settings.request_bound
        self._now = now
        self._next_of_sender: dict[str, float] = {}
        self._counted: dict[tuple[str, str], list[float]] = {}
        self._people: set[tuple[str, str]] = set()
        self.counts: Counter[str] = Counter()

    async def plan(self, flow: Flow, call: Call, invoker: Invoker) -> dict[str, Any]:
        """What would become of a call.

        ``{"step", "plan", "to", "from", "at", "reason", "duplicate", "segments", "zones"}``: ``plan`` is ``send``,
        ``hold`` (until ``at``), ``opted-out``, ``drop``, ``invalid``, or ``other`` for a call that reaches nobody.
        ``duplicate`` says that the step has reached this person before; it would be sent again all the same.
        """
        operation = invoker.operation(call)
        if operation is None or "contact" not in operation.options:
            return self._count({"step": call.id, "plan": OTHER, "action": f"{call.component}.{call.action}"})
        try:
            inputs = invoker.host.validate_inputs(call.component, call.action, fit_inputs(call.inputs, operation))
        except InputError as error:
            problems = "; ".join(f"{problem.path}: {problem.message}" for problem in error.problems)
            return self._count({"step": call.id, "plan": INVALID, "reason": problems})
        guarded = GuardedFlowCall(
            invoker=invoker,
            flow=flow,
            call=call,
            payload={"integration": {"name": call.payload.get("integration", {}).get("name", "")}},
            operation=operation,
        )
        contact = guarded.contact
        if contact is None:
            return self._count({"step": call.id, "plan": OTHER, "action": f"{call.component}.{call.action}"})
        estimate = operation.options["contact"].get("estimate")
        row = {
            "step": call.id,
            "to": contact.person,
            "from": guarded.sender,
            **(resolve(estimate)(inputs) if estimate else {}),
            "duplicate": self._is_duplicate(call, contact),
        }
        return self._count({**row, **await self._verdict(guarded, contact)})

    async def _verdict(self, guarded: GuardedFlowCall, contact: Contact) -> dict[str, Any]:
        if await self._is_opted_out(contact):
            return {"plan": OPTED_OUT, "reason": "the recipient has opted out"}
        try:
            quiet = self._rules.quiet_zones(guarded, contact)
        except UnknownZoneError:
            return {"plan": INVALID, "reason": "timeZone of quietHours is not the name of a time zone"}
        zones = sorted({zone for one in quiet for zone in one.zones})
        caps = [(await self._times(scope, contact.person), cap) for scope, cap in self._rules.caps_of(guarded)]
        turn = max(self._now, self._next_of_sender.get(guarded.sender, 0.0))
        at, reason = self._first_time(quiet, caps, turn)
        found = {"zones": zones} if zones else {}
        if at is None:
            return {**found, "plan": DROPPED, "reason": reason}
        for times, _ in caps:
            times.append(at)
        rate = self._rates.get(guarded.sender)
        if rate is not None and at == turn:
            self._next_of_sender[guarded.sender] = turn + 1 / rate
        plan = {"plan": HELD, "reason": reason} if reason else {"plan": SENT}
        return {**found, **plan, "at": format_time(at)}

    def _first_time(
        self, quiet: list[QuietZones], caps: Iterable[tuple[list[float], FrequencyCaps]], turn: float
    ) -> tuple[float | None, str]:
        """When the message would be sent, and why not at once; or None and why never."""
        at, reason = turn, ""
        for _ in range(_MOST_ROUNDS):
            outside = next_time_outside(quiet, at, self._margin)
            if outside is None:
                return None, "it is always quiet where the recipient may be"
            within = outside
            for times, cap in caps:
                free = _free_from(times, cap, outside)
                if free > outside and cap.drops:
                    return None, "the recipient would have had as many messages as frequencyCaps allows"
                within = max(within, free)
            if within == at:
                return at, reason
            reason = "quiet hours" if outside > at else "frequency caps"
            at = within
        return None, "no time was found that quiet hours and frequency caps allow"

    def _is_duplicate(self, call: Call, contact: Contact) -> bool:
        key = (call.name, contact.person)
        if key in self._people:
            return True
        self._people.add(key)
        return False

    async def _is_opted_out(self, contact: Contact) -> bool:
        if self._database is None:
            return False
        entry = exists().where(opt_outs.c.person == contact.person, opt_outs.c.scope.in_(contact.scopes))
        return await self._database.run(lambda connection: bool(connection.execute(select(entry)).scalar_one()))

    async def _times(self, scope: str, person: str) -> list[float]:
        """When the person was sent messages of the scope, or would be by what has been planned."""
        if (scope, person) not in self._counted:
            stored: list[float] = []
            if self._database is not None:
                of = (contact_counts.c.scope == scope, contact_counts.c.person == person)
                chosen = select(contact_counts.c.claimed_at).where(*of)

                def work(connection: Connection) -> list[float]:
                    return list(connection.execute(chosen).scalars())

                stored = await self._database.run(work)
            self._counted[scope, person] = stored
        return self._counted[scope, person]

    def add_unready(self, step: str, reason: str) -> dict[str, Any]:
        """What would become of a message of which an input has no value: ``{"step", "plan": "invalid", "reason"}``."""
        return self._count({"step": step, "plan": INVALID, "reason": reason})

    def _count(self, row: dict[str, Any]) -> dict[str, Any]:
        self.counts[row["plan"]] += 1
        self.counts["segments"] += (row.get("segments") or 0) if row["plan"] in (SENT, HELD) else 0
        self.counts["duplicates"] += bool(row.get("duplicate"))
        return row


def _free_from(times: list[float], cap: FrequencyCaps, at: float) -> float:
    free = at
    for limit, period in cap.limits():
        within = sorted((one for one in times if at - period < one <= at), reverse=True)
        if len(within) >= limit:
            free = max(free, within[limit - 1] + period)
    return free
