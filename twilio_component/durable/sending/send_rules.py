"""The rules that concern a call: those of its step or flow, and those of its sender."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twilio_component.flows.number_zones import zones_of_number
from twilio_component.flows.quiet_hours import QuietZones
from twilio_component.flows.time_zones import is_zone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.flows.send_rules import FrequencyCaps, QuietHours
    from twilio_component.host.contacts import Contact


class UnknownZoneError(ValueError):
    """The value that names a recipient's time zone names none."""


@dataclass(frozen=True, slots=True)
class SendRules:
    """What a deployment's configuration says by sender, beside what flows say."""

    quiet_hours: Mapping[str, QuietHours] = field(default_factory=dict)
    frequency_caps: Mapping[str, FrequencyCaps] = field(default_factory=dict)

    def may_hold(self, guarded: GuardedCall) -> bool:
        """Whether quiet hours or a frequency cap concern the call."""
        return bool(self._quiet_hours(guarded)) or bool(self.caps_of(guarded))

    def quiet_zones(self, guarded: GuardedCall, contact: Contact) -> list[QuietZones]:
        """The quiet hours that concern the call, with the zones in which its recipient may be.

        Raises ``UnknownZoneError`` when the flow names a zone that does not exist.
        """
        return [QuietZones(rule, _zones(rule, contact)) for rule in self._quiet_hours(guarded)]

    def replies_pass_for(self, guarded: GuardedCall) -> float:
        """For how many seconds after a person has written their answer may be sent in quiet hours; 0 for never."""
        return min((rule.except_replies or 0.0 for rule in self._quiet_hours(guarded)), default=0.0)

    def caps_of(self, guarded: GuardedCall) -> list[tuple[str, FrequencyCaps]]:
        """The caps that concern the call, each with the scope in which messages to a person are counted."""
        of_sender = self.frequency_caps.get(guarded.sender)
        found = [] if of_sender is None else [(f"sender {guarded.sender}", of_sender)]
        if guarded.frequency_caps is not None:
            found.append((f"flow {guarded.flow_key}", guarded.frequency_caps))
        return found

    def _quiet_hours(self, guarded: GuardedCall) -> list[QuietHours]:
        both = (guarded.quiet_hours, self.quiet_hours.get(guarded.sender))
        return [rule for rule in both if rule is not None]


def _zones(rule: QuietHours, contact: Contact) -> tuple[str, ...]:
    zone = rule.zone.strip() if isinstance(rule.zone, str) else rule.zone  # a cell of blanks looks empty
    if zone in (None, ""):
        return zones_of_number(contact.person, rule.otherwise)
    if not isinstance(zone, str) or not is_zone(zone):
        raise UnknownZoneError
    return (zone,)
