"""Questions that have no end when their run fails: its retry sends the person only what they have not received."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from twilio_component.durable import ids
from twilio_component.durable.asking.asker import sent_resource
from twilio_component.durable.execution.unrepeatable_calls import OF_QUESTION
from twilio_component.durable.store.journal import entries_of
from twilio_component.durable.store.question_states import CLOSED, FAILED, QUEUED
from twilio_component.durable.store.schema import journal, questions
from twilio_component.durable.store.upsert import to_json
from twilio_component.host.questions import MOST_SENDS

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OPEN_AGAIN = {"state": QUEUED, "closed_at": None, "outcome": None, "code": None}


def asked_by(connection: Connection, run: str) -> list[int]:
    """The numbers of the calls with which a run has asked people."""
    return list(connection.execute(select(questions.c.ordinal).where(questions.c.run == run)).scalars())


def received_questions(connection: Connection, run: str, kept: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """The ids of the steps that a retry makes anew, and whose questions somebody has received, by their calls' numbers.

    ``kept`` are the entries of the run's journal that the retry keeps.
    """
    ends, found = {entry["ordinal"] for entry in kept}, {}
    for number in asked_by(connection, run):
        if number not in ends:
            of_sends = journal.c.ordinal.between(number - MOST_SENDS, number - 1)
            sends = select(journal.c.step_id).where(
                journal.c.run.in_(ids.lineage(run)), of_sends, journal.c.is_failure.is_(False)
            )
            step = connection.execute(sends.limit(1)).scalar_one_or_none()
            if step is not None:
                found[number] = step.rpartition(OF_QUESTION)[0]
    return found


def copy_questions(connection: Connection, run: str, again: str, numbers: Collection[int], now: float) -> None:
    """Let ``again``, which runs a run again, continue with these questions of it.

    The person has the whole time to reply once more. A question that has ended otherwise than by a failure has its end.
    """
    of_run = (questions.c.run == run, questions.c.ordinal.in_(numbers))
    for found in connection.execute(select(questions).where(*of_run)).mappings():
        row = {**found, "key": ids.call_key(again, found["ordinal"]), "run": again}
        if found["state"] != CLOSED or found["outcome"] == FAILED:
            until = now + found["seconds"]
            row |= {**_OPEN_AGAIN, **_texts_received(connection, run, found), "created_at": now, "until": until}
        connection.execute(insert(questions).values(row))


def _texts_received(connection: Connection, run: str, question: Any) -> dict[str, Any]:
    """What the person has received: a process may have died before it noted that of the question."""
    first, sent, effects = question["ordinal"] - MOST_SENDS, question["sent"], json.loads(question["effects"])
    made = entries_of(connection, run, first + sent, question["ordinal"])
    while (entry := made.get(first + sent)) is not None and not entry.is_failure:
        sent += 1
        effects += [found for found in [sent_resource(entry)] if found]
    return {"sent": sent, "effects": to_json(effects)}
