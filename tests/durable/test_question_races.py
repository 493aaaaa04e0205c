"""Questions that end in the very moment in which their run decides something."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from support.blocked import until_blocked

from twilio_component.durable.asking.asker import Asker
from twilio_component.durable.asking.questions import QuestionStore
from twilio_component.durable.errors import CallHeld, StateConflictError
from twilio_component.durable.ids import call_key
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.events import RunEvent
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.new_runs import NewRun, insert_runs
from twilio_component.durable.store.replies import reply_id
from twilio_component.durable.store.runs import RunStore
from twilio_component.flows.interpreter.effects import Call, Failure
from twilio_component.host.questions import ANSWERED, MOST_SENDS, Question, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Row

    from twilio_component.host.model import Asking

ORDINAL = MOST_SENDS + 3
KEY = call_key("run", ORDINAL)
QUESTION = Question(sends=[{}], conversation="us and them", expects={}, seconds=60)


REPLY = Reply(id="SM1", conversations=["us and them"], data={"body": "yes"})


class Asked:
    """A run that asks somebody, as one of its calls."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.database.create()
        self.questions = QuestionStore(self.database, lambda *_: {"answer": True}, lambda *_: None)
        self.runs = RunStore(self.database, take_replies=self.questions.take_all)

    async def begin(self) -> None:
        digest = await self.runs.define("flow.yaml", "text")
        await self.runs.accept(NewRun(id="run", definition=digest, integration="I", flow="F", payload={}))
        await self.questions.enter("run", ORDINAL, "twilio.sendAndWait", QUESTION)

    async def message(self) -> NewRun:
        """The run that the message would start."""
        digest = await self.runs.define("flow.yaml", "text")
        event = RunEvent(id="event", known_by=("event",), marks=(reply_id(REPLY),))
        return NewRun(id="web", definition=digest, integration="I", flow="G", payload={}, event=event, reply=REPLY)

    async def answer(self) -> None:
        def close(connection: Connection) -> bool:
            return self.questions.close(connection, KEY, ANSWERED, answer="yes", reply={"body": "yes"})

        assert await self.database.run(close)


async def test_a_run_whose_question_ends_while_its_send_is_held_does_not_wait_for_the_morning(url: str) -> None:
    asked = Asked(url)
    await asked.begin()
    held = CallHeld("quiet-hours", time.time() + 3600)
    assert await asked.runs.waits.hold("run", held, KEY)
    await asked.answer()
    assert not await asked.runs.waits.hold("run", held, KEY)
    assert await asked.runs.waits.hold("run", held)
    asked.database.close()


async def test_an_answer_that_comes_while_a_send_fails_is_the_result(url: str) -> None:
    asked = Asked(url)
    await asked.begin()

    async def fail(*_: Any) -> JournalEntry:
        return JournalEntry(step_id="ask", value={"failure": asdict(Failure(code="x", message="y"))})

    async def ask() -> Any:
        call = Call(id="ask", name="Ask", component="twilio", action="sendAndWait", inputs={})
        asks = cast("Asking", SimpleNamespace(action="sendSMS", outcome=lambda _reason: ""))
        return await Asker(asked.questions).ask(("run", ORDINAL), call, asks, QUESTION, fail)

    failed = await ask()
    assert isinstance(failed.value, Failure)
    await asked.answer()
    with pytest.raises(StateConflictError):
        await asked.database.run(failed.in_transaction)
    assert (await ask()).value["data"]["answer"] == "yes"
    asked.database.close()


async def test_a_message_that_is_starting_a_flow_does_not_answer_the_question_that_opens_meanwhile(
    new_database: Callable[[], str],
) -> None:
    asked, other = Asked(url := new_database()), Asked(url)
    message = await asked.message()
    with other.database.engine.begin() as connection:
        (starts,) = insert_runs(connection, time.time(), [message], other.questions.take_all)
        assert starts
        await asked.begin()
        await asked.questions.note_sent("run", ORDINAL, 0, None)
        again = asyncio.create_task(asked.runs.accept(message, wait_for_database=True))
        await until_blocked(again, connection)
    assert not await again
    assert await asked.questions.taken_by(REPLY) is None
    assert await asked.runs.run_of(message) == "web"
    asked.database.close()
    other.database.close()


class SlowQuestions(QuestionStore):
    """Looks for who waits for a message only once ``meanwhile`` is over."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def _wanting(
        self, connection: Connection, conversations: Sequence[str], reply: Reply, now: float
    ) -> Row[Any] | None:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return super()._wanting(connection, conversations, reply, now)


async def test_a_message_that_is_taken_as_the_answer_while_it_is_told_of_again_starts_no_flow(
    database: Database,
) -> None:
    asked = Asked(database.url)
    await asked.begin()
    await asked.questions.note_sent("run", ORDINAL, 0, None)
    message = await asked.message()
    slow = SlowQuestions(asked.database, lambda *_: {"answer": True}, lambda *_: None)

    def start(connection: Connection) -> list[bool]:
        # What another process does meanwhile; on a server it need not be part of this transaction.
        slow.meanwhile = partial(insert_runs, connection, time.time(), [message], asked.questions.take_all)
        return insert_runs(connection, time.time(), [message], slow.take_all)

    assert await asked.database.run(start) == [False]
    assert await asked.questions.taken_by(REPLY) == "run"
    assert await asked.runs.run_of(message) == "run"
    asked.database.close()
