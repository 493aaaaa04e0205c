"""A step that asks a person: it sends the question and waits, as a row, for what ends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twilio_component.durable.errors import RunParked, StateConflictError
from twilio_component.durable.ids import call_key
from twilio_component.durable.store.question_states import FAILED, QUEUED, REFUSED
from twilio_component.flows.interpreter.effects import Failure

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.asking.questions import Asked, QuestionStore
    from twilio_component.durable.store.journal import JournalEntry
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.host.model import Asking
    from twilio_component.host.questions import Question, QuestionEnd

Send = Callable[["Call", int, "float | None"], Awaitable["JournalEntry"]]
"""Makes the send with this number, counted from 0, at most once, and returns its journaled result.

One that is held is looked at again at the time that is the last argument, the question's deadline, at the latest.
"""
_SendText = Callable[[int, "float | None"], Awaitable["JournalEntry"]]
_BUSY = Failure(
    code="conversation-busy",
    message="another question to this person is open; ifBusy: wait would ask this one after it",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionResult:
    """The result of the step. ``in_transaction`` belongs into the transaction that records it.

    It raises ``StateConflictError`` when the question has ended otherwise meanwhile: then it is asked again.
    """

    value: Mapping[str, Any] | Failure
    in_transaction: Callable[[Connection], None] | None = None


class Asker:
    """Asks the questions of runs."""

    def __init__(self, questions: QuestionStore) -> None:
        self._questions = questions

    async def has_entered(self, run: str, ordinal: int) -> bool:
        """Whether the run has begun to ask this question, or the run whose place it has taken has."""
        return await self._questions.has_entered(run, ordinal)

    async def ask(
        self,
        caller: tuple[str, int],
        call: Call,
        asks: Asking,
        question: Question,
        send: Send,
        *,
        late: Failure | None = None,
    ) -> QuestionResult:
        """The result of the question that a run asks as its call with this number (``caller``: both).

        ``send`` makes one of its sends; a question that still waits for its turn fails as ``late`` if that is given.
        Raises ``RunParked`` when the run waits: whatever ends the question, or asks for another send, has the run
        executed again.
        """
        run, ordinal = caller
        operation = f"{call.component}.{call.action}"

        async def send_text(number: int, until: float | None) -> JournalEntry:
            return await send(_sending(call, asks, question, number), number, until)

        asked = await self._questions.enter(run, ordinal, operation, question)
        if asked.state == REFUSED:
            return QuestionResult(value=_BUSY)
        while asked.end is None:
            if late is not None and asked.state == QUEUED and not asked.sent:
                asked, failure = await self._settle_left(caller, question, asked, send_text)
                if not asked.sent:
                    return self._abandon(caller, failure or late)
                continue
            if not asked.is_due:
                changed = await self._questions.park(run, ordinal)
                if changed is None:
                    raise RunParked
                asked = changed
                continue
            entry = await send_text(asked.sent, asked.until)
            if not entry.is_failure:
                effect = sent_resource(entry)
                asked = await self._questions.note_sent(run, ordinal, asked.sent, effect)
                continue
            asked = await self._questions.enter(run, ordinal, operation, question)
            if asked.end is not None:
                return _result(asked.end)  # it ended while the send waited
            return await self._end_unsent(caller, asks, asked, Failure(**entry.value["failure"]))
        asked, _ = await self._settle_left(caller, question, asked, send_text)
        assert asked.end is not None  # noqa: S101 - the loop has ended
        return _result(asked.end)

    async def _settle_left(
        self, caller: tuple[str, int], question: Question, asked: Asked, send_text: _SendText
    ) -> tuple[Asked, Failure | None]:
        """Settle the next send of a question that sends nothing more, if one was begun and left by a process that died.

        One that waits is refused now: it would hold up the conversation's order. One that may have been made is looked
        for, like any other, and not made again, since the question is not open. The question as it is then, and the
        failure of a send of which nobody can tell.
        """
        run, ordinal = caller
        if asked.sent >= len(question.sends) or not await self._questions.has_begun(run, ordinal, asked.sent):
            return asked, None
        entry = await send_text(asked.sent, None)
        if not entry.is_failure:
            return await self._questions.note_sent(run, ordinal, asked.sent, sent_resource(entry)), None
        failure = Failure(**entry.value["failure"])
        return asked, failure if failure.outcome_unknown else None

    async def _end_unsent(
        self, caller: tuple[str, int], asks: Asking, asked: Asked, failure: Failure
    ) -> QuestionResult:
        outcome = asks.outcome(failure.reason) if failure.permanent and not failure.outcome_unknown else ""
        if not outcome:
            # The person has had the first text: a retry of the step would send it again.
            return self._abandon(caller, replace(failure, acted=asked.sent > 0))
        ended = await self._questions.end(*caller, outcome, failure.reason)
        assert ended.end is not None  # noqa: S101 - it has just been closed
        return _result(ended.end)

    def _abandon(self, caller: tuple[str, int], failure: Failure) -> QuestionResult:
        key = call_key(*caller)

        def close(connection: Connection) -> None:
            if not self._questions.close(connection, key, FAILED):
                raise StateConflictError("the question has ended while its send failed")

        return QuestionResult(value=failure, in_transaction=close)


def _sending(call: Call, asks: Asking, question: Question, number: int) -> Call:
    # A question that has been begun in time continues, however long the person takes.
    valid_for = call.valid_for if number == 0 else None
    return replace(call, action=asks.action, inputs=question.sends[number], valid_for=valid_for)


def sent_resource(entry: JournalEntry) -> str | None:
    """The id of what a send of a question has created, in its journal entry."""
    data = entry.value["envelope"].get("data")
    sid = data.get("sid") if isinstance(data, Mapping) else None
    return sid if isinstance(sid, str) else None


def _result(end: QuestionEnd) -> QuestionResult:
    return QuestionResult(value=end.envelope())
