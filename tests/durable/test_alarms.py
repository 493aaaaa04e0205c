"""Operators are told of runs that failed, at least once, at most once a minute, and without what people wrote."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from support.engine import HEAD, SEND, TO, serving
from support.http_inbox import http_inbox
from support.long_lists import QUICK, flow, people
from support.waiting import until_async

from twilio_component.durable.alarm_receivers import Receivers, receivers_from
from twilio_component.durable.alarms.delivery import ID_HEADER, SIGNATURE_HEADER, Alarms, signature
from twilio_component.durable.alarms.store import MOST_TRIES
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.settings import settings_from
from twilio_component.durable.store.operator_tables import alarm_turns, alarms
from twilio_component.emulator import Emulator
from twilio_component.host.errors import InputError, Problem

SECRET = "a secret of some length"
TELL = """\
  - name: Tell
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Send
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: "+15558675399"
          from: "+15017122661"
          message: "{{$trigger.results.body.data.count}} {{$trigger.results.body.data.state}}"
"""


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alarms are told when the test says so, and not by themselves."""

    async def keep_telling(_: Alarms) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Alarms, "keep_telling", keep_telling)


async def _tell(served: Any, *, soon: bool = False) -> None:
    """Tell what is due, with ``soon`` as if a minute had passed."""
    if soon:
        for table, column in ((alarm_turns, "last_at"), (alarms, "next_at")):
            earlier = update(table).values({column: 0.0})
            await served.engine.database.run(lambda connection, earlier=earlier: connection.execute(earlier))
    await served.engine.alarms.tell()


