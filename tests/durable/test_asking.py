"""Steps that ask a person: the run waits as a row, and the webhook with the reply continues it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dbos import DBOS
from durable.test_quiet_hours import SetClock
from sqlalchemy import func, select
from support.engine import START, TO, serving
from support.slow_transport import SlowFirstMessage
from support.waiting import PATIENCE, until_async

from twilio_component.durable.execution import replayer
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import schema
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.emulator import Emulator
from twilio_component.host.questions import Reply
from twilio_component.twilio.questions import conversation

if TYPE_CHECKING:
    import pytest
    from support.engine import Served

QUICK = Settings(timeout=0.5, lag_bound=0.2, keep_payloads=True)
US = "+15017122661"
ASK = """\
  - name: Main
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Ask
        action: twilio.sendAndWait
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: {type: reference, value: trigger.results.body.data.to}
          from: {type: value, value: "+15017122661"}
          message: {type: value, value: Can you come on Friday?}
          retryMessage: {type: value, value: Please reply YES or NO.}
          answerType: {type: value, value: yesNo}
          deadline: {type: value, value: DEADLINE}
          ifBusy: {type: value, value: BUSY}
        branches:
          - {name: answered, steps: []}
          - {name: timedOut, steps: []}
          - {name: optedOut, steps: []}
          - {name: undeliverable, steps: []}
          - {name: notUnderstood, steps: []}
      - name: Outcome
        action: stop-execution.stopExecution
        inputs:
          jsonBody: {type: reference, value: ask.results}
