"""Questions that end in the very moment in which their run decides something."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from durable.test_guard import FakeCall, Machine
from sqlalchemy import select, update
from support.blocked import until_blocked

from twilio_component.durable.asking.asker import Asker, QuestionResult
from twilio_component.durable.asking.questions import QuestionStore
from twilio_component.durable.errors import CallHeld, RunParked, StateConflictError
from twilio_component.durable.ids import call_key
from twilio_component.durable.sending.conditions import AllOf
from twilio_component.durable.sending.intents import CallIdentity
from twilio_component.durable.sending.open_question import OfOpenQuestions
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.events import RunEvent
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.new_runs import NewRun, insert_runs
from twilio_component.durable.store.question_states import QUEUED
from twilio_component.durable.store.replies import reply_id
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import intents, questions
from twilio_component.flows.interpreter.effects import Call, Failure
from twilio_component.host.questions import ANSWERED, MOST_SENDS, Question, Reply
from twilio_component.host.results import Candidate

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

    async def begin(self, run: str = "run") -> None:
        digest = await self.runs.define("flow.yaml", "text")
        await self.runs.accept(NewRun(id=run, definition=digest, integration="I", flow="F", payload={}))
        await self.questions.enter(run, ORDINAL, "twilio.sendAndWait", QUESTION)

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


class SendsOfTheDead:
    """A question whose send a process has claimed, long ago, and died; and another process that asks on."""

    def __init__(self, asked: Asked, *, resend: bool, seen: Sequence[Candidate]) -> None:
        self.asked = asked
        settings = Settings(timeout=0.2, lag_bound=0.2, resend=resend)
        conditions = AllOf([OfOpenQuestions(asked.database)])
        self.machine = Machine(asked.database, settings, worker_id="next", conditions=conditions)
        self.fake = FakeCall(["SM-again"], seen=list(seen), question=KEY)
        self.call = CallIdentity(run="run", ordinal=ORDINAL - MOST_SENDS, step_id="ask.question1", fingerprint="q")

    async def claim(self) -> None:
        await self.machine.intents.plan(self.call)
        assert (await self.machine.intents.claim(self.call, 0, "dead")).attempt == 1
        long_ago = update(intents).values(claimed_at=time.time() - 3600)
        await self.asked.database.run(lambda connection: connection.execute(long_ago))

    async def ask(self, *, late: Failure | None = None) -> QuestionResult:
        async def send(_call: Call, number: int, _until: float | None) -> JournalEntry:
            assert number == 0
            await self.machine.guard.perform(self.call, self.fake)
            entry = await self.asked.runs.entry_at("run", self.call.ordinal)
            assert entry is not None
            return entry

        call = Call(id="ask", name="Ask", component="twilio", action="sendAndWait", inputs={})
        asks = cast("Asking", SimpleNamespace(action="sendSMS", outcome=lambda _reason: ""))
        return await Asker(self.asked.questions).ask(("run", ORDINAL), call, asks, QUESTION, send, late=late)

    async def state(self) -> str:
        stored = select(intents.c.state).where(intents.c.key == self.call.key)
        return str(await self.asked.database.run(lambda connection: connection.execute(stored).scalar_one()))


FOUND = Candidate(id="SM-found", equal=True, data={"sid": "SM-found"})


class Left(NamedTuple):
    """What is known of a send that a process has left, and what becomes of it."""

    proven: str | None = None
    seen: Sequence[Candidate] = ()
    resend: bool = False
    state: str = "settled"
    effects: Sequence[str] = ()


LEFT = {
    "a callback names it": Left(proven="SM-proven", effects=["SM-proven"]),
    "the list shows it": Left(seen=[FOUND], effects=["SM-found"]),
    "it does not exist": Left(resend=True),
    "nobody can tell": Left(state="unknown"),
}


@pytest.mark.parametrize("known", LEFT.values(), ids=LEFT)
async def test_the_send_that_a_dead_process_has_left_is_settled_and_never_made_once_its_question_has_ended(
    database: Database, known: Left
) -> None:
    asked = Asked(database.url)
    await asked.begin()
    left = SendsOfTheDead(asked, resend=known.resend, seen=known.seen)
    await left.claim()
    if known.proven is not None:
        await left.machine.intents.confirm(left.call.key, known.proven)
    await asked.answer()
    for _ in range(2):  # the process may die before it has recorded the result, too
        result = (await left.ask()).value
        assert not isinstance(result, Failure)
        assert (result["data"]["answer"], result["data"]["questions"]) == ("yes", [*known.effects])
    assert (await left.state(), left.fake.made) == (known.state, 0)
    asked.database.close()


@pytest.mark.parametrize(("seen", "code"), [([], "outcome-unknown"), ([FOUND], "")])
async def test_a_question_that_is_late_for_its_turn_is_not_given_up_as_unsent_while_its_send_may_have_been_made(
    database: Database, seen: list[Candidate], code: str
) -> None:
    asked = Asked(database.url)
    await asked.begin()
    left = SendsOfTheDead(asked, resend=False, seen=seen)
    await left.claim()
    # The run was cancelled, and is resumed while another question to the person is open.
    queueing = update(questions).where(questions.c.key == KEY).values(state=QUEUED)
    await asked.database.run(lambda connection: connection.execute(queueing))
    await asked.begin("other")
    try:
        result = (await left.ask(late=Failure(code="late", message="it is late"))).value
    except RunParked:  # it has been sent in time: it goes on when the other one is over
        assert not code
    else:
        assert isinstance(result, Failure)
        assert result.code == code
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
