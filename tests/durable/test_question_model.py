"""The matcher of replies, against a model: people write, questions are asked, time passes, processes come and go.

Each message wakes at most one question, none is lost, and a flow's trigger starts exactly when nobody waited: on a file
and on Postgres, where two processes are told of a message at the same moment.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import Connection, delete, insert, select, update

from twilio_component.durable.asking.due_waits import DueWaits
from twilio_component.durable.asking.questions import Asked, QuestionStore
from twilio_component.durable.clock import Clock
from twilio_component.durable.ids import call_key
from twilio_component.durable.store import schema, waits
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.events import RunEvent
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.replies import reply_id
from twilio_component.durable.store.runs import RunStore
from twilio_component.host.questions import Question, Reply

ORDINAL, SECONDS, HELD_SECONDS, MOST_SENDS = 6, 60.0, 45.0, 2
_IS_OPEN = schema.questions.c.state == "open"
TEXTS = ("yes", "no", "what?", "STOP", "HELP")
# A message to a number of a messaging service belongs to the number's conversation and to the service's.
NUMBERS, SERVICE = (0, 1, 2), 2
SENT, BEGUN, HELD = "sent", "begun", "held"
"""How far the first send of a question comes: to its response, to its request, or not even there."""


def conversations_of(number: int) -> list[int]:
    return sorted({number, SERVICE})


@dataclass
class AskedInModel:
    """A question as the model knows it; ``sent`` is how far its first message has come."""

    conversation: int
    keeps_late: bool = False
    has_late: bool = False
    state: str = "queued"
    sent: str = HELD
    until: float | None = None
    misfits: int = 0
    outcome: str = ""
    replies: list[str] = field(default_factory=list)


class ModelClock(Clock):
    """Time that the test lets pass."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        self.time += 1e-6  # no two things happen at one time
        return self.time