"""
QUESTION, AGAIN = "Can you come on Friday?", "Please reply YES or NO."


def asking(deadline: str = "10m", busy: str = "wait") -> str:
    """The flow; no test waits as long as its default deadline, so no end that one waits for is a time-out."""
    return ASK.replace("DEADLINE", deadline).replace("BUSY", busy)


def sent(emulator: Emulator) -> list[str]:
    return [one.body for one in emulator.messages if one.direction.startswith("outbound")]


async def waiting(served: Served) -> int:
    """How many runs wait as a row."""
    counting = select(func.count()).select_from(schema.waits)
    return await served.engine.database.run(lambda connection: connection.execute(counting).scalar_one())


async def until_waiting(served: Served, runs: int = 1) -> None:
    async def are_waiting() -> bool:
        return await waiting(served) == runs

    await until_async(are_waiting, f"{runs} runs wait")


async def write(
    served: Served, body: str, sid: str, *, them: str = TO, asks_help: bool = False, **details: Any
) -> bool:
    """Let a person write; whether it has started a run."""
    account = served.definition.values.by_name["Twilio"]["fields"]["username"]
    data = {"messageSid": sid, "body": body, "optOutType": None, **details}
    reply = Reply(
        id=sid,
        conversations=[conversation(account, US, them)],
        data=data,
        opts_out=body == "STOP",
        asks_help=asks_help,
    )
    new = await served.new_run(f"web-{sid}")
    return await served.engine.begin(NewRun(**{**fields(new), "reply": reply}))


def fields(new: NewRun) -> dict[str, Any]:
    return {name: getattr(new, name) for name in NewRun.__dataclass_fields__}


async def ended(served: Served, run: str) -> Mapping[str, Any]:
    outcome: Mapping[str, Any] | None = await served.engine.wait_for_outcome(run, PATIENCE)
    assert outcome is not None
    assert outcome["state"] == "succeeded", outcome
    found: Mapping[str, Any] = json.loads(outcome["response"]["body"])
    return found


async def test_an_answer_continues_the_run_that_waits_for_it(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        await served.begin("run")
        await until_waiting(served)
        assert served.engine.work.workflow_ids == set()
        assert await write(served, "Yes!", "SM1") is False
        end = await ended(served, "run")
    assert (end["outcome"], end["answer"], end["misfits"]) == ("answered", True, 0)
    assert end["reply"]["body"] == "Yes!"
    assert sent(emulator) == [QUESTION]
    assert end["questions"] == [emulator.messages[0].sid]


async def test_a_reply_that_does_not_fit_is_followed_by_the_second_question(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        await served.begin("run")
        await until_waiting(served)
        await write(served, "who is this", "SM1")
        await until_async(lambda: sent(emulator) == [QUESTION, AGAIN], "the second question is sent")
        await until_waiting(served)
        await write(served, "no", "SM2")
        end = await ended(served, "run")
    assert (end["outcome"], end["answer"], end["misfits"]) == ("answered", False, 1)


async def test_two_replies_that_do_not_fit_end_the_question(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        await served.begin("run")
        await until_waiting(served)
        await write(served, "who is this", "SM1")
        await write(served, "hello?", "SM2")
        end = await ended(served, "run")
    assert (end["outcome"], end["answer"], end["misfits"]) == ("notUnderstood", None, 2)


async def test_a_step_that_is_retried_does_not_ask_again_who_has_been_asked(tmp_path: Path) -> None:
    emulator = Emulator()
    how = "errorConfig: {errorHandlerType: retry, maxAttempts: 1, delaySeconds: 0}"
    flows = asking().replace("action: twilio.sendAndWait\n", f"action: twilio.sendAndWait\n        {how}\n", 1)
    async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
        emulator.faults.api_error(21408, times=1, operation="messages.create")
        await served.begin("run")  # nobody has been asked: the retry asks
        await until_waiting(served)
        assert sent(emulator) == [QUESTION]
        emulator.faults.api_error(21408, times=1, operation="messages.create")
        await write(served, "who is this", "SM1")
        end = await served.engine.wait_for_outcome("run", 20)
    assert end is not None
    assert (end["state"], end["error"]["reason"]) == ("failed", "21408")
    assert sent(emulator) == [QUESTION]


async def test_after_the_deadline_nobody_waits_and_a_reply_starts_a_flow(tmp_path: Path) -> None:
    async with serving(tmp_path, asking("1s"), settings=QUICK) as served:
        await served.begin("run")
        assert (await ended(served, "run"))["outcome"] == "timedOut"
        assert await write(served, "Yes", "SM1") is True


async def test_stop_ends_the_question_as_opted_out(tmp_path: Path) -> None:
    async with serving(tmp_path, asking(), settings=QUICK) as served:
        await served.begin("run")
        await until_waiting(served)
        await write(served, "STOP", "SM1")
        assert (await ended(served, "run"))["outcome"] == "optedOut"


async def test_who_has_opted_out_is_not_asked(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.state.accounts.default_account().opt_outs.add(US, TO)
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        await served.begin("run")
        end = await ended(served, "run")
    assert (end["outcome"], end["errorCode"]) == ("optedOut", "21610")


def test_the_wait_survives_a_restart(tmp_path: Path) -> None:
    emulator = Emulator()

    async def until_it_waits() -> None:
        async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
            await served.begin("run")
            await until_waiting(served)

    async def to_the_answer() -> None:
        async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
            assert await waiting(served) == 1
            await write(served, "yes", "SM1")
            assert (await ended(served, "run"))["answer"] is True

    asyncio.run(until_it_waits())
    asyncio.run(to_the_answer())
    assert sent(emulator) == [QUESTION]


async def test_a_flow_may_wait_for_one_that_asks_and_continues_with_its_result(tmp_path: Path, url: str) -> None:
    caller = START.replace("NAME", "Caller").replace("STARTED", "Main")
    asks = asking().replace("{type: reference, value: trigger.results.body.data.to}", f'{{type: value, value: "{TO}"}}')
    async with serving(tmp_path, caller + asks, settings=QUICK, database=url) as served:
        await served.begin("run", "Caller")
        await until_waiting(served, 2)
        await until_async(lambda: not served.engine.work.workflow_ids, "no process executes them")
        assert await write(served, "yes", "SM1") is False
        outcome = await served.engine.wait_for_outcome("run", PATIENCE)
        assert outcome is not None
        assert outcome["state"] == "succeeded"
        assert (await ended(served, "run.1"))["answer"] is True


async def test_a_second_question_to_the_same_person_waits_for_the_first(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        await served.begin("one")
        await until_waiting(served)
        await served.begin("two")
        await until_waiting(served, 2)
        assert sent(emulator) == [QUESTION]
        views = RunViews(served.engine.database)
        (first,), (second,) = [(await views.show(run))["waits"] for run in ("one", "two")]
        assert (first["step"], first["text"]) == ("ask", "waits for ***10's reply")
        assert first["until"] is not None
        assert second["text"] == "waits until another question to the person is over"
        await write(served, "yes", "SM1")
        assert (await ended(served, "one"))["answer"] is True
        await until_async(lambda: sent(emulator) == [QUESTION, QUESTION], "the other question is asked")
        await until_waiting(served)
        await write(served, "no", "SM2")
        assert (await ended(served, "two"))["answer"] is False


async def test_a_second_question_may_be_refused_instead(tmp_path: Path) -> None:
    async with serving(tmp_path, asking(busy="refuse"), settings=QUICK) as served:
        await served.begin("one")
        await until_waiting(served)
        outcome = await served.run("two")
    assert (outcome["state"], outcome["error"]["code"]) == ("failed", "conversation-busy")


async def test_a_message_that_is_reported_again_is_the_reply_to_one_question_only(tmp_path: Path) -> None:
    async with serving(tmp_path, asking(), settings=QUICK) as served:
        await served.begin("one")
        await until_waiting(served)
        await served.begin("two")
        await until_waiting(served, 2)
        await write(served, "yes", "SM1")
        await ended(served, "one")
        await until_waiting(served)
        assert await write(served, "yes", "SM1") is False
        assert await waiting(served) == 1


async def test_what_another_person_writes_starts_a_flow(tmp_path: Path) -> None:
    async with serving(tmp_path, asking(), settings=QUICK) as served:
        await served.begin("run")
        await until_waiting(served)
        assert await write(served, "yes", "SM1", them="+15558675311") is True


NAP = """\
      - {name: Nap, action: sleep.sleep, inputs: {ms: {type: value, value: 1500}}}
