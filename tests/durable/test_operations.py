"""What operators see of runs, and do with them."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dbos import DBOS
from sqlalchemy import update
from support.engine import SEND, TO, serving
from support.long_lists import flow, people
from support.waiting import until_async

from twilio_component.cli.exit_codes import FAILED, exit_code
from twilio_component.cli.main import main
from twilio_component.durable import observation
from twilio_component.durable.errors import DurableError, RunStateError, UnknownRunError
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.schema import runs
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from support.engine import Served

QUICK = Settings(timeout=0.5, lag_bound=0.2)
SLEEP = SEND.replace(
    "      - name: Send\n",
    "      - {name: Sleep, action: sleep.sleep, inputs: {ms: {type: value, value: 1200}}}\n      - name: Send\n",
)
REFER = """\
      - name: Read
        action: persist-data.getInstanceValue
        inputs:
          keyInput: {type: value, value: n}
          defaultValueInput: {type: reference, value: trigger.results.body.data.to}
"""


async def in_state(served: Served, run: str, state: str) -> dict[str, Any]:
    views = RunViews(served.engine.database)
    for _ in range(400):
        found = await views.show(run)
        if found["state"] == state:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_runs_are_listed_shown_and_run_again_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SEND, emulator=emulator, settings=QUICK) as served:
        operations, views = Operations(served.engine.database), RunViews(served.engine.database)
        emulator.faults.html(status=404, operation="messages.create")
        assert (await served.run("refused"))["state"] == "failed"
        again = await operations.retry("refused")
        assert again == "refused~2"
        sent = await in_state(served, again, "succeeded")
        assert [step["step"] for step in sent["steps"]] == ["trigger", "send"]
        assert sent["steps"][1]["inputs"] == {
            "twilioConnection": "<connection>",
            "to": "***10",
            "from": "***61",
            "message": "text of 24 characters",
        }
        emulator.faults.server_error(operation="messages.create")
        assert (await served.run("lost"))["state"] == "unknown"
        with pytest.raises(RunStateError, match="find out whether it happened"):
            await operations.retry("lost")
        assert (await operations.retry("lost", resend=True)) == "lost~2"
        await in_state(served, "lost~2", "succeeded")
        emulator.faults.drop(accepted=True, operation="messages.create")
        emulator.faults.lag_lists(60)
        assert (await served.run("seen"))["state"] == "unknown"
        await operations.resolve("seen")
        states = {run["id"]: run["state"] for run in await views.find(RunFilter())}
        assert states == {
            "refused": "retried",
            "refused~2": "succeeded",
            "lost": "retried",
            "lost~2": "succeeded",
            "seen": "resolved",
        }
        sid = sent["steps"][1]["effect"]
        assert [run["id"] for run in await views.find(RunFilter(resource_id=sid))] == ["refused~2"]
        assert await views.find(RunFilter(flow="Other")) == []
        shown = await views.show("seen")
        assert shown["steps"][-1]["error"]["code"] == "outcome-unknown"
        assert TO not in json.dumps(shown)
        with pytest.raises(
            RunStateError, match="the run 'seen' is resolved, but must be queued, running, paused or stopped"
        ):
            await operations.cancel("seen")
        with pytest.raises(UnknownRunError):
            await operations.resume("nobody")
        assert await operations.purge(0) == 5
        with pytest.raises(UnknownRunError):
            await views.show("seen")
    assert len(emulator.messages) == 3


async def test_a_run_that_cannot_be_started_again_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SEND, emulator=emulator) as served:
        emulator.faults.html(status=404, operation="messages.create")
        await served.run("refused")
        operations, views = Operations(served.engine.database), RunViews(served.engine.database)
        with monkeypatch.context() as patched:
            patched.setattr(operations._queue.client, "enqueue_in_transaction", None)
            with pytest.raises(TypeError):
                await operations.retry("refused")
        assert (await views.show("refused"))["state"] == "failed"
        assert await operations.retry("refused") == "refused~2"
        await in_state(served, "refused~2", "succeeded")
    assert len(emulator.messages) == 1


async def test_of_a_run_that_succeeded_the_errors_that_it_took_care_of_stay_and_no_words(tmp_path: Path) -> None:
    emulator = Emulator()
    flows = SEND + "        errorConfig: {errorHandlerType: ignore}\n" + REFER
    async with serving(tmp_path, flows, emulator=emulator, settings=QUICK) as served:
        emulator.faults.html(status=404, operation="messages.create")
        assert (await served.run("one"))["state"] == "succeeded"
        steps = {step["step"]: step for step in (await RunViews(served.engine.database).show("one"))["steps"]}
        assert steps["send"]["error"]["code"] == "twilio-not-found"
        assert "error" not in steps["read"]
        assert steps["read"]["inputs"] == {"keyInput": "text of 1 character", "defaultValueInput": "***10"}
        kept = await served.engine.runs.entries("one", -2, 100)
        assert [dict(one.value) for one in kept.values() if "failure" not in one.value] == [{}, {}]


async def test_a_run_is_cancelled_and_continues_where_it_was(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SLEEP, emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        await served.begin("one")
        await asyncio.sleep(0.3)
        await operations.cancel("one")
        await asyncio.sleep(1.5)
        assert len(emulator.messages) == 0
        await operations.resume("one")
        await in_state(served, "one", "succeeded")
    assert len(emulator.messages) == 1


async def test_a_run_that_was_paused_before_it_began_can_be_resumed(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SEND, emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        new = await served.new_run("one")
        await served.engine.runs.accept(new)
        paused = update(runs).values(state="paused")
        await served.engine.database.run(lambda connection: connection.execute(paused))
        # The engine hears of it only now, and the operator's word to DBOS is still to come.
        await served.engine.begin(new)
        while not any(one.completed_at for one in await DBOS.list_workflows_async(workflow_ids=["one"])):  # noqa: ASYNC110 - what it looks at is another's
            await asyncio.sleep(0.05)
        await operations.resume("one")
        await in_state(served, "one", "succeeded")
    assert len(emulator.messages) == 1


def test_the_command_line_operates_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emulator = Emulator()

    async def scenario() -> None:
        async with serving(tmp_path, SEND, emulator=emulator, settings=QUICK) as served:
            await served.run("sent")
            emulator.faults.html(status=404, operation="messages.create")
            await served.run("refused")

    asyncio.run(scenario())
    database = ["--database", f"sqlite:///{tmp_path / 'runs.sqlite'}"]

    def told(*arguments: str) -> Any:
        assert main(["runs", *arguments, *database]) == 0
        return json.loads(capsys.readouterr().out)

    assert [run["id"] for run in told("list", "--state", "succeeded", "--since", "2026-01-01")] == ["sent"]
    shown = told("show", "sent")
    assert (shown["state"], [step["step"] for step in shown["steps"]]) == ("succeeded", ["trigger", "send"])
    assert all(step["started"] and step["finished"] for step in shown["steps"])
    assert told("retry", "refused")["id"] == "refused~2"
    assert main(["runs", "cancel", "refused~2", *database]) == 0
    assert main(["runs", "follow", "refused", *database]) == FAILED
    said = capsys.readouterr()
    ends = [
        (one["id"], one["state"]) for one in map(json.loads, said.out.splitlines()) if "state" in one and "id" in one
    ]
    assert ends == [("refused", "retried"), ("refused~2", "cancelled")]
    assert "refused was run again as refused~2: following that run\n" in said.err
    assert main(["runs", "resume", "refused~2", *database]) == 0
    assert main(["runs", "resolve", "sent", *database]) != 0
    assert "must be unknown for this" in capsys.readouterr().err
    assert main(["runs", "list", "--since", "yesterday", *database]) == 2
    assert told("purge", "--days", "0")["purged"] == 1  # what was refused is needed by its retry


@pytest.mark.parametrize("wrong", [("purge", "--days", "-1"), ("purge", "--days", "nan"), ("list", "--limit", "-5")])
def test_a_negative_age_or_count_changes_and_shows_nothing(
    wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["runs", *wrong, "--database", "sqlite:////nowhere/runs.sqlite"])
    assert ended.value.code == 2
    assert "must be a" in capsys.readouterr().err


def test_a_file_that_is_not_a_database_is_refused_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "reminders.yaml"
    other.write_text("name: Reminders\n")
    assert main(["runs", "list", "--database", f"sqlite:///{other}"]) == exit_code(DurableError())
    assert f"{other} is not a SQLite database" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [other]
    assert other.read_text() == "name: Reminders\n"


def test_without_a_database_the_command_line_says_so_and_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "elsewhere.sqlite"
    assert main(["runs", "list", "--database", f"sqlite:///{missing}"]) == exit_code(DurableError())
    assert f"there is no database {missing}" in capsys.readouterr().err
    assert not missing.exists()


@pytest.mark.parametrize("operation", ["cancel", "pause"])
async def test_a_run_and_its_workflow_are_stopped_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    def break_off(_connection: object, _run: str) -> None:
        raise OSError

    async with serving(tmp_path, SLEEP, settings=QUICK) as served:
        await served.begin("one")
        monkeypatch.setattr("twilio_component.durable.operator.operations.cancel_workflow", break_off)
        with pytest.raises(OSError):  # noqa: PT011 - it is the one that was raised
            await getattr(Operations(served.engine.database), operation)("one")
        assert (await RunViews(served.engine.database).show("one"))["state"] == "running"


async def test_a_run_that_is_resumed_as_it_stops_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path, SLEEP, settings=QUICK) as served:
        url = served.engine.database.url

        def resume_elsewhere() -> None:
            database = Database(url)
            asyncio.run(Operations(database).resume("one"))
            database.close()

        def resume_now(_run: object) -> None:  # between noticing the stop and telling the workflow engine
            monkeypatch.undo()
            other = threading.Thread(target=resume_elsewhere)
            other.start()
            other.join()

        monkeypatch.setattr(observation, "log_stop", resume_now)
        await served.begin("one")
        await Operations(served.engine.database).pause("one")
        await until_async(lambda: observation.log_stop is not resume_now, "it has stopped and been resumed")
        assert (await served.engine.wait_for_outcome("one", 20))["state"] == "succeeded"


async def test_a_send_that_must_wait_for_an_hour_is_released_by_an_operator(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.faults.rate_limit(times=1, retry_after=3000, operation="messages.create")
    async with serving(tmp_path, SEND, emulator=emulator, settings=QUICK) as served:
        operations, views = Operations(served.engine.database), RunViews(served.engine.database)
        await served.begin("one")
        held: list[dict[str, Any]] = []
        while not held:
            await asyncio.sleep(0.02)
            held = [step for step in (await views.show("one"))["steps"] if "heldUntil" in step]
        assert [(step["state"], step["reason"]) for step in held] == [("planned", "twilio-rate-limited")]
        assert await operations.release("one") == 1
        assert await operations.release("one") == 0
        assert (await served.engine.wait_for_outcome("one", 20))["state"] == "succeeded"
        with pytest.raises(RunStateError, match="must be running"):
            await operations.release("one")
    assert len(emulator.messages) == 1


NAP = "      - {name: Nap, action: sleep.sleep, inputs: {ms: 300}}\n"
NAPPING = SEND.replace("      - name: Send\n", f"{NAP}      - name: Send\n", 1)
NAPPING_LIST = flow(1).replace("      - name: Everyone\n", f"{NAP}      - name: Everyone\n", 1)


@pytest.mark.parametrize(("flows", "refused"), [(NAPPING, 1), (NAPPING_LIST, 2)], ids=["a send", "a list"])
async def test_a_retry_does_not_sleep_again_what_was_slept_before_the_step_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flows: str, refused: int
) -> None:
    monkeypatch.chdir(tmp_path)
    people(tmp_path, 2)
    emulator, slept, sleep = Emulator(), list[float](), DBOS.sleep_async

    async def note(seconds: float) -> None:
        slept.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(DBOS, "sleep_async", note)
    async with serving(tmp_path, flows, emulator=emulator) as served:
        emulator.faults.api_error(21408, times=refused, operation="messages.create")
        assert (await served.run("one"))["state"] == "failed"
        again = await Operations(served.engine.database).retry("one")
        ended = await served.engine.wait_for_outcome(again, 20)
    assert ended is not None
    assert ended["state"] == "succeeded"
    assert [round(seconds, 1) for seconds in slept] == [0.3, 0.0]
