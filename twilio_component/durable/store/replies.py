"""Messages that were taken as replies to questions, and started no flow."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import select

from twilio_component.durable.store.schema import replies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.host.questions import Reply


def digest_of(text: str) -> str:
    """The form in which conversations and messages are known: it does not show anybody's number."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def reply_id(reply: Reply) -> str:
    """The id under which a message is known: as an event that has started a flow, or as a reply."""
    return digest_of(f"reply {reply.id}")


def taken_id(reply: str) -> str:
    """The id of a message that was a reply, by its ``reply_id``: it is known by it once its question is purged."""
    return digest_of(f"taken {reply}")


def conversation_of(reply: Reply) -> str | None:
    """The digest of the first conversation that the message belongs to."""
    return digest_of(reply.conversations[0]) if reply.conversations else None


def run_of_reply(connection: Connection, reply: Reply) -> str | None:
    """The run whose question has taken the message, if one has."""
    taken = select(replies.c.run).where(replies.c.id == reply_id(reply))
    found: str | None = connection.execute(taken).scalar_one_or_none()
    return found