"""


def sleeps_of_runs(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that runs sleep from now on, in the workflow that they began in or in another one."""
    slept = list[float]()

    def noting(sleep: Callable[[float], Awaitable[None]]) -> Callable[[float], Awaitable[None]]:
        async def note(seconds: float) -> None:
            slept.append(seconds)
            await sleep(seconds)

        return note

    monkeypatch.setattr(DBOS, "sleep_async", noting(DBOS.sleep_async))
    own = SimpleNamespace(**{**vars(asyncio), "sleep": noting(asyncio.sleep)})
    monkeypatch.setattr(replayer, "asyncio", own)
    return slept


async def test_what_was_slept_before_and_after_the_question_is_slept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = asking().replace("      - name: Ask\n", NAP + "      - name: Ask\n", 1)
    flow = flow.replace("      - name: Outcome\n", NAP.replace("Nap", "Rest") + "      - name: Outcome\n", 1)
    slept = sleeps_of_runs(monkeypatch)
    async with serving(tmp_path, flow, settings=QUICK) as served:
        await served.begin("run")
        await until_waiting(served)
        begun = time.monotonic()
        await write(served, "yes", "SM1")
        await ended(served, "run")
        assert time.monotonic() - begun >= 1.5
    assert slept == [1.5, 0.0, 1.5], "the nap, the same when the run goes on, and the rest"


