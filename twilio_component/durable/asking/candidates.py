"""Which question of a conversation a message may be the reply to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, exists, select

from twilio_component.durable.ids import call_key
from twilio_component.durable.store.acts import MAY_HAVE_HAPPENED
from twilio_component.durable.store.question_states import CLOSED, LATE_SECONDS, OPEN
from twilio_component.durable.store.run_status import PAUSED, RUNNING
from twilio_component.durable.store.schema import intents, questions, replies, runs
from twilio_component.host.questions import MOST_SENDS, TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection, Row


_ASKED = (
    select(questions.c.conversation)
    .where(questions.c.conversation.in_(bindparam("conversations", expanding=True)))
    .distinct()
)


def conversations_with_questions(connection: Connection, conversations: Collection[str]) -> set[str]:
    """Those of the conversations in which anything was asked, whatever has become of it."""
    if not conversations:
        return set()
    return set(connection.execute(_ASKED, {"conversations": sorted(conversations)}).scalars())


def holder(connection: Connection, conversation: str) -> Row[Any] | None:
    """The open question of a conversation, unless its run has been cancelled or has ended."""
    return next(iter(_open_in(connection, [conversation])), None)


def asked_in(connection: Connection, conversations: Sequence[str]) -> Row[Any] | None:
    """The oldest open question of these conversations that the person may have seen.

    Its first send may not be known to have succeeded, since a reply can be faster than Twilio's response; but one that
    is planned cannot be what the person replies to: it has not been begun, for quiet hours perhaps, or was refused
    unprocessed, for too many requests.
    """
    return next((one for one in _open_in(connection, conversations) if one.sent or _is_begun(connection, one)), None)


def _open_in(connection: Connection, conversations: Sequence[str]) -> Sequence[Row[Any]]:
    """The open questions in these conversations whose runs still live, the oldest first; one in each."""
    of_conversations = (questions.c.conversation.in_(conversations), questions.c.state == OPEN)
    living = select(questions).join(runs, runs.c.id == questions.c.run).where(runs.c.state.in_((RUNNING, PAUSED)))
    return connection.execute(living.where(*of_conversations).order_by(questions.c.created_at, questions.c.key)).all()


def _is_begun(connection: Connection, question: Row[Any]) -> bool:
    first = call_key(question.run, question.ordinal - MOST_SENDS)
    begun = exists().where(intents.c.key == first, MAY_HAVE_HAPPENED)
    return bool(connection.execute(select(begun)).scalar_one())


def keeping_late(connection: Connection, conversations: Sequence[str], now: float) -> Row[Any] | None:
    """The latest question of these conversations, if it timed out not long ago and is to keep a late reply.

    It keeps one: what the person writes after that is about something else, and must reach somebody.
    """
    latest = (
        select(questions)
        .where(questions.c.conversation.in_(conversations), questions.c.state == CLOSED)
        .order_by(questions.c.closed_at.desc())
        .limit(1)
    )
    found = connection.execute(latest).one_or_none()
    if found is None or not found.keeps_late or found.outcome != TIMED_OUT or found.closed_at <= now - LATE_SECONDS:
        return None
    has_one = exists().where(replies.c.question == found.key, replies.c.is_late)
    return None if connection.execute(select(has_one)).scalar_one() else found
