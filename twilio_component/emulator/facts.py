"""What assertions can ask about messages, verifications, requests and webhooks, and which values are possible.

An assertion that nothing was sent must not pass because of a typing mistake: a name that a thing does not have, or a
value that it can never have, is refused even where there is nothing to compare it with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from twilio_component.emulator.api.router import OPERATIONS
from twilio_component.emulator.faults import FAULT_NAMES
from twilio_component.emulator.messaging.verifying import CHANNELS
from twilio_component.emulator.model import addresses
from twilio_component.emulator.webhooks.sender import KINDS
from twilio_component.host.errors import did_you_mean, join_names

Facts = Mapping[str, str | None]
Conditions = Mapping[str, str | None]

_MESSAGE_STATUSES = (
    "accepted", "scheduled", "canceled", "queued", "sending", "sent", "delivered", "undelivered", "failed", "read",
)  # fmt: skip
_VERIFICATION_STATUSES = ("pending", "approved", "canceled", "max_attempts_reached")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
# Parameters of webhooks about messages, to find the mistake in a name that is nearly one of them.
_PARAMETERS = (
    "AccountSid", "ApiVersion", "Author", "Body", "ButtonPayload", "ButtonText", "ChannelPrefix", "ChannelToAddress",
    "ConversationSid", "ErrorCode", "ErrorMessage", "ErrorUrl", "EventType", "ExternalUserId", "From", "FromCity",
    "FromCountry", "FromState", "FromZip", "Latitude", "ListId", "ListTitle", "Longitude", "MediaContentType",
    "MediaUrl", "MessageSid", "MessageStatus", "MessagingServiceSid", "NumMedia", "NumSegments", "OptOutType",
    "OriginalRepliedMessageSid", "ParticipantSid", "ProfileName", "RawDlrDoneDate", "SmsMessageSid", "SmsSid",
    "SmsStatus", "To", "ToCity", "ToCountry", "ToState", "ToZip", "WaId",
)  # fmt: skip
_NEARLY = 0.85

Check = Callable[[str], str | None]


def _one_of(allowed: Collection[str]) -> Check:
    def check(value: str) -> str | None:
        if value in allowed:
            return None
        return f"it is {join_names(sorted(allowed), word='or', limit=30)}{did_you_mean(value, allowed)}"

    return check


def _like(pattern: str, description: str) -> Check:
    return lambda value: None if re.fullmatch(pattern, value, re.DOTALL) else f"it is {description}"


def _sid(*prefixes: str) -> Check:
    pattern = f"({'|'.join(prefixes)})[0-9a-fA-F]{{32}}"
    return _like(pattern, f"{join_names(prefixes, word='or')} and 32 hexadecimal digits")


_CODE = _like(r"[1-9][0-9]{4,5}", "a code of five or six digits, such as '30003'")
_HTTP_STATUS = _like(r"[1-5][0-9][0-9]", "a status of HTTP, such as '201'")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to ask about: how to read it, what is wrong with a value, and whether None is possible."""

    read: Callable[[Any], str | None]
    fault_in: Check | None = None
    may_be_none: bool = False


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