async def test_what_a_person_writes_before_the_question_is_sent_starts_a_flow(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T23:00")
    night = '    quietHours: {from: "21:00", to: "08:00", timeZone: America/New_York}\n'
    quiet = asking().replace("  - name: Main\n", "  - name: Main\n" + night, 1)
    async with serving(tmp_path, quiet, emulator=emulator, settings=QUICK, clock=clock) as served:
        await served.begin("run")
        await until_waiting(served)
        assert await write(served, "yes", "SM1") is True
        clock.set("2026-05-05T08:00:01")
        await until_async(lambda: QUESTION in sent(emulator), "the question is sent")
        assert await write(served, "no", "SM2") is False
        end = await ended(served, "run")
    assert (end["outcome"], end["answer"]) == ("answered", False)


async def is_planned(served: Served) -> bool:
    """Whether a send waits to be made."""
    planned = select(schema.intents.c.key).where(schema.intents.c.state == "planned")
    return bool(await served.engine.database.run(lambda connection: connection.execute(planned).all()))


async def test_a_second_question_that_is_held_until_after_the_deadline_is_not_sent(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T20:00")
    night = '    quietHours: {from: "21:00", to: "08:00", timeZone: America/New_York}\n'
    quiet = asking("4h").replace("  - name: Main\n", "  - name: Main\n" + night, 1)
    async with serving(tmp_path, quiet, emulator=emulator, settings=QUICK, clock=clock) as served:
        await served.begin("run")
        await until_waiting(served)
        clock.set("2026-05-04T22:00")
        await write(served, "who is this", "SM1")
        await until_async(partial(is_planned, served), "the second question is planned")
        await until_waiting(served)
        clock.set("2026-05-05T00:01")
        end = await ended(served, "run")
        assert not await is_planned(served)
    assert (end["outcome"], end["misfits"]) == ("timedOut", 1)
    assert sent(emulator) == [QUESTION]


async def test_the_second_question_gives_no_more_time_than_the_first(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T10:00")
    async with serving(tmp_path, asking("4h"), emulator=emulator, settings=QUICK, clock=clock) as served:
        await served.begin("run")
        await until_waiting(served)
        clock.set("2026-05-04T13:00")
        await write(served, "who is this", "SM1")
        await until_async(lambda: sent(emulator) == [QUESTION, AGAIN], "the second question is sent")
        await until_waiting(served)
        clock.set("2026-05-04T14:01")
        assert (await ended(served, "run"))["outcome"] == "timedOut"


async def until_refused(served: Served) -> None:
    """Wait until Twilio has refused a send unprocessed, and it waits to be sent again."""
    again = select(schema.intents.c.key).where(schema.intents.c.state == "planned", schema.intents.c.attempt > 0)

    async def is_refused() -> bool:
        return bool(await served.engine.database.run(lambda connection: connection.execute(again).all()))

    await until_async(is_refused, "Twilio has refused it")


async def test_what_a_person_writes_while_the_question_is_refused_as_too_much_is_not_an_answer(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.faults.rate_limit(times=1, operation="messages.create", retry_after=2)
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        await served.begin("run")
        await until_refused(served)
        assert await write(served, "yes", "SM1") is True
        await until_async(lambda: QUESTION in sent(emulator), "the question is sent")
        assert await write(served, "no", "SM2") is False
        assert (await ended(served, "run"))["answer"] is False


async def test_a_second_question_that_an_answer_overtakes_is_not_sent(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        await served.begin("run")
        await until_waiting(served)
        emulator.faults.rate_limit(times=1, operation="messages.create", retry_after=2)
        await write(served, "who is this", "SM1")
        await until_refused(served)
        await write(served, "yes", "SM2")
        end = await ended(served, "run")
    assert (end["outcome"], end["answer"], end["misfits"]) == ("answered", True, 1)
    assert sent(emulator) == [QUESTION]


async def test_a_call_for_help_starts_a_flow_and_the_question_continues(tmp_path: Path) -> None:
    async with serving(tmp_path, asking(), settings=QUICK) as served:
        await served.begin("run")
        await until_waiting(served)
        assert await write(served, "HELP", "SM1", asks_help=True) is True
        assert await write(served, "yes", "SM2") is False
        assert (await ended(served, "run"))["misfits"] == 0


async def test_a_reply_that_is_faster_than_the_response_is_the_answer(tmp_path: Path) -> None:
    emulator = Emulator()
    network = SlowFirstMessage(emulator)
    async with serving(tmp_path, asking(), transport=network, settings=Settings(timeout=30, lag_bound=0.2)) as served:
        await served.begin("run")
        await until_async(lambda: served.engine.guard.requests_under_way, "the question is being sent")
        assert await write(served, "yes", "SM1") is False
        network.arrive.set()
        outcome = await served.engine.wait_for_outcome("run", PATIENCE)
    assert outcome is not None
    assert json.loads(outcome["response"]["body"])["answer"] is True
