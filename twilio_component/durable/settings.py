"""What a deployment says about durability, beside its config variables in the same file.

::

    sending:
      resend: true       # send again what Twilio does not show within lagBound (default: false, it ends as unknown)
      lagBound: 60       # seconds after which Twilio's list shows every message
      timeout: 15        # seconds that one request may take
      inFlight: 50       # requests at the same time, in each process
    rateLimits:
      "+15017122661": 10   # requests per second of a sender or messaging service, in all processes together
    senders:
      Marketing: "+15017122661"   # the name that metrics have for a sender
    quietHours:
      "+15017122661": {from: "21:00", to: "08:00"}   # when a sender sends nothing, by the recipient's clock
    frequencyCaps:
      "+15017122661": {perDay: 2}   # how many messages of a sender a person gets
    order:
      "+15017122661": conversation   # messages to one person from this sender are sent in the order of their steps
    retention:
      days: 30           # how long finished runs are kept
      keepPayloads: false   # whether what a run received and returned is kept when it has succeeded
    lists:
      stopAfter: 10      # refusals in a row that concern the sender, with one code, after which a list stops
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twilio_component.durable.alarm_receivers import Receivers, receivers_from
from twilio_component.flows.parsing.limits import order_from
from twilio_component.flows.send_rules import (
    FrequencyCaps,
    QuietHours,
    Report,
    read_frequency_caps,
    read_quiet_hours,
    read_zone_name,
)
from twilio_component.host.errors import InputError, Problem, did_you_mean, join_names
from twilio_component.host.inputs.messages import entry_problem

if TYPE_CHECKING:
    from twilio_component.flows.send_order import SendOrder

SECTIONS = ("sending", "retention", "lists")
_FASTEST = 1_000
_MOST_DAYS = 3650
_SENDER_NAME = re.compile(r"[A-Za-z][\w -]{0,39}", re.ASCII)  # no number can be one


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How sends are guarded and how long runs are kept; times are in seconds."""

    resend: bool = False
    lag_bound: float = 60.0
    timeout: float = 15.0
    in_flight: int = 50
    keep_days: float = 30.0
    keep_payloads: bool = False
    stop_after: int = 10
    rates: Mapping[str, float] = field(default_factory=dict)
    senders: Mapping[str, str] = field(default_factory=dict)
    quiet_hours: Mapping[str, QuietHours] = field(default_factory=dict)
    frequency_caps: Mapping[str, FrequencyCaps] = field(default_factory=dict)
    orders: Mapping[str, SendOrder] = field(default_factory=dict)
    on_failure: Receivers | None = None

    @property
    def claim(self) -> float:
        """Seconds after its claim within which a request may begin."""
        return self.timeout / 5

    @property
    def request_bound(self) -> float:
        """Seconds after its claim within which a request is certainly over."""
        return self.claim + self.timeout


# section, key: the field, the least and the most; a flag has no bounds
_KEYS: Mapping[tuple[str, str], tuple[str, float, float] | tuple[str]] = {
    ("sending", "resend"): ("resend",),
    ("sending", "lagBound"): ("lag_bound", 0, 3600),
    ("sending", "timeout"): ("timeout", 0.1, 60),
    ("sending", "inFlight"): ("in_flight", 1, 1000),
    ("retention", "days"): ("keep_days", 0, _MOST_DAYS),
    ("retention", "keepPayloads"): ("keep_payloads",),
    ("lists", "stopAfter"): ("stop_after", 1, 1_000_000),
}

_WHOLE = ("in_flight", "stop_after")


def settings_from(sections: Mapping[str, Mapping[str, Any]], *, reads_secrets: bool = True) -> Settings:
    """The settings in a configuration's sections; raises ``InputError`` with everything that is wrong.

    Unless it ``reads_secrets``, those of ``onFailure`` need not be there.
    """
    fields: dict[str, Any] = {}
    problems: list[Problem] = []
    for section in SECTIONS:
        for key, value in sections.get(section, {}).items():
            known = _KEYS.get((section, key))
            if known is None:
                names = [name for of, name in _KEYS if of == section]
                hint = did_you_mean(key, names) or f" (known: {join_names(names)})"
                problems.append(Problem(f"{section}.{key}", f"is not known{hint}"))
            elif wrong := _wrong(value, known):
                problems.append(Problem(f"{section}.{key}", f"must be {wrong}"))
            else:
                fields[known[0]] = int(value) if known[0] in _WHOLE else value
    for sender, rate in sections.get("rateLimits", {}).items():
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= _FASTEST:
            text = f"must be a number of requests per second, at most {_FASTEST:,}"
            problems.append(entry_problem("rateLimits", sender, text))
        else:
            fields.setdefault("rates", {})[str(sender)] = float(rate)
    fields["orders"] = _orders(sections.get("order", {}), problems)
    fields["senders"] = _sender_names(sections.get("senders", {}), problems)
    for section, field_name, read in (
        ("quietHours", "quiet_hours", _read_quiet_hours),
        ("frequencyCaps", "frequency_caps", read_frequency_caps),
    ):
        for sender, rule in sections.get(section, {}).items():
            found = read(rule, _report(problems, section, str(sender)))
            fields.setdefault(field_name, {})[str(sender)] = found
    fields["on_failure"] = receivers_from(sections.get("onFailure", {}), problems, reads_secrets=reads_secrets)
    if problems:
        raise InputError("The configuration is not valid", problems)
    return Settings(**fields)


def _orders(section: Mapping[str, Any], problems: list[Problem]) -> Mapping[str, SendOrder]:
    found = ((str(sender), order_from(value, _report(problems, "order", sender))) for sender, value in section.items())
    return {sender: order for sender, order in found if order is not None}


def _sender_names(section: Mapping[str, Any], problems: list[Problem]) -> Mapping[str, str]:
    text = 'must be a name of letters, digits, spaces, - and _, and a sender in quotes: Marketing: "+1…"'
    for name, sender in section.items():
        if not isinstance(sender, str) or not _SENDER_NAME.fullmatch(str(name)):
            problems.append(entry_problem("senders", name, text))
    return {str(name): sender for name, sender in section.items() if isinstance(sender, str)}


def _read_quiet_hours(raw: Any, report: Report) -> QuietHours | None:
    return read_quiet_hours(raw, report, read_zone=lambda zone: read_zone_name(zone, report))


def _report(problems: list[Problem], section: str, sender: Any) -> Report:
    def report(path: tuple[str | int, ...], message: str) -> None:
        problems.append(entry_problem(section, sender, message, path))

    return report


def _wrong(value: Any, known: tuple[str, float, float] | tuple[str]) -> str:
    """What the value must be, or nothing when it is that."""
    if len(known) == 1:
        return "" if isinstance(value, bool) else "true or false"
    _, least, most = known
    right = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
    return "" if right else f"a number from {least:g} to {most:,}"
