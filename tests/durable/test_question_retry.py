"""Questions of runs that are retried: nobody gets a text again that they have received."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from durable.test_asking import AGAIN, QUESTION, asking, ended, fields, sent, until_waiting, write
from sqlalchemy import update
from support.engine import HEAD, TO, serving
from support.waiting import PATIENCE, until_async

from twilio_component.durable.asking.questions import QuestionStore
from twilio_component.durable.errors import RunStateError
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.retry_plan import Retry
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.schema import runs
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from support.engine import Served

QUICK = Settings(timeout=0.5, lag_bound=0.2, keep_payloads=True)
OTHER = "+15558675309"
THREE_TEXTS = asking().replace("answerType:", "retries: {type: value, value: 2}\n          answerType:")


def texts_to(emulator: Emulator, them: str) -> list[str]:
    return [one.body for one in emulator.messages if one.direction.startswith("outbound") and one.to == them]


async def begin(served: Served, run: str, them: str) -> None:
    new = await served.new_run(run)
    payload = json.loads(json.dumps(new.payload).replace(TO, them))
    await served.engine.begin(NewRun(**{**fields(new), "payload": payload}))


async def end_of(served: Served, run: str) -> Mapping[str, Any]:
    outcome: Mapping[str, Any] | None = await served.engine.wait_for_outcome(run, PATIENCE)
    assert outcome is not None
    return outcome


async def until_texts(emulator: Emulator, them: str, texts: list[str]) -> None:
    await until_async(lambda: texts_to(emulator, them) == texts, f"{them} has {texts}")


async def test_only_the_texts_that_were_not_sent_are_sent_however_often_a_run_is_retried(
    tmp_path: Path, url: str
) -> None:
    emulator = Emulator()
    async with serving(tmp_path, THREE_TEXTS, emulator=emulator, settings=QUICK, database=url) as served:
        operations = Operations(served.engine.database)
        people = {"one": TO, "two": OTHER}
        for run, them in people.items():
            await begin(served, run, them)
        await until_waiting(served, 2)
        for again in ("", "~2"):
            emulator.faults.api_error(21408, times=2, operation="messages.create")
            for run, them in people.items():
                if again:
                    await operations.retry(run)
                else:
                    await write(served, "who is this", f"SM{run}", them=them)
            for run in people:
                assert (await end_of(served, run + again))["error"]["reason"] == "21408"
        for run, them in people.items():
            assert texts_to(emulator, them) == [QUESTION]
            await operations.retry(f"{run}~2")
            await until_texts(emulator, them, [QUESTION, AGAIN])
        await until_waiting(served, 2)
        (shown,) = (await RunViews(served.engine.database).show("one~2~2"))["waits"]
        assert (shown["step"], shown["text"]) == ("ask", "waits for ***10's reply")
        for run, them in people.items():
            await write(served, "hello?", f"SM{run}2", them=them)
            await until_texts(emulator, them, [QUESTION, AGAIN, AGAIN])
            await write(served, "yes", f"SM{run}3", them=them)
            end = await ended(served, f"{run}~2~2")
            sids = [one.sid for one in emulator.messages if one.to == them]
            assert (end["answer"], end["misfits"], end["questions"]) == (True, 2, sids)


async def test_a_question_that_nobody_has_received_is_asked_by_the_retry(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        emulator.faults.api_error(21408, times=1, operation="messages.create")
        assert (await served.run("one"))["state"] == "failed"
        again = await Operations(served.engine.database).retry("one")
        await until_waiting(served)
        await write(served, "yes", "SM1")
        assert (await ended(served, again))["answer"] is True
    assert sent(emulator) == [QUESTION]


async def test_a_text_whose_outcome_was_unknown_is_sent_again_when_an_operator_says_so(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        await served.begin("one")
        await until_waiting(served)
        emulator.faults.server_error(times=1, accepted=False, operation="messages.create")
        await write(served, "who is this", "SM1")
        assert (await end_of(served, "one"))["state"] == "unknown"
        with pytest.raises(RunStateError, match="retry it with --resend"):
            await operations.retry("one")
        again = await operations.retry("one", resend=True)
        await until_texts(emulator, TO, [QUESTION, AGAIN])
        await until_waiting(served)
        await write(served, "no", "SM2")
        assert (await ended(served, again))["answer"] is False


async def test_a_process_that_dies_before_it_notes_a_text_leaves_it_to_no_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = Emulator()

    async def fail(*_: object) -> None:
        raise RuntimeError("the process is dying")

    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        with monkeypatch.context() as patch:
            patch.setattr(QuestionStore, "note_sent", fail)
            assert (await served.run("one"))["state"] == "failed"
        again = await Operations(served.engine.database).retry("one")
        await until_waiting(served)
        await write(served, "yes", "SM1")
        assert (await ended(served, again))["questions"] == [emulator.messages[0].sid]
    assert sent(emulator) == [QUESTION]


async def _fail_in_the_second_text(served: Served, emulator: Emulator) -> None:
    await served.begin("one")
    await until_waiting(served)
    emulator.faults.api_error(21408, times=1, operation="messages.create")
    await write(served, "who is this", "SM1")
    assert (await end_of(served, "one"))["state"] == "failed"


async def _serve_instead(served: Served, flows: str) -> None:
    digest = await served.engine.runs.define("test.yaml", HEAD + flows)
    await served.engine.runs.note_served("Test", digest, "http://flows.test")


async def test_a_question_continues_with_the_texts_and_answers_of_the_definition_that_is_served_now(
    tmp_path: Path,
) -> None:
    emulator = Emulator()
    changed = asking().replace(AGAIN, "How many of you?").replace("value: yesNo", "value: number")
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        await _fail_in_the_second_text(served, emulator)
        await _serve_instead(served, changed)
        again = await Operations(served.engine.database).retry_as("one", Retry(definition="current"))
        await until_texts(emulator, TO, [QUESTION, "How many of you?"])
        await until_waiting(served)
        await write(served, "3", "SM2")
        assert (await ended(served, again.id))["answer"] == 3


async def test_who_is_asked_instead_gets_the_first_text(tmp_path: Path) -> None:
    emulator = Emulator()
    changed = asking().replace("{type: reference, value: trigger.results.body.data.to}", f'"{OTHER}"')
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        await _fail_in_the_second_text(served, emulator)
        await _serve_instead(served, changed)
        again = await Operations(served.engine.database).retry_as("one", Retry(definition="current"))
        await until_texts(emulator, OTHER, [QUESTION])
        await until_waiting(served)
        await write(served, "yes", "SM2", them=OTHER)
        assert (await ended(served, again.id))["questions"] == [emulator.messages[-1].sid]
    assert texts_to(emulator, TO) == [QUESTION]


async def test_a_step_that_has_moved_asks_nobody_again(tmp_path: Path) -> None:
    emulator = Emulator()
    changed = asking().replace(
        "- name: Ask\n", "- {name: Nap, action: sleep.sleep, inputs: {ms: 1}}\n      - name: Ask\n"
    )
    async with serving(tmp_path, asking(), emulator=emulator, settings=QUICK) as served:
        await _fail_in_the_second_text(served, emulator)
        await _serve_instead(served, changed)
        with pytest.raises(RunStateError, match="where the step 'ask' was, there is 'nap'"):
            await Operations(served.engine.database).retry_as("one", Retry(definition="current"))
    assert sent(emulator) == [QUESTION]


async def test_a_question_that_was_asked_in_time_may_be_answered_later(tmp_path: Path) -> None:
    emulator = Emulator()
    flows = asking().replace("- name: Ask\n", "- name: Ask\n        validFor: 3600\n")
    async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
        await served.begin("one")
        await until_waiting(served)
        await served.begin("two")  # waits for its turn
        await until_waiting(served, 2)
        earlier = update(runs).values(created_at=runs.c.created_at - 7200)  # so that validFor is over
        await served.engine.database.run(lambda connection: connection.execute(earlier).rowcount)
        await write(served, "who is this", "SM1")
        await until_texts(emulator, TO, [QUESTION, AGAIN])
        await until_waiting(served, 2)
        await write(served, "yes", "SM2")
        assert (await ended(served, "one"))["answer"] is True
        assert (await end_of(served, "two"))["error"]["code"] == "deadline-exceeded"
    assert sent(emulator) == [QUESTION, AGAIN]
