"""What is kept of a run, or of a round, that is run again: what it was answered with before it went wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, or_, select

from twilio_component.durable.errors import RunStateError
from twilio_component.durable.sending.intents import PLANNED
from twilio_component.durable.store.runs import INITIAL_STATE, RESULT
from twilio_component.durable.store.schema import intents, journal


def answers_of(connection: Connection, run: str) -> list[dict[str, Any]]:
    """The values of a run, or of a round by its item's id."""
    return [dict(row) for row in connection.execute(select(journal).where(journal.c.run == run)).mappings()]


def until(ordinal: int, kept: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of the values of a run, what it was answered with before that call."""
    return [one for one in kept if one["ordinal"] < ordinal and one["ordinal"] != RESULT]


def started_and_did(connection: Connection, starter: str, kept: Sequence[Mapping[str, Any]]) -> str | None:
    """The flow that the next call after those kept once started, if it did something that must not be done twice.

    ``starter`` is the run, or the item of the round, that made the call.
    """
    flow = f"{starter}.{max((one['ordinal'] for one in kept), default=-1) + 1}"
    below = (intents.c.run.startswith(f"{flow}{mark}", autoescape=True) for mark in ".~")
    did = select(intents.c.key).where(or_(intents.c.run == flow, *below), intents.c.state != PLANNED)
    return None if connection.execute(did.limit(1)).one_or_none() is None else flow


def until_the_failure(run: str, kept: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of the values of a run (or a round), all but the failure that ended it.

    Raises ``RunStateError`` when it went on after a step whose outcome is unknown.
    """
    calls = sorted((one for one in kept if one["ordinal"] >= 0), key=lambda one: one["ordinal"])
    others = [one for one in kept if one["ordinal"] == INITIAL_STATE]
    unknown = [one for one in calls if json.loads(one["value"]).get("failure", {}).get("outcome_unknown")]
    if unknown and unknown[0] is not calls[-1]:
        raise RunStateError(f"the run '{run}' went on after the step whose outcome is unknown; it can only be resolved")
    if calls and "failure" in json.loads(calls[-1]["value"]):
        failed = calls.pop()["step_id"]
        # A step that was asked again and again, and then failed, waits anew.
        while (
            calls and calls[-1]["step_id"] == failed and "again" in json.loads(calls[-1]["value"]).get("envelope", {})
        ):
            calls.pop()
    return [*others, *calls]
