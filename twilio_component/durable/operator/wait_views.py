"""What a run waits for while no process executes it, in words and without what people wrote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from twilio_component.durable.execution.unrepeatable_calls import OF_QUESTION
from twilio_component.durable.ids import lineage
from twilio_component.durable.operator.times import format_time
from twilio_component.durable.sending.conditions import CAP, QUIET_HOURS
from twilio_component.durable.store.schema import journal, questions, waits
from twilio_component.durable.store.waits import DELIVERY, FLOW, ORDER, REPLY
from twilio_component.host.questions import MOST_SENDS

if TYPE_CHECKING:
    from sqlalchemy import Row

_WORDS = {
    REPLY: "waits for {person} reply",
    DELIVERY: "waits for news of its message",
    ORDER: "waits until an earlier message of the conversation is done",
    QUIET_HOURS: "waits for the end of quiet hours",
    FLOW: "waits for the end of the flow that it has started",
    CAP: "waits until the frequency cap allows another message",
}
_QUEUED = "waits until another question to the person is over"


def waits_of(connection: Connection, run: str) -> list[dict[str, Any]]:
    """``{"reason", "until", "text"}``, and of a question that was asked the ``step``."""
    found = connection.execute(select(waits).where(waits.c.run == run)).all()
    return [{"reason": row.reason, "until": format_time(row.until), **_words(connection, row)} for row in found]


def _words(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    if row.reason != REPLY:
        return {"text": _WORDS.get(row.reason, f"waits ({row.reason})")}
    of_run = (questions.c.run == row.run, questions.c.closed_at.is_(None))
    question = connection.execute(select(questions).where(*of_run).limit(1)).one_or_none()
    sent = None if question is None else _last_send(connection, question)
    if question is None or sent is None:
        return {"text": _WORDS[REPLY].format(person="a") if question is None or question.sent else _QUEUED}
    person = json.loads(sent.inputs).get("to") if sent.inputs else None
    return {
        "step": sent.step_id.rpartition(OF_QUESTION)[0],
        "text": _WORDS[REPLY].format(person=f"{person}'s" if person else "a"),
    }


def _last_send(connection: Connection, question: Row[Any]) -> Any:
    """The journal entry of the last time that the question was sent, by the run or one whose place it has taken."""
    of_sends = journal.c.ordinal.between(question.ordinal - MOST_SENDS, question.ordinal - 1)
    of_runs = journal.c.run.in_(lineage(question.run))
    chosen = select(journal.c.step_id, journal.c.inputs).where(of_runs, of_sends, journal.c.is_failure.is_(False))
    return connection.execute(chosen.order_by(journal.c.ordinal.desc()).limit(1)).one_or_none()
