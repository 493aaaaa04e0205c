"""Questions that a retry continues with: an earlier attempt at the run has sent some of their texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, select, update

from twilio_component.durable.ids import call_key
from twilio_component.durable.store.schema import intents, questions
from twilio_component.host.questions import MOST_SENDS

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

_MAY_CHANGE = ("operation", "expects", "most_sends", "keeps_late")


def is_continued(connection: Connection, question: Row[Any]) -> bool:
    """Whether an earlier attempt at the run has sent the question, and this one has sent nothing of it so far."""
    places = range(question.ordinal - MOST_SENDS, question.ordinal)
    own = exists().where(intents.c.key.in_([call_key(question.run, place) for place in places]))
    return question.sent > 0 and not connection.execute(select(own)).scalar_one()


def continue_as(connection: Connection, question: Row[Any], new: Mapping[str, Any]) -> Row[Any] | None:
    """Let the question be what the step asks now, and return it: its later texts and its answers may have changed.

    It is deleted, and None returned, when the step asks somebody else by now, who has received nothing.
    """
    of_question = questions.c.key == question.key
    if question.conversation != new["conversation"]:
        connection.execute(delete(questions).where(of_question))
        return None
    connection.execute(update(questions).where(of_question).values({name: new[name] for name in _MAY_CHANGE}))
    return connection.execute(select(questions).where(of_question)).one()