@pytest.mark.usefixtures("by_hand")
async def test_a_url_is_told_once_with_counts_and_a_signature_and_nothing_that_people_wrote(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    emulator = Emulator()
    with http_inbox() as inbox:
        settings = replace(QUICK, on_failure=Receivers(url=inbox.url, secret=SECRET))
        async with serving(tmp_path, SEND, emulator=emulator, settings=settings, database=url) as served:
            emulator.faults.api_error(21211, times=None, operation="messages.create")
            for run in ("one", "two", "three"):
                await served.run(run)
            emulator.faults.clear()
            await served.run("well")
            await _tell(served)
            await _tell(served, soon=True)
    told = [json.loads(body) for _, body in inbox.got]
    assert sum(one["count"] for one in told) == 3
    assert sorted(run for one in told for run in one["runs"]) == ["one", "three", "two"]
    assert {(one["flow"], one["integration"], one["state"]) for one in told} == {("Main", "Test", "failed")}
    assert all(one["byCode"] == {"21211": one["count"]} for one in told)
    for headers, body in inbox.got:
        assert headers[SIGNATURE_HEADER] == signature(SECRET, inbox.url, body)
        assert headers[ID_HEADER] == json.loads(body)["id"]
        assert TO[1:] not in body.decode()
        assert "the words" not in body.decode()


@pytest.mark.usefixtures("by_hand")
async def test_a_second_alarm_about_a_flow_comes_after_a_minute_and_counts_what_happened(tmp_path: Path) -> None:
    emulator = Emulator()
    with http_inbox() as inbox:
        settings = replace(QUICK, on_failure=Receivers(url=inbox.url, secret=SECRET))
        async with serving(tmp_path, SEND, emulator=emulator, settings=settings) as served:
            emulator.faults.api_error(21211, times=None, operation="messages.create")
            await served.run("one")
            await _tell(served)
            assert len(inbox.got) == 1
            for run in ("two", "three"):
                await served.run(run)
            await _tell(served)
            assert len(inbox.got) == 1
            await _tell(served, soon=True)
    assert [json.loads(body)["count"] for _, body in inbox.got] == [1, 2]


@pytest.mark.usefixtures("by_hand")
def test_an_alarm_that_was_refused_is_told_again_after_a_restart_under_the_same_id(tmp_path: Path) -> None:
    emulator = Emulator()

    async def fail(settings: Any) -> None:
        async with serving(tmp_path, SEND, emulator=emulator, settings=settings) as served:
            emulator.faults.api_error(21211, operation="messages.create")
            await served.run("one")
            await _tell(served)

    async def again(settings: Any) -> None:
        async with serving(tmp_path, SEND, emulator=emulator, settings=settings) as served:
            await _tell(served, soon=True)
            await _tell(served, soon=True)

    with http_inbox(refuses=1) as inbox:
        settings = replace(QUICK, on_failure=Receivers(url=inbox.url, secret=SECRET))
        asyncio.run(fail(settings))
        asyncio.run(again(settings))
    assert len(inbox.got) == 2
    assert len({headers[ID_HEADER] for headers, _ in inbox.got}) == 1


@pytest.mark.usefixtures("by_hand")
async def test_an_alarm_that_reaches_nobody_is_given_up_in_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with http_inbox(refuses=1_000) as inbox:
        settings = replace(QUICK, on_failure=Receivers(url=inbox.url, secret=SECRET))
        emulator = Emulator()
        async with serving(tmp_path, SEND, emulator=emulator, settings=settings) as served:
            emulator.faults.api_error(21211, operation="messages.create")
            await served.run("one")
            for _ in range(MOST_TRIES + 3):
                await _tell(served, soon=True)
    assert len(inbox.got) == MOST_TRIES
    assert f"is given up after {MOST_TRIES} tries" in caplog.text


@pytest.mark.usefixtures("by_hand")
async def test_a_command_gets_the_alarm_of_a_list_that_stopped_and_of_the_run_once_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    emulator, numbers = Emulator(), people(tmp_path, 20)
    program = "import sys; open('told', 'a').write(sys.stdin.read())"
    settings = replace(QUICK, on_failure=Receivers(command=(sys.executable, "-c", program)))
    async with serving(tmp_path, flow(1), emulator=emulator, settings=settings) as served:
        emulator.faults.api_error(20003, status=401, operation="messages.create", to=numbers[3])
        await served.run("one")
        await _tell(served)
        await Operations(served.engine.database).resume("one")
        await served.engine.wait_for_outcome("one", 20)
        await _tell(served, soon=True)
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert [(one["state"], one["count"], one["byCode"]) for one in told] == [
        ("stopped", 1, {"20003": 1}),
        ("partly-failed", 1, {"20003": 1}),
    ]
    assert not any(number[1:] in (tmp_path / "told").read_text() for number in numbers)


@pytest.mark.usefixtures("by_hand")
async def test_the_log_names_the_receivers_that_an_alarm_did_not_reach_and_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    emulator = Emulator()
    settings = replace(QUICK, on_failure=Receivers(flow="Nope", command=("/no/such/program",)))
    async with serving(tmp_path, SEND, emulator=emulator, settings=settings) as served:
        digest = await served.engine.runs.define("test.yaml", served.text)
        await served.engine.runs.note_served("Test", digest, "http://flows.test")
        emulator.faults.api_error(21211, operation="messages.create")
        await served.run("one")
        await _tell(served)
    assert "did not reach the command /no/such/program: No such file or directory" in caplog.text
    assert "did not reach the flow Nope: no flow 'Nope' is served from this database (served: Main)" in caplog.text


async def test_a_flow_is_started_once_for_an_alarm_and_tells_not_of_itself(tmp_path: Path) -> None:
    emulator = Emulator()
    settings = replace(QUICK, on_failure=Receivers(flow="Tell"))
    async with serving(tmp_path, SEND + TELL, emulator=emulator, settings=settings) as served:
        digest = await served.engine.runs.define("test.yaml", HEAD + SEND + TELL)
        await served.engine.runs.note_served("Test", digest, "http://flows.test")
        emulator.faults.api_error(21211, times=None, operation="messages.create")
        await served.run("one")
        await served.run("own", flow="Tell")
        emulator.faults.clear()
        await until_async(lambda: emulator.messages, "the flow has told of it")
        await asyncio.sleep(2.5)  # it looks again
    assert [(message.to, message.body) for message in emulator.messages] == [("+15558675399", "1 failed")]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"urll": "https://a.example"}, "onFailure.urll: is not known"),
        ({"url": "ftp://a.example", "secret": {"environment": "ALARMS"}}, "onFailure.url: must be a URL"),
        ({"url": "https://a.example"}, "onFailure.secret: is missing"),
        ({"url": "https://a.example", "secret": SECRET}, "onFailure.secret: must be {environment: NAME}"),
        ({"url": "https://a.example", "secret": {"environment": "NOBODY"}}, "variable NOBODY is not set"),
        (
            {"url": "https://a.example", "secret": {"file": "none.txt"}},
            "its file none.txt cannot be read: No such file",
        ),
        ({"command": "mail"}, "onFailure.command: must be a list"),
        ({"flow": 3}, "onFailure.flow: must be the name"),
        ({"secret": {"environment": "ALARMS"}}, "onFailure: must have a url, a command or a flow"),
    ],
)
def test_a_wrong_section_is_refused(monkeypatch: pytest.MonkeyPatch, section: dict[str, Any], said: str) -> None:
    monkeypatch.setenv("ALARMS", SECRET)
    with pytest.raises(InputError) as refused:
        settings_from({"onFailure": section})
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_section_is_read_with_its_secret(tmp_path: Path) -> None:
    problems: list[Problem] = []
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    section = {
        "url": "https://a.example/x",
        "secret": {"file": str(tmp_path / "secret")},
        "command": ["a", "b"],
        "flow": "T",
    }
    found = receivers_from(section, problems)
    assert found == Receivers(url="https://a.example/x", secret=SECRET, command=("a", "b"), flow="T")
    assert found.names == ("url", "command", "flow")
    assert not problems
