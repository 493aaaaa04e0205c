"""Questions that end in the very moment in which their run decides something."""

from __future__ import annotations

import time
from dataclasses import asdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from twilio_component.durable.asking.asker import Asker
from twilio_component.durable.asking.questions import QuestionStore
from twilio_component.durable.errors import CallHeld, StateConflictError
from twilio_component.durable.ids import call_key
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.runs import RunStore
from twilio_component.flows.interpreter.effects import Call, Failure
from twilio_component.host.questions import ANSWERED, Question

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.host.model import Asking

KEY = call_key("run", 5)
QUESTION = Question(sends=[{}], conversation="us and them", expects={}, seconds=60)


class Asked:
    """A run that asks somebody, as its call 5."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.database.create()
        self.runs = RunStore(self.database)
        self.questions = QuestionStore(self.database, lambda *_: None, lambda *_: None)

    async def begin(self) -> None:
        digest = await self.runs.define("flow.yaml", "text")
        await self.runs.accept(NewRun(id="run", definition=digest, integration="I", flow="F", payload={}))
        await self.questions.enter("run", 5, "twilio.sendAndWait", QUESTION)

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
        return await Asker(asked.questions).ask(("run", 5), call, asks, QUESTION, fail)

    failed = await ask()
    assert isinstance(failed.value, Failure)
    await asked.answer()
    with pytest.raises(StateConflictError):
        await asked.database.run(failed.in_transaction)
    assert (await ask()).value["data"]["answer"] == "yes"
    asked.database.close()
