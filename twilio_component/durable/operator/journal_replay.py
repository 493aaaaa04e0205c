"""The part of a journal that a retry keeps: everything before the failure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.store.journal import INITIAL_STATE, RESULT, WAITED
from twilio_component.durable.store.schema import journal
from twilio_component.host.questions import MOST_SENDS


def entries_of(connection: Connection, caller: str) -> list[dict[str, Any]]:
    """The journal rows of a run, or of an iteration by its item's id."""
    return [dict(row) for row in connection.execute(select(journal).where(journal.c.run == caller)).mappings()]


def before(ordinal: int, entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The entries of a run before that call."""
    return [entry for entry in entries if entry["ordinal"] < ordinal and entry["ordinal"] not in (RESULT, WAITED)]


def next_call(entries: Sequence[Mapping[str, Any]]) -> int:
    """The ordinal of the call after these entries."""
    return max((int(entry["ordinal"]) for entry in entries if entry["ordinal"] >= 0), default=-1) + 1


def before_the_failure(
    caller: str, entries: Sequence[Mapping[str, Any]], asked: Collection[int] = ()
) -> list[Mapping[str, Any]]:
    """The entries of a run, or an iteration, without the failure that ended it.

    ``asked`` are the numbers of the calls that asked people. Of one that has no end nothing is kept, since the question
    itself knows what has been sent.

    Raises ``RunStateError`` when it continued after a step whose outcome is unknown.
    """
    calls = sorted((entry for entry in entries if entry["ordinal"] >= 0), key=lambda entry: entry["ordinal"])
    others = [entry for entry in entries if entry["ordinal"] == INITIAL_STATE]
    failed = calls.pop()["step_id"] if calls and calls[-1]["is_failure"] else ""
    while calls and (_is_sent_by(asked, calls[-1]) or _is_asked_again(failed, calls[-1])):
        calls.pop()
    if any(map(_is_unknown, calls)):
        raise RunStateError(
            f"the run '{caller}' continued after a step with an unknown outcome; it can only be resolved"
        )
    return [*others, *calls]


def ends_unknown(entries: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last of these calls has an unknown outcome."""
    last = max((entry for entry in entries if entry["ordinal"] >= 0), key=lambda entry: entry["ordinal"], default=None)
    return last is not None and _is_unknown(last)


def _is_unknown(call: Mapping[str, Any]) -> bool:
    return bool(call["is_failure"]) and bool(json.loads(call["value"])["failure"]["outcome_unknown"])


def _is_sent_by(asked: Collection[int], call: Mapping[str, Any]) -> bool:
    return any(0 < number - call["ordinal"] <= MOST_SENDS for number in asked)


def _is_asked_again(step: str, call: Mapping[str, Any]) -> bool:
    """Whether the call only said that the step must be asked again; its retry starts to wait anew."""
    return call["step_id"] == step and is_asked_again(call["value"])


def is_asked_again(value: str) -> bool:
    """Whether the result in a journal row is that the step must be asked again."""
    return "again" in json.loads(value).get("envelope", {})
