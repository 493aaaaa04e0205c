"""What people wrote after the deadline of a question that keeps it, for whoever looks at the run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from twilio_component.durable.operator.times import format_time
from twilio_component.durable.store.schema import journal, questions, replies

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LATE = (
    select(replies.c.received_at, replies.c.data, journal.c.step_id)
    .join(questions, questions.c.key == replies.c.question)
    .outerjoin(journal, (journal.c.run == questions.c.run) & (journal.c.ordinal == questions.c.ordinal))
    .where(replies.c.is_late)
    .order_by(replies.c.received_at)
)


def late_replies_of(connection: Connection, run: str) -> list[dict[str, Any]]:
    """``{"step", "received", "reply"}`` of each; the reply is what a flow would see of it, None once it is erased."""
    found = connection.execute(_LATE.where(replies.c.run == run)).all()
    return [
        {
            "step": row.step_id,
            "received": format_time(row.received_at),
            "reply": json.loads(row.data) if row.data else None,
        }
        for row in found
    ]
