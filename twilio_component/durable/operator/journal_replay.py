"""The part of a journal that a retry keeps: everything before the failure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.execution.unrepeatable_calls import OF_QUESTION
from twilio_component.durable.store.journal import INITIAL_STATE, RESULT, WAITED
from twilio_component.durable.store.schema import journal


def entries_of(connection: Connection, caller: str) -> list[dict[str, Any]]:
    """The journal rows of a run, or of an iteration by its item's id."""
    return [dict(row) for row in connection.execute(select(journal).where(journal.c.run == caller)).mappings()]


def before(ordinal: int, entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The entries of a run before that call."""
    return [entry for entry in entries if entry["ordinal"] < ordinal and entry["ordinal"] not in (RESULT, WAITED)]


def next_call(entries: Sequence[Mapping[str, Any]]) -> int:
    """The ordinal of the call after these entries."""
    return max((int(entry["ordinal"]) for entry in entries if entry["ordinal"] >= 0), default=-1) + 1


def before_the_failure(caller: str, entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The entries of a run, or an iteration, without the failure that ended it.

    Raises ``RunStateError`` when it continued after a step whose outcome is unknown.
    """
    calls = sorted((entry for entry in entries if entry["ordinal"] >= 0), key=lambda entry: entry["ordinal"])
    others = [entry for entry in entries if entry["ordinal"] == INITIAL_STATE]
    unknown = [call for call in calls if call["is_failure"] and json.loads(call["value"])["failure"]["outcome_unknown"]]
    if unknown and unknown[0] is not calls[-1]:
        raise RunStateError(
            f"the run '{caller}' continued after a step with an unknown outcome; it can only be resolved"
        )
    if calls and calls[-1]["is_failure"]:
        failed = calls.pop()["step_id"]
        # A step that was asked several times before it failed starts to wait anew.
        while calls and _belongs_to(failed, calls[-1]):
            calls.pop()
    return [*others, *calls]


def _belongs_to(step: str, call: Mapping[str, Any]) -> bool:
    """Whether the call only said that the step must be asked again, or sent the question that the step asks."""
    if call["step_id"] == step:
        return is_asked_again(call["value"])
    return str(call["step_id"]).startswith(f"{step}{OF_QUESTION}")


def is_asked_again(value: str) -> bool:
    """Whether the result in a journal row is that the step must be asked again."""
    return "again" in json.loads(value).get("envelope", {})
