"""How runs with lists end: a person learns from the state, the counts and the exit code what there is to do."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from support.engine import SEND, serving
from support.long_lists import QUICK, flow, people, sent

from twilio_component.cli.commands.runs import STATES
from twilio_component.cli.main import main
from twilio_component.durable.errors import NondeterminismError
from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import run_status
from twilio_component.emulator import Emulator

OPTED_OUT, INVALID = "+15005550004", "+15005550001"
IGNORE = "            errorConfig: {errorHandlerType: ignore}\n"
SECOND_LIST = """\
      - name: Again
        action: loop.loopOverItems
        concurrency: 2
        itemsFrom: {file: people.csv}
        steps:
          - {name: Sleep, action: sleep.sleep, inputs: {ms: 1}}
"""


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def _end(folder: Path, flows: str, emulator: Emulator, settings: Settings = QUICK) -> dict[str, Any]:
    async with serving(folder, flows, emulator=emulator, settings=settings) as served:
        ended = await served.run("one")
        return {**ended, "loops": await LoopViews(served.engine.database).loops("one")}


async def test_a_list_of_which_some_failed_ends_partly_failed_with_the_counts_by_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    emulator = Emulator()
    people(tmp_path, 8, {1: OPTED_OUT, 4: INVALID, 6: OPTED_OUT})
    with caplog.at_level(logging.WARNING, "twilio_component.runs"):
        ended = await _end(tmp_path, flow(), emulator)
    assert ended["state"] == run_status.PARTLY_FAILED
    assert ended["error"]["code"] == "items-failed"
    assert ended["error"]["byCode"] == {"21211": 1, "21610": 2}
    assert ended["error"]["message"] == "3 of 8 iterations failed (21211: 1, 21610: 2)"
    lines = [record.getMessage() for record in caplog.records]
    (line,) = [line for line in lines if line.startswith("run one of Main partly failed at everyone after ")]
    assert "items-failed (21211: 1, 21610: 2); `twilio-component runs show one --database /" in line
    assert line.endswith("` says more")
    assert "+1500555" not in "".join(lines)


async def test_a_list_of_which_every_item_failed_has_failed(tmp_path: Path) -> None:
    people(tmp_path, 3, dict.fromkeys(range(3), INVALID))
    ended = await _end(tmp_path, flow(), Emulator())
    assert (ended["state"], ended["error"]["byCode"]) == ("failed", {"21211": 3})


async def test_of_two_lists_one_that_failed_makes_the_run_partly_failed(tmp_path: Path) -> None:
    people(tmp_path, 3, dict.fromkeys(range(3), INVALID))
    ended = await _end(tmp_path, flow(after=SECOND_LIST), Emulator())
    assert ended["state"] == "partly-failed"


async def test_failures_that_the_flow_takes_care_of_leave_a_success(tmp_path: Path) -> None:
    people(tmp_path, 3, {1: INVALID})
    ended = await _end(tmp_path, flow(more=IGNORE), Emulator())
    assert (ended["state"], ended["error"]) == ("succeeded", None)


async def test_an_unknown_outcome_counts_before_the_failed(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 4, {1: INVALID})
    emulator.faults.server_error(operation="messages.create", to=numbers[3])
    assert (await _end(tmp_path, flow(), emulator))["state"] == "unknown"


@pytest.mark.parametrize(("status", "code"), [(401, 20003), (403, 20005)], ids=["a wrong token", "a suspended account"])
async def test_a_list_whose_connection_is_refused_stops_and_resumes_without_sending_twice(
    tmp_path: Path, url: str, status: int, code: int
) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 60)
    async with serving(tmp_path, flow(4), emulator=emulator, settings=QUICK, database=url) as served:
        views, operations = RunViews(served.engine.database), Operations(served.engine.database)
        emulator.faults.api_error(code, status=status, times=None, operation="messages.create", to=numbers[20])
        emulator.faults.api_error(code, status=status, times=None, operation="messages.create", to=numbers[50])
        ended = await served.run("one")
        assert (ended["state"], ended["error"]["code"], ended["error"]["reason"]) == (
            "stopped",
            "list-stopped",
            str(code),
        )
        assert "concerns the connection" in ended["error"]["message"]
        (loop,) = await LoopViews(served.engine.database).loops("one")
        assert loop["left"] > 0
        assert loop["succeeded"] + sum(loop["failed"].values()) + loop["left"] == 60
        emulator.faults.clear()
        await operations.resume("one")
        ended = await served.engine.wait_for_outcome("one", 30)
        assert ended["state"] == "partly-failed"
        assert (await views.show("one"))["error"]["byCode"].keys() == {str(code)}
    assert set(sent(emulator).values()) == {1}
    assert len(emulator.messages) == 60 - sum(ended["error"]["byCode"].values())


async def test_a_refused_sender_stops_the_list_only_after_so_many_in_a_row(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 40)
    settings = Settings(timeout=0.5, lag_bound=0.2, stop_after=5)
    for number in (*numbers[3:6], *numbers[20:]):
        emulator.faults.api_error(21606, status=400, times=None, operation="messages.create", to=number)
    ended = await _end(tmp_path, flow(1), emulator, settings)
    assert (ended["state"], ended["error"]["reason"]) == ("stopped", "21606")
    assert ended["error"]["byCode"] == {"21606": 8}
    assert ended["loops"][0]["left"] == 15
    assert sent(emulator) == Counter([*numbers[:3], *numbers[6:20]])


async def test_refusals_in_a_row_count_across_chunks_and_what_was_not_tried_resumes(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 24)  # two chunks of twelve: neither alone has twenty refusals
    settings = Settings(timeout=0.5, lag_bound=0.2, stop_after=16)
    emulator.faults.api_error(21606, status=400, times=None, operation="messages.create")
    async with serving(tmp_path, flow(2), emulator=emulator, settings=settings) as served:
        ended = await served.run("one")
        assert (ended["state"], ended["error"]["reason"]) == ("stopped", "21606")
        (loop,) = await LoopViews(served.engine.database).loops("one")
        assert loop["left"] >= 6  # the other chunk stores its last ends a moment later
        emulator.faults.clear()
        await Operations(served.engine.database).resume("one")
        ended = await served.engine.wait_for_outcome("one", 30)
        assert ended["state"] == "partly-failed"
        (loop,) = await LoopViews(served.engine.database).loops("one")
        refused = sum(loop["failed"].values())
        assert 16 <= refused <= 18  # and those that were under way
        assert sum(sent(emulator).values()) == 24 - refused
        again = await Operations(served.engine.database).retry("one")
        ended = await served.engine.wait_for_outcome(again, 30)
        assert ended["state"] == "succeeded"
    assert sent(emulator) == Counter(numbers)


async def test_after_a_refused_connection_only_what_was_under_way_is_still_tried(tmp_path: Path) -> None:
    emulator = Emulator()
    people(tmp_path, 60)
    emulator.faults.api_error(20003, status=401, times=None, operation="messages.create")
    ended = await _end(tmp_path, flow(6), emulator)
    assert ended["state"] == "stopped"
    assert 1 <= sum(ended["loops"][0]["failed"].values()) <= 6


async def test_refused_recipients_never_stop_a_list(tmp_path: Path) -> None:
    people(tmp_path, 30, dict.fromkeys(range(1, 30), OPTED_OUT))
    ended = await _end(tmp_path, flow(1), Emulator(), Settings(timeout=0.5, lag_bound=0.2, stop_after=2))
    assert (ended["state"], ended["error"]["byCode"]) == ("partly-failed", {"21610": 29})


async def test_a_list_whose_last_item_is_refused_has_nothing_to_resume(tmp_path: Path) -> None:
    emulator, numbers = Emulator(), people(tmp_path, 3)
    emulator.faults.api_error(20003, status=401, times=None, operation="messages.create", to=numbers[2])
    assert (await _end(tmp_path, flow(1), emulator))["state"] == "partly-failed"


def test_the_exit_code_of_following_a_run_says_how_it_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases: dict[str, tuple[tuple[int, ...], int]] = {
        "succeeded": ((), 0),
        "partly-failed": ((1,), 5),
        "failed": ((0, 1), 1),
    }

    async def run_each() -> None:
        async with serving(tmp_path, flow(), emulator=Emulator(), settings=QUICK) as served:
            for run, (failing, _) in cases.items():
                people(tmp_path, 2, dict.fromkeys(failing, INVALID))
                await served.run(run)

    asyncio.run(run_each())
    for run, (_, code) in cases.items():
        assert main(["runs", "follow", run, "--database", f"sqlite:///{tmp_path / 'runs.sqlite'}"]) == code
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["state"] == run


def test_the_command_line_knows_every_state() -> None:
    named = {value for name, value in vars(run_status).items() if name.isupper() and isinstance(value, str)}
    conditions = {run_status.UNTOLD, run_status.HAS_WEBHOOK_RESPONSE}
    assert named - conditions - {run_status.PURGED} == set(STATES) == set(run_status.STATES)


@pytest.mark.parametrize("flows", [SEND, flow(2)], ids=["a send", "a list"])
@pytest.mark.parametrize("bug", [RuntimeError, NondeterminismError])
async def test_what_cannot_continue_is_unknown_where_a_call_of_it_was_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flows: str, bug: type[Exception]
) -> None:
    async def doubt(*_: Any) -> bool:
        raise bug("no state of the protocol")

    emulator = Emulator()
    people(tmp_path, 2)
    monkeypatch.setattr(IntentStore, "doubt", doubt)
    emulator.faults.server_error(accepted=True, status=500, operation="messages.create")
    ended = await _end(tmp_path, flows, emulator)
    assert (ended["state"], ended["error"]["outcomeUnknown"]) == ("unknown", True)


async def test_what_cannot_continue_before_it_does_anything_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def plan(*_: Any) -> bool:
        raise RuntimeError("no state of the protocol")

    monkeypatch.setattr(IntentStore, "plan", plan)
    ended = await _end(tmp_path, SEND, Emulator())
    assert (ended["state"], ended["error"]["outcomeUnknown"]) == ("failed", False)


async def test_a_process_that_is_late_with_a_run_that_another_one_has_finished_says_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SEND, emulator=emulator, settings=QUICK) as served:
        await served.engine.runs.accept(await served.new_run("one"))
        opened = await served.engine.runs.open("one", 500)
        ended = [await served.engine._runner.run("one", "one")]  # as its process
        monkeypatch.setattr(served.engine.runs, "open", AsyncMock(return_value=opened))
        ended.append(await served.engine._runner.run("one", "one"))  # as one that opened it before
        monkeypatch.undo()
    assert ended == ["succeeded", "succeeded"]
    assert len(emulator.messages) == 1
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
