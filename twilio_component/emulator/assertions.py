"""Assertions about messages, requests and webhooks; failures show what was expected, what there is, what is near."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TypeVar

from twilio_component.emulator.facts import Conditions, Fact, Facts, check_conditions, check_times, facts_of
from twilio_component.emulator.model.message import Message
from twilio_component.emulator.model.verification import Verification
from twilio_component.emulator.request_log import RequestRecord, WebhookRecord

Thing = TypeVar("Thing", Message, RequestRecord, WebhookRecord, Verification)

_SHOWN = 5


def assert_found(
    noun: str,
    about: Mapping[str, Fact],
    things: Sequence[Thing],
    conditions: Conditions,
    times: int | None,
) -> list[Thing]:
    """Return the things that meet every condition: at least one, or exactly ``times``; AssertionError otherwise.

    ``body`` has to be a part of the text; everything else has to be equal. ``about`` is what conditions can ask.
    ValueError or TypeError for a condition that no such thing could ever meet, so that ``times=0`` means something.
    """
    check_times(times)
    known = [facts_of(about, thing) for thing in things]
    check_conditions(about, known, conditions)
    found = [index for index, facts in enumerate(known) if not _misses(facts, conditions)]
    if len(found) == times or (times is None and found):
        return [things[index] for index in found]
    raise AssertionError("\n".join(_explanation(noun, known, found, conditions, times)))


def _misses(facts: Facts, conditions: Conditions) -> list[str]:
    return [name for name, wanted in conditions.items() if not _meets(facts, name, wanted)]


def _meets(facts: Facts, name: str, wanted: str | None) -> bool:
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
