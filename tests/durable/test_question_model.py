"""The matcher of replies, against a model: people write, questions are asked, time passes, processes come and go.

Each message wakes at most one question, none is lost, and a flow's trigger starts exactly when nobody waited.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection, insert, select, update

from twilio_component.durable.asking.due_waits import DueWaits
from twilio_component.durable.asking.questions import Asked, QuestionStore
from twilio_component.durable.clock import Clock
from twilio_component.durable.ids import call_key
from twilio_component.durable.store import schema
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.events import RunEvent
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.replies import reply_id
from twilio_component.durable.store.runs import RunStore
from twilio_component.host.questions import Question, Reply

ORDINAL, SECONDS, MOST_SENDS = 6, 60.0, 2
_IS_OPEN = schema.questions.c.state == "open"
TEXTS = ("yes", "no", "what?", "STOP")


@dataclass
class AskedInModel:
    """A question as the model knows it; ``sent`` is False until its first message has left."""

    conversation: int
    state: str = "queued"
    sent: bool = False
    until: float = 0.0
    misfits: int = 0
    outcome: str = ""
    replies: list[str] = field(default_factory=list)


class ModelClock(Clock):
    """Time that the test lets pass."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time


def judge(_operation: str, _expects: Mapping[str, Any], data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {"answer": data["body"]} if data["body"] in ("yes", "no") else None


class Process:
    """One process on the database. It has the runs that were woken, and forgets them when it dies."""

    def __init__(self, url: str, clock: Clock, woken: list[str]) -> None:
        self.database = Database(url, clock)
        self.questions = QuestionStore(self.database, judge, lambda _connection, run, _workflow: woken.append(run))
        self.runs = RunStore(self.database, take_reply=self.questions.take)
        self.due = DueWaits(self.database, self.questions, lambda _connection, run, _workflow: woken.append(run))


class Conversations(RuleBasedStateMachine):
    """Three conversations, two processes, and everything that can happen to a question."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(mkdtemp(prefix="questions-"))
        self.url, self.clock = f"sqlite:///{self.folder / 'runs.sqlite'}", ModelClock()
        self.woken: list[str] = []
        self.processes = [Process(self.url, self.clock, self.woken) for _ in range(2)]
        self.processes[0].database.create()
        self.asked: dict[str, AskedInModel] = {}
        self.messages: list[tuple[str, int, str]] = []
        self.started: set[str] = set()
        self.taken: dict[str, str] = {}
        self.do(lambda connection: connection.execute(insert(schema.definitions).values(digest="d", file="", text="")))

    def teardown(self) -> None:
        if hasattr(self, "processes"):
            for process in self.processes:
                process.database.close()
            shutil.rmtree(self.folder)

    def do(self, work: Any, process: int = 0) -> Any:
        return asyncio.run(self.processes[process].database.run(work))

    # Questions

    @rule(conversation=st.integers(0, 2), process=st.integers(0, 1))
    def ask(self, conversation: int, process: int) -> None:
        run = f"ask-{len(self.asked)}"
        self.asked[run] = AskedInModel(conversation)
        self.clock.time += 1
        row = {"id": run, "definition": "d", "integration": "i", "flow": "f", "state": "running", "payload": "{}"}
        self.do(lambda connection: connection.execute(insert(schema.runs).values(**row, created_at=self.clock.time)))
        self.drive(run, process)

    @precondition(lambda self: self.woken)
    @rule(process=st.integers(0, 1))
    def continue_a_run(self, process: int) -> None:
        self.drive(self.woken.pop(0), process)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), process=st.integers(0, 1))
    def execute_a_run_again_after_a_crash(self, data: st.DataObject, process: int) -> None:
        self.drive(data.draw(st.sampled_from(sorted(self.asked))), process)

    def drive(self, run: str, process: int) -> None:
        """Do what the engine does for a run: ask, send what is to be sent, and wait as a row."""
        known, questions = self.asked[run], self.processes[process].questions
        if known.state == "cancelled":
            return  # the engine executes nothing of it
        question = Question(sends=[{}] * MOST_SENDS, conversation=str(known.conversation), expects={}, seconds=SECONDS)
        asked: Asked | None = asyncio.run(questions.enter(run, ORDINAL, "twilio.sendAndWait", question))
        if known.state == "queued" and self.holder(known.conversation) is None:
            known.state = "open"
        while asked is not None and asked.end is None:
            if asked.is_due:
                assert known.state == "open", "only the open question of a conversation is sent"
                if not known.sent:
                    known.sent, known.until = True, self.clock.time + SECONDS
                asked = asyncio.run(questions.note_sent(run, ORDINAL, asked.sent, f"SM-{run}-{asked.sent}"))
            else:
                asked = asyncio.run(questions.park(run, ORDINAL))
        if asked is not None:
            assert asked.end is not None
            assert asked.end.outcome == known.outcome

    # What happens meanwhile

    @rule(conversation=st.integers(0, 2), text=st.sampled_from(TEXTS), process=st.integers(0, 1))
    def write(self, conversation: int, text: str, process: int) -> None:
        sid = f"SM{len(self.messages)}"
        self.messages.append((sid, conversation, text))
        run = self.holder(conversation)
        if run is not None and not self.asked[run].sent:
            run = None  # nobody can reply to what has not been asked
        self.deliver(sid, conversation, text, process)
        if run is None:
            assert sid in self.started, "a message that nobody waits for starts the trigger's flow"
            return
        assert self.taken.get(sid) == run, "a message that somebody waits for continues that run and starts nothing"
        self.answer(self.asked[run], text)

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), process=st.integers(0, 1))
    def report_a_message_again(self, data: st.DataObject, process: int) -> None:
        sid, conversation, text = data.draw(st.sampled_from(self.messages))
        before = (set(self.started), dict(self.taken))
        self.deliver(sid, conversation, text, process, repeated=True)
        assert (self.started, self.taken) == before, "a message counts once"

    def deliver(self, sid: str, conversation: int, text: str, process: int, *, repeated: bool = False) -> None:
        reply = Reply(id=sid, conversations=[str(conversation)], data={"body": text}, opts_out=text == "STOP")
        event = RunEvent(id=sid, known_by=(sid,), marks=(reply_id(reply),))
        new = NewRun(id=f"web-{sid}", definition="d", integration="i", flow="f", payload={}, event=event, reply=reply)
        one = self.processes[process]
        is_new = asyncio.run(one.runs.accept(new))
        taken = asyncio.run(one.questions.taken_by(reply))
        assert not (is_new and taken)
        if is_new:
            assert not repeated
            self.started.add(sid)
        if taken is not None:
            assert self.taken.setdefault(sid, taken) == taken

    def answer(self, question: AskedInModel, text: str) -> None:
        question.replies.append(text)
        if text == "STOP":
            self.close(question, "optedOut")
        elif text in ("yes", "no"):
            self.close(question, "answered")
        else:
            question.misfits += 1
            if question.misfits >= MOST_SENDS:
                self.close(question, "notUnderstood")

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0]), process=st.integers(0, 1))
    def let_time_pass(self, seconds: float, process: int) -> None:
        self.clock.time += seconds
        # The question of a run that is being executed times out once that run waits again. That of a cancelled run is
        # closed as well, so that the next one of the conversation is asked.
        waiting = select(schema.waits.c.run).join(schema.questions, schema.questions.c.run == schema.waits.c.run)
        opened = self.do(lambda connection: connection.execute(waiting.where(_IS_OPEN)).scalars().all())
        for run in sorted(opened):
            if self.asked[run].sent and self.asked[run].until <= self.clock.time:
                self.close(self.asked[run], "timedOut")
        asyncio.run(self.processes[process].due.sweep())

    @precondition(lambda self: self.open_runs())
    @rule(data=st.data())
    def cancel_a_run(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.open_runs()))
        cancelling = update(schema.runs).where(schema.runs.c.id == run).values(state="cancelled")
        self.do(lambda connection: connection.execute(cancelling))
        self.asked[run].state = "cancelled"

    @rule(process=st.integers(0, 1))
    def restart_a_process(self, process: int) -> None:
        self.processes[process].database.close()
        self.processes[process] = Process(self.url, self.clock, self.woken)

    # The model

    def holder(self, conversation: int) -> str | None:
        found = (run for run, one in self.asked.items() if one.conversation == conversation and one.state == "open")
        return next(found, None)

    def open_runs(self) -> list[str]:
        return [run for run, one in self.asked.items() if one.state == "open" and run not in self.woken]

    def close(self, question: AskedInModel, outcome: str) -> None:
        if question.state != "cancelled":
            question.state, question.outcome = "closed", outcome
        waiting = [
            one for one in self.asked.values() if one.conversation == question.conversation and one.state == "queued"
        ]
        if waiting:
            waiting[0].state = "open"

    @invariant()
    def the_database_agrees(self) -> None:
        if not hasattr(self, "asked"):
            return

        def stored(connection: Connection) -> dict[str, Any]:
            rows = connection.execute(select(schema.questions))
            return {row.key: (row.state, row.outcome, row.misfits) for row in rows}

        found = self.do(stored)
        for run, one in self.asked.items():
            if one.state == "cancelled":
                continue
            state, outcome, misfits = found[call_key(run, ORDINAL)]
            assert (state, outcome or "", misfits) == (one.state, one.outcome, one.misfits), run


Conversations.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
TestConversations = pytest.mark.filterwarnings("ignore::ResourceWarning")(Conversations.TestCase)
