"""Assertions about messages, requests and webhooks; failures show what was expected, what there is, what is near."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TypeVar

from twilio_component.emulator.model.message import Message
from twilio_component.emulator.model.verification import Verification
from twilio_component.emulator.request_log import RequestRecord, WebhookRecord

Thing = TypeVar("Thing", Message, RequestRecord, WebhookRecord, Verification)

Facts = Mapping[str, str | None]
Conditions = Mapping[str, str | None]

_SHOWN = 5


def assert_found(noun: str, things: Sequence[Thing], conditions: Conditions, times: int | None) -> list[Thing]:
    """Return the things that meet every condition: at least one, or exactly ``times``; AssertionError otherwise.

    ``body`` has to be a part of the text; everything else has to be equal. ValueError for a condition that such a
    thing does not know.
    """
    known = [facts_of(thing) for thing in things]
    found = [index for index, facts in enumerate(known) if not _misses(facts, conditions)]
    if len(found) == times or (times is None and found):
        return [things[index] for index in found]
    raise AssertionError("\n".join(_explanation(noun, known, found, conditions, times)))


def facts_of(thing: Message | RequestRecord | WebhookRecord | Verification) -> Facts:
    """Return the facts about a thing that conditions can name."""
    if isinstance(thing, Message):
        return {
            "sid": thing.sid,
            "account_sid": thing.account_sid,
            "to": thing.to,
            "sender": thing.sender,
            "body": thing.body,
            "status": thing.status,
            "direction": thing.direction,
            "error_code": None if thing.error_code is None else str(thing.error_code),
            "messaging_service_sid": thing.messaging_service_sid,
        }
    if isinstance(thing, Verification):
        return {
            "sid": thing.sid,
            "service_sid": thing.service_sid,
            "account_sid": thing.account_sid,
            "to": thing.to,
            "channel": thing.channel,
            "status": thing.status,
            "code": thing.code,
        }
    if isinstance(thing, RequestRecord):
        return {
            "operation": thing.operation,
            "method": thing.request.method,
            "path": thing.request.path,
            "query": thing.request.query,
            "body": thing.request.body.decode("utf-8", "replace"),
            "status": str(thing.response.status),
            "fault": thing.fault,
        }
    return {
        "kind": thing.kind,
        "method": thing.method,
        "url": thing.url,
        "message_sid": thing.message_sid,
        "status": None if thing.response is None else str(thing.response.status),
        "error": thing.error,
        **dict(thing.parameters),
        "body": dict(thing.parameters).get("Body"),
    }


def _misses(facts: Facts, conditions: Conditions) -> list[str]:
    return [name for name, wanted in conditions.items() if not _meets(facts, name, wanted)]


def _meets(facts: Facts, name: str, wanted: str | None) -> bool:
    if name not in facts and not name[:1].isupper():  # a webhook's parameters begin with a capital and may be missing
        raise ValueError(f"cannot ask for {name}; one of these is possible: {', '.join(facts)}")
    found = facts.get(name)
    if name == "body" and wanted is not None:
        return wanted in (found or "")
    return found == wanted


def _explanation(
    noun: str, known: Sequence[Facts], found: Sequence[int], conditions: Conditions, times: int | None
) -> Iterator[str]:
    count = "at least one" if times is None else f"exactly {times}"
    wanted = ", ".join(f"{name}={value!r}" for name, value in conditions.items()) or "anything"
    yield f"expected {count} {noun} with {wanted}"
    yield f"found {len(found)} among {len(known)}"
    others = [facts for index, facts in enumerate(known) if index not in found]
    too_many = len(found) > (times or 0)
    if others and not too_many:
        yield "the nearest:"
        yield from _comparison(max(others, key=lambda facts: _nearness(facts, conditions)), conditions)
    shown = [known[index] for index in found] if too_many else known
    if shown:
        yield f"the last {min(len(shown), _SHOWN)} of {len(shown)}:"
    for facts in shown[-_SHOWN:]:
        yield f"    {_summary(facts)}"


def _nearness(facts: Facts, conditions: Conditions) -> float:
    """Return how many conditions are met, and how similar the rest is."""
    return sum(
        1.0 if _meets(facts, name, wanted) else 0.9 * SequenceMatcher(None, wanted or "", facts.get(name) or "").ratio()
        for name, wanted in conditions.items()
    )


def _comparison(facts: Facts, conditions: Conditions) -> list[str]:
    return [
        f"    {name}: {facts.get(name)!r}" + ("" if _meets(facts, name, wanted) else f", expected {wanted!r}")
        for name, wanted in conditions.items()
    ]


def _summary(facts: Facts) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in facts.items() if value is not None)
