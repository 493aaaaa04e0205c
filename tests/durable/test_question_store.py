"""The store of questions: which question a report or an event closes, and which one is opened then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update

from twilio_component.durable.asking import questions as asking
from twilio_component.durable.asking.questions import QuestionStore
from twilio_component.durable.sending.intents import SETTLED
from twilio_component.durable.store.conversations import lock_conversation
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.events import RunEvent
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.replies import reply_id, taken_id
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import intents, questions, runs
from twilio_component.host.questions import EffectReport, Question, Reply

if TYPE_CHECKING:
    import pytest

QUESTION = Question(conversation="+15017122661 +15558675310", sends=({},), seconds=60.0, expects={})
OF_QUESTION = 5


async def ask(database: Database, *names: str) -> QuestionStore:
    """The store of a database in which these runs are running; the first one has asked."""
    store, found = RunStore(database), QuestionStore(database, lambda *_: None, lambda *_: None)
    digest = await store.define("file", "text")
    for run in names:
        await store.accept(NewRun(id=run, definition=digest, integration="Test", flow="Main", payload={}))
    await found.enter(names[0], OF_QUESTION, "twilio.sendAndWait", QUESTION)
    return found


def states(connection: Connection) -> dict[str, str]:
    return {row.run: row.state for row in connection.execute(select(questions.c.run, questions.c.state))}


async def test_a_message_of_a_list_that_is_undeliverable_closes_no_question_of_its_run(database: Database) -> None:
    store = await ask(database, "run")

    def call(key: str, resource: str, item: str | None) -> dict[str, Any]:
        call = {"key": key, "run": "run", "item": item, "resource_id": resource, "step_id": "send", "limit_keys": "[]"}
        return {**call, "fingerprint": "", "state": SETTLED, "attempt": 1, "created_at": 1.0}

    made = [call("run.1-0:4", "SM-of-an-item", "run.1-0"), call("run:4", "SM-of-the-question", None)]
    await database.run(lambda connection: connection.execute(insert(intents), made))

    async def hear(effect: str) -> dict[str, str]:
        report = EffectReport(effect=effect, is_final=True, outcome="undeliverable", code="30003")
        await database.run(lambda connection: store.hear(connection, report))
        return await database.run(states)

    assert await hear("SM-of-an-item") == {"run": "open"}
    assert await hear("SM-of-the-question") == {"run": "closed"}


async def test_a_message_that_was_a_reply_starts_nothing_when_it_is_repeated_after_a_purge(database: Database) -> None:
    questions_of = await ask(database, "asking")
    store = RunStore(database, take_replies=questions_of.take_all)
    await questions_of.note_sent("asking", OF_QUESTION, 0, "SM-of-the-question")
    reply = Reply(id="SM-of-the-reply", conversations=[QUESTION.conversation], data={})
    event = RunEvent(id="event", known_by=("event",), also_seen_as=(taken_id(reply_id(reply)),))
    digest = await store.define("file", "text")
    new = NewRun(id="new", definition=digest, integration="I", flow="F", payload={}, event=event, reply=reply)
    assert [await store.accept(new), await store.run_of(new)] == [False, "asking"]
    await store.forget(["asking"])
    assert [await store.accept(new), await store.run_of(new)] == [False, "asking"]


async def test_a_question_that_is_closed_as_another_one_is_opened_opens_no_third_one(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, loop = Database(new_database()), asyncio.get_running_loop()
    database.create()
    store = await ask(database, "first", "second", "third")
    cancelled = update(runs).where(runs.c.id == "first").values(state="cancelled")
    await database.run(lambda connection: connection.execute(cancelled))

    async def others_ask() -> None:
        for run in ("second", "third"):
            await store.enter(run, OF_QUESTION, "twilio.sendAndWait", QUESTION)

    def lock_after_others_have_asked(connection: Connection, conversation: str) -> None:
        monkeypatch.setattr(asking, "lock_conversation", lock_conversation)
        asyncio.run_coroutine_threadsafe(others_ask(), loop).result(60)
        lock_conversation(connection, conversation)

    monkeypatch.setattr(asking, "lock_conversation", lock_after_others_have_asked)
    await database.run(lambda connection: store.close(connection, f"first:{OF_QUESTION}", "undeliverable"))
    assert await database.run(states) == {"first": "closed", "second": "open", "third": "queued"}
    database.close()


async def test_a_question_is_asked_as_soon_as_the_run_that_held_it_up_is_cancelled_or_has_failed(
    new_database: Callable[[], str],
) -> None:
    database, woken = Database(new_database()), list[str]()
    database.create()

    def enqueue(_connection: Connection, run: str, _workflow: str) -> None:
        woken.append(run)

    store = await ask(database, "first", "second", "third")
    for run in ("second", "third"):
        await store.enter(run, OF_QUESTION, "twilio.sendAndWait", QUESTION)
        assert await store.park(run, OF_QUESTION) is None
    runs_store = RunStore(database, wake=enqueue)
    cancelled = update(runs).where(runs.c.id == "first").values(state="cancelled")
    await database.run(lambda connection: connection.execute(cancelled))
    await runs_store.waits.wake_behind("first", enqueue)
    assert woken == ["second"]
    asked = await store.enter("second", OF_QUESTION, "twilio.sendAndWait", QUESTION)
    assert asked.is_due
    failed: dict[str, Any] = {
        "error": {"code": "definition-changed"},
        "response": None,
        "keep_payloads": True,
        "changes": {},
    }
    await runs_store.finish("second", "failed", **failed)
    assert woken == ["second", "third"]
    database.close()