MESSAGE: Mapping[str, Fact] = {
    "sid": Fact(lambda one: one.sid, _sid("SM", "MM")),
    "account_sid": Fact(lambda one: one.account_sid, _sid("AC")),
    "to": Fact(lambda one: one.to, addresses.fault_in_recipient),
    "sender": Fact(lambda one: one.sender, addresses.fault_in_sender, may_be_none=True),
    "body": Fact(lambda one: one.body),
    "status": Fact(lambda one: one.status, _one_of(_MESSAGE_STATUSES)),
    "direction": Fact(lambda one: one.direction, _one_of(("outbound-api", "outbound-reply"))),
    "error_code": Fact(lambda one: _text(one.error_code), _CODE, may_be_none=True),
    "messaging_service_sid": Fact(lambda one: one.messaging_service_sid, _sid("MG"), may_be_none=True),
}
VERIFICATION: Mapping[str, Fact] = {
    "sid": Fact(lambda one: one.sid, _sid("VE")),
    "service_sid": Fact(lambda one: one.service_sid, _sid("VA")),
    "account_sid": Fact(lambda one: one.account_sid, _sid("AC")),
    "to": Fact(lambda one: one.to, addresses.fault_in_recipient),
    "channel": Fact(lambda one: one.channel, _one_of(CHANNELS)),
    "status": Fact(lambda one: one.status, _one_of(_VERIFICATION_STATUSES)),
    "code": Fact(lambda one: one.code, _like("[0-9A-Za-z]{4,10}", "four to ten digits")),
}
REQUEST: Mapping[str, Fact] = {
    "operation": Fact(lambda one: one.operation, _one_of(OPERATIONS), may_be_none=True),
    "method": Fact(lambda one: one.request.method, _one_of(_METHODS)),
    "path": Fact(lambda one: one.request.path, _like("/.*", "a path that begins with /")),
    "query": Fact(lambda one: one.request.query),
    "body": Fact(lambda one: one.request.body.decode("utf-8", "replace")),
    "status": Fact(lambda one: str(one.response.status), _HTTP_STATUS),
    "fault": Fact(lambda one: one.fault, _one_of(FAULT_NAMES), may_be_none=True),
}
WEBHOOK: Mapping[str, Fact] = {
    "kind": Fact(lambda one: one.kind, _one_of(KINDS)),
    "method": Fact(lambda one: one.method, _one_of(("GET", "POST"))),
    "url": Fact(lambda one: one.url, _like("https?://.+", "a URL that begins with http:// or https://")),
    "message_sid": Fact(lambda one: one.message_sid),
    "status": Fact(lambda one: _text(one.response and one.response.status), _HTTP_STATUS, may_be_none=True),
    "error": Fact(lambda one: one.error, may_be_none=True),
    "body": Fact(lambda one: dict(one.parameters).get("Body"), may_be_none=True),
}


def facts_of(about: Mapping[str, Fact], thing: Any) -> Facts:
    """Return what conditions can ask about a thing; of a webhook its parameters too, by their own names."""
    parameters = dict(thing.parameters) if about is WEBHOOK else {}
    return {**{name: fact.read(thing) for name, fact in about.items()}, **parameters}


def check_conditions(about: Mapping[str, Fact], known: Iterable[Facts], conditions: Conditions) -> None:
    """Raise ValueError or TypeError for a condition that no thing could ever meet.

    ``known`` are the facts about the things that there are: what one of them has is possible.
    """
    known = list(known)
    for name, wanted in conditions.items():
        _check_name(about, known, name)
        _check_value(name, about.get(name, Fact(lambda _: None, may_be_none=True)), known, wanted)


def check_times(times: int | None) -> None:
    """Raise TypeError or ValueError for a number of times that cannot be."""
    if times is None:
        return
    if not isinstance(times, int) or isinstance(times, bool):
        raise TypeError(f"times is an integer, or None for at least one, not {times!r}")
    if times < 0:
        raise ValueError(f"times is 0 or more, not {times}")


def _check_name(about: Mapping[str, Fact], known: list[Facts], name: str) -> None:
    if name in about:
        return
    if about is not WEBHOOK or not name[:1].isupper():
        raise ValueError(
            f"cannot ask for {name}; one of these is possible: {', '.join(about)}{did_you_mean(name, about)}"
        )
    # A webhook of another product may have any parameter; a name that is nearly a known one is a mistake.
    possible = {*_PARAMETERS, *(one for facts in known for one in facts if one[:1].isupper())}
    if name in possible or name.rstrip("0123456789") in possible:
        return
    by_folded = {one.casefold(): one for one in possible}
    near = get_close_matches(name.casefold(), by_folded, n=1, cutoff=_NEARLY)
    if near:
        raise ValueError(f"no webhook has the parameter {name}; did you mean '{by_folded[near[0]]}'?")


def _check_value(name: str, fact: Fact, known: list[Facts], wanted: str | None) -> None:
    if wanted is None:
        if not fact.may_be_none:
            raise ValueError(f"{name} is never None")
        return
    if not isinstance(wanted, str):
        raise TypeError(f"{name} is compared with a text, such as {str(wanted)!r}, not with {wanted!r}")
    fault = fact.fault_in(wanted) if fact.fault_in else None
    if fault and not any(facts.get(name) == wanted for facts in known):
        raise ValueError(f"{name} is never {wanted!r}: {fault}")
