"""Questions to people as they are stored, and what happens to them.

Whatever concerns one conversation first locks it, so that its events have an order in all processes: a question is
opened, a reply is taken, a deadline passes, a message turns out to be undeliverable.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, exists, select, update

from twilio_component.durable.asking.candidates import asked_in, conversations_with_questions, holder, keeping_late
from twilio_component.durable.asking.continued_questions import continue_as, is_continued
from twilio_component.durable.ids import call_key
from twilio_component.durable.store import waits
from twilio_component.durable.store.conversations import lock_conversation
from twilio_component.durable.store.events import claim_reply
from twilio_component.durable.store.new_runs import TakenReply
from twilio_component.durable.store.question_states import CLOSED, OPEN, QUEUED, REFUSED
from twilio_component.durable.store.replies import digest_of, reply_id, run_of_reply
from twilio_component.durable.store.schema import intents, questions, replies, turns
from twilio_component.durable.store.upsert import insert_once, to_json
from twilio_component.host.questions import (
    ANSWERED,
    MOST_SENDS,
    NOT_UNDERSTOOD,
    OPTED_OUT,
    TIMED_OUT,
    EffectReport,
    Question,
    QuestionEnd,
    Reply,
)

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database
    from twilio_component.durable.store.waits import Enqueue

_RECHECK_SECONDS = 3600.0
_LOGGER = logging.getLogger("twilio_component.durable")

Judge = Callable[[str, Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any] | None]
"""``(operation, expects, reply data)`` to ``{"answer": …}``, or None for a reply that does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as it is stored: how often it has been sent, and how often it is to be sent by now.

    ``until`` is its deadline, in seconds since 1970, once it has been sent; ``end`` is how it ended, once it is closed.
    """

    state: str
    sent: int = 0
    wanted: int = 1
    until: float | None = None
    end: QuestionEnd | None = None

    @property
    def is_due(self) -> bool:
        """Whether the question is to be sent now."""
        return self.state == OPEN and self.sent < self.wanted


class QuestionStore:
    """Reads and writes questions. Methods that take a connection are part of the caller's transaction.

    ``judge`` decides whether a reply fits; ``enqueue`` has the run that asked executed.
    """

    def __init__(self, database: Database, judge: Judge, enqueue: Enqueue) -> None:
        self._database = database
        self._judge = judge
        self._enqueue = enqueue

    # What the run that asks does; these methods retry until the database is available.

    async def enter(self, run: str, ordinal: int, operation: str, question: Question) -> Asked:
        """The question that this call asks, stored now unless it was before, and opened if its conversation is free.

        One whose time is over ends, also when another send of it has been waiting.
        """
        key, conversation = call_key(run, ordinal), digest_of(question.conversation)

        def work(connection: Connection) -> Asked:
            lock_conversation(connection, conversation)
            waits.unpark(connection, run)
            now = self._database.now(connection)
            found = _row(connection, key)
            new = _new_row(run, ordinal, operation, question, now)
            if found is not None and found.state != CLOSED and is_continued(connection, found):
                found = continue_as(connection, found, new)
            if found is None:
                if question.refuses_if_busy and holder(connection, conversation) is not None:
                    return Asked(state=REFUSED)
                insert_once(connection, questions, new)
            self._try_to_open(connection, key, conversation)
            if found is not None and found.state == OPEN and found.until is not None and found.until <= now:
                self.close(connection, key, TIMED_OUT)
            return _question(connection, key)

        return await self._database.run_until_available(work)

    async def has_entered(self, run: str, ordinal: int) -> bool:
        """Whether the question of this call is stored."""
        key = call_key(run, ordinal)
        return await self._database.run_until_available(lambda connection: _row(connection, key) is not None)

    async def has_begun(self, run: str, ordinal: int, number: int) -> bool:
        """Whether the ``number``-th send of a question has been planned, and perhaps made, by whatever process."""
        key = call_key(run, ordinal - MOST_SENDS + number)
        begun = select(exists().where(intents.c.key == key))
        return bool(await self._database.run_until_available(lambda it: it.execute(begun).scalar_one()))

    async def note_sent(self, run: str, ordinal: int, number: int, effect: str | None) -> Asked:
        """Store that the question has been sent for the ``number``-th time, counted from 0; its time runs from then."""
        key = call_key(run, ordinal)

        def work(connection: Connection) -> Asked:
            found = _row(connection, key)
            assert found is not None  # noqa: S101 - it is the caller's
            if found.sent == number:
                effects = [*json.loads(found.effects), *([effect] if effect else [])]
                until = self._database.now(connection) + found.seconds if found.until is None else found.until
                changes = {"sent": number + 1, "effects": to_json(effects), "until": until}
                connection.execute(update(questions).where(questions.c.key == key).values(changes))
            return _question(connection, key)

        return await self._database.run_until_available(work)

    async def end(self, run: str, ordinal: int, outcome: str, code: str) -> Asked:
        """Close the question as the provider has refused to send it."""
        key = call_key(run, ordinal)

        def work(connection: Connection) -> Asked:
            self.close(connection, key, outcome, code=code)
            return _question(connection, key)

        return await self._database.run_until_available(work)

    async def park(self, run: str, ordinal: int) -> Asked | None:
        """Let the run wait as a row, and return None; or, if there is something to do by now, the question."""
        key = call_key(run, ordinal)

        def work(connection: Connection) -> Asked | None:
            found = _row(connection, key)
            assert found is not None  # noqa: S101 - it is the caller's
            lock_conversation(connection, found.conversation)
            self._try_to_open(connection, key, found.conversation)
            asked, found = _question(connection, key), _row(connection, key)
            if asked.is_due or asked.end is not None or found is None:
                return asked
            until = found.until
            if asked.state == QUEUED:
                before = holder(connection, found.conversation)
                recheck = self._database.now(connection) + _RECHECK_SECONDS
                until = min(recheck, before.until or recheck) if before is not None else recheck
            waits.park(connection, run, waits.REPLY, until=until)
            return None

        return await self._database.run_until_available(work)

    # What happens meanwhile

    def take_all(self, connection: Connection, now: float, replies: Mapping[str, Reply]) -> dict[str, TakenReply]:
        """Take those messages as replies that somebody waits for, one after the other; see ``take``.

        Nearly always nobody has asked anything of all these people, which one statement tells.
        """
        conversations = {digest_of(one) for reply in replies.values() for one in reply.conversations}
        asked = conversations_with_questions(connection, conversations)
        taken: dict[str, TakenReply] = {}
        for name, reply in replies.items():
            is_asked = any(digest_of(one) in asked for one in reply.conversations)
            found = self.take(connection, now, reply) if is_asked else None
            if found is not None:
                taken[name] = found
        return taken

    def take(self, connection: Connection, now: float, reply: Reply) -> TakenReply | None:
        """Take a message as the reply to a question; None when nobody waits for it.

        A message that was taken before stays with its question, and one that has started a flow stays with the flow.
        """
        taken = run_of_reply(connection, reply)
        if taken is not None:
            return TakenReply(taken, is_new=False)
        conversations = sorted(digest_of(one) for one in reply.conversations)
        if self._wanting(connection, conversations, reply, now) is None:
            return None
        for conversation in conversations:
            lock_conversation(connection, conversation)
        taken = run_of_reply(connection, reply)
        if taken is not None:
            return TakenReply(taken, is_new=False)
        found = self._wanting(connection, conversations, reply, now)
        if found is None or not claim_reply(connection, reply_id(reply), found.run):
            return None
        if found.state == OPEN:
            self._judge_reply(connection, found, reply, now)
        else:
            _store_reply(connection, found, reply, now, is_late=True)
        return TakenReply(found.run, is_new=True)

    async def taken_by(self, reply: Reply) -> str | None:
        """The run whose question took this message, if one did; raises ``StoreUnavailableError``."""
        return await self._database.run(lambda connection: run_of_reply(connection, reply))

    def expire(self, connection: Connection, run: str, now: float) -> None:
        """Close the question that the run waits with, if its time is over, and wake the run."""
        over = (questions.c.run == run, questions.c.state == OPEN, questions.c.until <= now)
        for found in connection.execute(select(questions).where(*over)).all():
            self.close(connection, found.key, TIMED_OUT)
        waits.wake(connection, run, self._enqueue)

    def hear(self, connection: Connection, report: EffectReport) -> None:
        """Wake what waits for this report, and close the question whose message will never be seen."""
        if report.is_final:
            waits.wake_by_effect(connection, report.effect, self._enqueue)
            call = select(intents.c.key).where(intents.c.resource_id == report.effect).scalar_subquery()
            delivered = {"delivered_at": self._database.now(connection)}
            noting = update(turns).where(turns.c.key == call).values(delivered).returning(turns.c.conversation)
            conversation = connection.execute(noting).scalar_one_or_none()
            if conversation is not None:
                waits.wake_next_in_order(connection, conversation, self._enqueue)
        if not report.outcome:
            return
        # An iteration asks nobody, and counts its calls for itself.
        of_run = (intents.c.resource_id == report.effect, intents.c.item.is_(None))
        sent = connection.execute(select(intents.c.run, intents.c.key).where(*of_run))
        for run, key in sent.all():
            number = int(key.rpartition(":")[2])
            of_send = questions.c.ordinal.between(number + 1, number + MOST_SENDS)
            found = select(questions.c.key).where(questions.c.run == run, of_send, questions.c.state == OPEN)
            for question in connection.execute(found).scalars().all():
                self.close(connection, question, report.outcome, code=report.code)

    def close(
        self,
        connection: Connection,
        key: str,
        outcome: str,
        *,
        answer: Any = None,
        reply: Mapping[str, Any] | None = None,
        code: str = "",
    ) -> bool:
        """Close a question that is not closed yet, wake its run, and open the next question of the conversation.

        False when it was closed before.
        """
        found = _row(connection, key)
        if found is None:
            return True
        lock_conversation(connection, found.conversation)
        found = _row(connection, key)  # as it is now: another question may have taken its place meanwhile
        if found is None:
            return True
        changes = {
            "state": CLOSED,
            "closed_at": self._database.now(connection),
            "outcome": outcome,
            "answer": to_json(answer),
            "reply": to_json(reply) if reply is not None else None,
            "code": code or None,
        }
        closing = update(questions).where(questions.c.key == key, questions.c.state.in_((OPEN, QUEUED)))
        if not connection.execute(closing.values(changes)).rowcount:
            return False
        waits.wake(connection, found.run, self._enqueue)
        if found.state == OPEN:
            self._open_next(connection, found.conversation)
        return True

    # Within the lock of the conversation

    def _wanting(
        self, connection: Connection, conversations: Sequence[str], reply: Reply, now: float
    ) -> Row[Any] | None:
        """The question that takes the message: the open one, or one that keeps late replies.

        Somebody who asks for help, and has been given it, has not replied, unless that is one of the answers.
        """
        found = asked_in(connection, conversations)
        if reply.asks_help and (found is None or self._answer(found, reply) is None):
            return None
        return found or keeping_late(connection, conversations, now)

    def _judge_reply(self, connection: Connection, found: Row[Any], reply: Reply, now: float) -> None:
        fits = None if reply.opts_out else self._answer(found, reply)
        _store_reply(connection, found, reply, now, fits=fits is not None)
        if reply.opts_out:
            self.close(connection, found.key, OPTED_OUT, reply=reply.data)
        elif fits is not None:
            self.close(connection, found.key, ANSWERED, answer=fits.get("answer"), reply=reply.data)
        else:
            misfits = found.misfits + 1
            connection.execute(update(questions).where(questions.c.key == found.key).values(misfits=misfits))
            if misfits >= found.most_sends:
                self.close(connection, found.key, NOT_UNDERSTOOD, reply=reply.data)
            else:
                waits.wake(connection, found.run, self._enqueue)

    def _answer(self, found: Row[Any], reply: Reply) -> Mapping[str, Any] | None:
        try:
            return self._judge(found.operation, json.loads(found.expects), reply.data)
        except Exception:
            # A bug in a component must not refuse the message: nobody would ever see it.
            _LOGGER.exception("%s could not judge a reply; it counts as one that does not fit", found.operation)
            return None

    def _try_to_open(self, connection: Connection, key: str, conversation: str) -> None:
        """Open a question that is queued, unless a question of a living run is open in its conversation."""
        found = _row(connection, key)
        if found is None or found.state != QUEUED or holder(connection, conversation) is not None:
            return
        # What is open now is of a run that has been cancelled or has ended; one that is resumed queues again.
        abandoned = (questions.c.conversation == conversation, questions.c.state == OPEN)
        connection.execute(update(questions).where(*abandoned).values(state=QUEUED))
        connection.execute(update(questions).where(questions.c.key == key).values(state=OPEN))

    def _open_next(self, connection: Connection, conversation: str) -> None:
        following = waits.next_to_ask(connection, conversation)
        if following is not None:
            connection.execute(update(questions).where(questions.c.key == following.key).values(state=OPEN))
            waits.wake(connection, following.run, self._enqueue)


def _row(connection: Connection, key: str) -> Row[Any] | None:
    return connection.execute(select(questions).where(questions.c.key == key)).one_or_none()


def _store_reply(
    connection: Connection, found: Row[Any], reply: Reply, now: float, *, fits: bool = False, is_late: bool = False
) -> None:
    row = {
        "id": reply_id(reply),
        "question": found.key,
        "run": found.run,
        "received_at": now,
        "fits": fits,
        "is_late": is_late,
        "data": to_json(reply.data),
    }
    insert_once(connection, replies, row)


def _new_row(run: str, ordinal: int, operation: str, question: Question, now: float) -> dict[str, Any]:
    return {
        "key": call_key(run, ordinal),
        "run": run,
        "ordinal": ordinal,
        "conversation": digest_of(question.conversation),
        "state": QUEUED,
        "operation": operation,
        "expects": to_json(question.expects),
        "most_sends": len(question.sends),
        "sent": 0,
        "misfits": 0,
        "seconds": question.seconds,
        "keeps_late": question.keeps_late,
        "created_at": now,
        "effects": "[]",
    }


def _question(connection: Connection, key: str) -> Asked:
    found = _row(connection, key)
    assert found is not None  # noqa: S101 - it has just been stored
    end = None
    if found.state == CLOSED:
        end = QuestionEnd(
            outcome=found.outcome,
            answer=json.loads(found.answer) if found.answer else None,
            reply=json.loads(found.reply) if found.reply else None,
            effects=json.loads(found.effects),
            misfits=found.misfits,
            code=found.code or "",
        )
    wanted = min(found.misfits + 1, found.most_sends)
    return Asked(state=found.state, sent=found.sent, wanted=wanted, until=found.until, end=end)