def judge(_operation: str, _expects: Mapping[str, Any], data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {"answer": data["body"]} if data["body"] in ("yes", "no") else None


class ModelDatabase(Database):
    """A database whose time is the model's, also where it would be the server's."""

    def now(self, _connection: Connection) -> float:
        return self.clock.now()


class Process:
    """One process on the database. It has the runs that were woken, and forgets them when it dies."""

    def __init__(self, url: str, clock: Clock, woken: list[str]) -> None:
        self.database = ModelDatabase(url, clock)
        self.questions = QuestionStore(self.database, judge, lambda _connection, run, _workflow: woken.append(run))
        self.runs = RunStore(self.database, take_replies=self.questions.take_all)
        self.due = DueWaits(self.database, self.questions, lambda _connection, run, _workflow: woken.append(run))


class Conversations(RuleBasedStateMachine):
    """Three conversations, two processes, and everything that can happen to a question."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.clock, self.loop = url, ModelClock(), asyncio.new_event_loop()
        self.woken: list[str] = []
        self.processes: list[Process] = []
        self.asked: dict[str, AskedInModel] = {}
        self.messages: list[tuple[str, int, str]] = []
        self.started: set[str] = set()
        self.taken: dict[str, str] = {}
        self.closed: list[str] = []
        self.paused: set[str] = set()

    @initialize()
    def begin(self) -> None:
        self.processes = [Process(self.url, self.clock, self.woken) for _ in range(2)]

        def empty(connection: Connection) -> None:
            for table in reversed(schema.metadata.sorted_tables):
                connection.execute(delete(table))
            connection.execute(insert(schema.definitions).values(digest="d", file="", text=""))

        self.do(empty)

    def teardown(self) -> None:
        for process in self.processes:
            process.database.close()
        self.loop.close()

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def do(self, work: Any, process: int = 0) -> Any:
        return self.wait(self.processes[process].database.run(work))

    # Questions

    @rule(
        conversation=st.sampled_from(NUMBERS),
        process=st.integers(0, 1),
        comes_to=st.sampled_from([SENT, SENT, BEGUN, HELD]),
        refuses=st.booleans(),
        keeps_late=st.booleans(),
    )
    def ask(self, conversation: int, process: int, comes_to: str, refuses: bool, keeps_late: bool) -> None:  # noqa: FBT001 - drawn
        run = f"ask-{len(self.asked):03d}"
        known = self.asked[run] = AskedInModel(conversation, keeps_late)
        self.clock.time += 1
        row = {"id": run, "definition": "d", "integration": "i", "flow": "f", "state": "running", "payload": "{}"}
        self.do(lambda connection: connection.execute(insert(schema.runs).values(**row, created_at=self.clock.time)))
        if refuses and self.holder([conversation]) is not None:
            known.state = "refused"
        self.drive(run, process, comes_to=comes_to, refuses=refuses)

    @precondition(lambda self: self.woken)
    @rule(process=st.integers(0, 1), comes_to=st.sampled_from([SENT, SENT, HELD]))
    def continue_a_run(self, process: int, comes_to: str) -> None:
        self.drive(self.woken.pop(0), process, comes_to=comes_to)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), process=st.integers(0, 1))
    def execute_a_run_again_after_a_crash(self, data: st.DataObject, process: int) -> None:
        self.drive(data.draw(st.sampled_from(sorted(self.asked))), process)

    def drive(self, run: str, process: int, *, comes_to: str = SENT, refuses: bool = False) -> None:
        """Do what the engine does for a run: ask, send what is to be sent, and wait as a row."""
        known, questions = self.asked[run], self.processes[process].questions
        if (known.state in ("cancelled", "refused") and not refuses) or run in self.paused:
            return  # the engine executes nothing of it
        question = Question(
            sends=[{}] * MOST_SENDS,
            conversation=str(known.conversation),
            expects={},
            seconds=SECONDS,
            refuses_if_busy=refuses,
            keeps_late=known.keeps_late,
        )
        self.expire(run)
        asked: Asked | None = self.wait(questions.enter(run, ORDINAL, "twilio.sendAndWait", question))
        if known.state == "refused":
            assert asked is not None
            assert asked.state == "refused"
            return
        if known.state == "queued" and self.holder([known.conversation]) is None:
            known.state = "open"
        while asked is not None and asked.end is None:
            if asked.is_due:
                assert known.state == "open", "only the open question of a conversation is sent"
                if comes_to == HELD:
                    self.hold(run, asked)
                    return
                self.begin_send(run)
                if comes_to == BEGUN:
                    return
                asked = self.note(run, asked.sent)
                if known.until is None:
                    known.until = self.clock.time + SECONDS
            else:
                asked = self.wait(questions.park(run, ORDINAL))
        if asked is not None:
            assert asked.end is not None
            assert asked.end.outcome == known.outcome
            assert len({*asked.end.effects}) == len(asked.end.effects)

    def note(self, run: str, number: int) -> Asked:
        """Note a send, in both processes: one may be behind, and note it again."""
        effect = f"SM-{run}-{number}"
        noted = [self.wait(one.questions.note_sent(run, ORDINAL, number, effect)) for one in self.processes]
        assert noted[0] == noted[1]
        return cast("Asked", noted[0])

    def expire(self, run: str) -> None:
        """Note that the question of a run has ended by the time that it is executed: its second send was held."""
        known = self.asked[run]
        if known.state == "open" and known.until is not None and known.until <= self.clock.time:
            self.close(run, "timedOut")

    def hold(self, run: str, asked: Asked) -> None:
        """Let the run wait until it may send, as it does in quiet hours, but not for longer than for the answer."""
        until = min(self.clock.time + HELD_SECONDS, asked.until or 1e9)
        self.do(lambda connection: waits.park(connection, run, "quiet-hours", until=until))

    def begin_send(self, run: str) -> None:
        """Store the claim of the first send, as the guard does before it writes the request."""
        if self.asked[run].sent != HELD:
            return
        self.asked[run].sent = BEGUN
        intent = {"key": call_key(run, ORDINAL - 6), "run": run, "step_id": "s", "fingerprint": "", "limit_keys": "[]"}
        state = {"state": "claimed", "attempt": 1, "created_at": self.clock.time}
        self.do(lambda connection: connection.execute(insert(schema.intents).values(**intent, **state)))

    # What happens meanwhile

    @rule(number=st.sampled_from(NUMBERS), text=st.sampled_from(TEXTS), process=st.integers(0, 1), twice=st.booleans())
    def write(self, number: int, text: str, process: int, twice: bool) -> None:  # noqa: FBT001 - drawn
        sid = f"SM{len(self.messages)}"
        self.messages.append((sid, number, text))
        run = self.asked_in(conversations_of(number))
        late = self.keeping_late(number) if run is None else None
        if text == "HELP":
            run = late = None  # somebody else gives it
        # Two processes may be told of it at the same moment.
        self.deliver(sid, number, text, *([0, 1] if twice else [process]))
        if run is None and late is None:
            assert sid in self.started, "a message that nobody waits for starts the trigger's flow"
            return
        assert sid not in self.started
        assert self.taken.get(sid) == (run or late), "it continues the run that waits for it, or is kept"
        if run is not None:
            self.answer(run, text)
        elif late is not None:
            self.asked[late].has_late = True

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), process=st.integers(0, 1))
    def report_a_message_again(self, data: st.DataObject, process: int) -> None:
        sid, number, text = data.draw(st.sampled_from(self.messages))
        before = (set(self.started), dict(self.taken))
        assert self.deliver(sid, number, text, process) == 0
        assert (self.started, self.taken) == before, "a message counts once"

    def deliver(self, sid: str, number: int, text: str, *processes: int) -> int:
        """Report the message to these processes at the same moment; how many of them start a flow."""
        conversations = [str(one) for one in conversations_of(number)]
        reply = Reply(
            id=sid,
            conversations=conversations,
            data={"body": text},
            opts_out=text == "STOP",
            asks_help=text == "HELP",
        )
        event = RunEvent(id=sid, known_by=(sid,), marks=(reply_id(reply),))
        new = NewRun(id=f"web-{sid}", definition="d", integration="i", flow="f", payload={}, event=event, reply=reply)

        async def report() -> list[bool]:
            return await asyncio.gather(*(self.processes[one].runs.accept(new) for one in processes))

        starts: int = sum(self.wait(report()))
        assert starts <= 1
        taken = self.wait(self.processes[processes[0]].questions.taken_by(reply))
        assert not (starts and taken)
        if starts:
            self.started.add(sid)
        if taken is not None:
            assert self.taken.setdefault(sid, taken) == taken
        return starts

    def answer(self, run: str, text: str) -> None:
        question = self.asked[run]
        question.replies.append(text)
        if text == "STOP":
            self.close(run, "optedOut")
        elif text in ("yes", "no"):
            self.close(run, "answered")
        else:
            question.misfits += 1
            if question.misfits >= MOST_SENDS:
                self.close(run, "notUnderstood")

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0]), process=st.integers(0, 1))
    def let_time_pass(self, seconds: float, process: int) -> None:
        self.clock.time += seconds
        # The question of a run that is being executed times out once that run waits again. That of a cancelled run is
        # closed as well, so that the next one of the conversation is asked.
        # One whose second question is held times out when its run is executed.
        waiting = select(schema.waits.c.run).join(schema.questions, schema.questions.c.run == schema.waits.c.run)
        for_reply = waiting.where(_IS_OPEN, schema.waits.c.reason == waits.REPLY)
        opened = self.do(lambda connection: connection.execute(for_reply).scalars().all())
        over = [(self.asked[run].until, run) for run in opened if (self.asked[run].until or 1e9) <= self.clock.time]
        for _, run in sorted(over, key=str):
            self.close(run, "timedOut")
        self.wait(self.processes[process].due.sweep())

    @precondition(lambda self: self.open_runs())
    @rule(data=st.data())
    def cancel_a_run(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.open_runs()))
        cancelling = update(schema.runs).where(schema.runs.c.id == run).values(state="cancelled")
        self.do(lambda connection: connection.execute(cancelling))
        self.asked[run].state = "cancelled"
        self.paused.discard(run)

    @precondition(lambda self: self.open_runs())
    @rule(data=st.data())
    def pause_a_run(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.open_runs()))
        self.set_state(run, "paused")
        self.paused.add(run)

    @precondition(lambda self: self.paused)
    @rule(data=st.data(), process=st.integers(0, 1))
    def resume_a_run(self, data: st.DataObject, process: int) -> None:
        run = data.draw(st.sampled_from(sorted(self.paused)))
        self.set_state(run, "running")
        self.paused.remove(run)
        self.drive(run, process)

    def set_state(self, run: str, state: str) -> None:
        setting = update(schema.runs).where(schema.runs.c.id == run).values(state=state)
        self.do(lambda connection: connection.execute(setting))

    @rule(process=st.integers(0, 1))
    def restart_a_process(self, process: int) -> None:
        self.processes[process].database.close()
        self.processes[process] = Process(self.url, self.clock, self.woken)

    # The model

    def holder(self, conversations: list[int]) -> str | None:
        """The oldest open question of these conversations."""
        found = (run for run, one in self.asked.items() if one.conversation in conversations and one.state == "open")
        return next(found, None)

    def asked_in(self, conversations: list[int]) -> str | None:
        """The oldest of them that the person may have seen: nobody can reply to what has not been asked."""
        found = (
            run
            for run, one in self.asked.items()
            if one.conversation in conversations and one.state == "open" and one.sent != HELD
        )
        return next(found, None)

    def keeping_late(self, number: int) -> str | None:
        """The question that was closed last in the conversations of a number, if it is to keep a late reply."""
        closed = [run for run in self.closed if self.asked[run].conversation in conversations_of(number)]
        last = self.asked[closed[-1]] if closed else None
        keeps = last is not None and last.keeps_late and not last.has_late and last.outcome == "timedOut"
        return closed[-1] if keeps else None

    def open_runs(self) -> list[str]:
        return [run for run, one in self.asked.items() if one.state == "open" and run not in self.woken]

    def close(self, run: str, outcome: str) -> None:
        question = self.asked[run]
        self.closed.append(run)
        question.outcome = outcome
        if question.state != "cancelled":
            question.state = "closed"
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
            if one.state in ("cancelled", "refused"):
                continue
            state, outcome, misfits = found[call_key(run, ORDINAL)]
            assert (state, outcome or "", misfits) == (one.state, one.outcome, one.misfits), run


def store_run(connection: Connection, row: Mapping[str, Any]) -> None:
    connection.execute(insert(schema.runs).values(row))


def check(url: str, examples: int) -> None:
    database = Database(url)
    database.create()
    database.close()
    often = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
    )
    run_machine(cast("Any", partial(Conversations, url)), settings=often)


def test_each_message_is_the_reply_to_one_question_or_starts_a_flow() -> None:
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own
    folder = Path(mkdtemp(prefix="questions-", dir=memory if memory.is_dir() else None))
    try:
        check(f"sqlite:///{folder / 'runs.sqlite'}", examples=10)
    finally:
        shutil.rmtree(folder)


def test_it_is_so_in_two_processes_on_one_postgres(new_database: Callable[[], str]) -> None:
    check(new_database(), examples=6)


async def test_of_two_messages_at_the_same_moment_one_is_the_answer_and_the_other_starts_a_flow(
    new_database: Callable[[], str],
) -> None:
    url, clock = new_database(), ModelClock()
    processes = [Process(url, clock, []) for _ in range(2)]
    await asyncio.to_thread(processes[0].database.create)
    definition = insert(schema.definitions).values(digest="d", file="", text="")
    await processes[0].database.run(lambda connection: connection.execute(definition))
    for number in range(15):
        run = f"ask-{number}"
        row = {"id": run, "definition": "d", "integration": "i", "flow": "f", "state": "running", "payload": "{}"}
        await processes[0].database.run(partial(store_run, row={**row, "created_at": clock.now()}))
        question = Question(sends=[{}] * MOST_SENDS, conversation=run, expects={}, seconds=SECONDS)
        await processes[0].questions.enter(run, ORDINAL, "twilio.sendAndWait", question)
        await processes[0].questions.note_sent(run, ORDINAL, 0, None)
        messages = [
            NewRun(
                id=f"web-{number}-{text}",
                definition="d",
                integration="i",
                flow="f",
                payload={},
                reply=Reply(id=f"SM-{number}-{text}", conversations=[run], data={"body": text}),
            )
            for text in ("yes", "no")
        ]
        accepting = zip(processes, messages, strict=True)
        started = await asyncio.gather(*(process.runs.accept(message) for process, message in accepting))
        assert sum(started) == 1, "the first one is the answer, and then nobody waits"
    for process in processes:
        process.database.close()
