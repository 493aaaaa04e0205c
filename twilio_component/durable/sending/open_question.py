"""The condition that a question is sent, and sent again, only while it is open and its time is not over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, exists, or_, select

from twilio_component.durable.sending.claim_condition import ClaimCondition
from twilio_component.durable.sending.conditions import NOTHING_AGAINST_IT, Proceed, Refuse
from twilio_component.durable.store.question_states import OPEN
from twilio_component.durable.store.schema import questions
from twilio_component.flows.interpreter.effects import Failure

if TYPE_CHECKING:
    from twilio_component.durable.sending.conditions import Verdict
    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.sending.intents import CallIdentity
    from twilio_component.durable.store.database import Database

_OVER = Failure(code="question-over", message="the question has ended before this message was sent", permanent=True)


class OfOpenQuestions:
    """Refuses the sends of questions that have been answered, or have ended otherwise, while the sends waited."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def judge(self, call: CallIdentity, guarded: GuardedCall) -> Verdict:  # noqa: ARG002 - others need the call
        """Refuse a send of a question that has ended."""
        if guarded.question is None:
            return NOTHING_AGAINST_IT
        still_open = _StillOpen(guarded.question)

        def work(connection: Connection) -> bool:
            now = self._database.now(connection)
            return still_open.holds(connection, now)

        is_open = await self._database.run_until_available(work)
        return Proceed(claim_conditions=(still_open,)) if is_open else Refuse(_OVER)


class _StillOpen(ClaimCondition):
    """The claim condition: nothing has ended the question with this key."""

    is_about_calls = False

    def __init__(self, key: str) -> None:
        self._key = key

    def holds(self, connection: Connection, now: float) -> bool:
        in_time = or_(questions.c.until.is_(None), questions.c.until > now)
        is_open = exists().where(questions.c.key == self._key, questions.c.state == OPEN, in_time)
        return bool(connection.execute(select(is_open)).scalar_one())
