"""Runs in an engine: what they return, what they keep, and what is left of them."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dbos import DBOS
from support.engine import COUNT, HEAD, SEND, START, TO, Served, serving
from support.long_lists import flow, people
from support.waiting import until_async

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.engine import Engine
from twilio_component.durable.errors import DurableError, RunStopped, StoreBusyError, StoreUnavailableError
from twilio_component.durable.execution.run_queue import CHUNKS, RUNS
from twilio_component.durable.sending.intents import CallIdentity
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.request_batcher import RequestBatcher
from twilio_component.emulator import Emulator
from twilio_component.flows import Configuration, FlowError
from twilio_component.host import Host
from twilio_component.host.hookspecs import hookimpl
from twilio_component.testing import emulator_connection

if TYPE_CHECKING:
    from twilio_component.host.model import Action


def everything_in(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return "\n".join(connection.iterdump())


async def test_a_run_happens_once_and_leaves_no_words_behind(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SEND, emulator=emulator) as served:
        assert await served.begin("one")
        ended = await served.engine.wait_for_outcome("one", 20)
        assert not await served.begin("one")
        assert ended == {"state": "succeeded", "error": None, "response": None, "result": None}
    assert len(emulator.messages) == 1
    stored = everything_in(tmp_path / "runs.sqlite")
    assert TO not in stored
    assert "words of the message" in stored  # the definition's own
    assert stored.count("words of the message") == 1


async def test_texts_are_kept_where_the_configuration_asks_for_it_and_of_what_is_unknown(tmp_path: Path) -> None:
    emulator = Emulator()
    settings = Settings(keep_payloads=True, timeout=0.5, lag_bound=0.2)
    async with serving(tmp_path, SEND, emulator=emulator, settings=settings) as served:
        await served.run("kept")
        emulator.faults.server_error(operation="messages.create", status=500)
        ended = await served.run("unknown")
        assert (ended["state"], ended["error"]["code"]) == ("unknown", "outcome-unknown")
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        payloads = dict(connection.execute("SELECT id, payload FROM flow_runs"))
    assert TO in payloads["kept"]
    assert TO in payloads["unknown"]


async def test_an_engine_knows_its_queues_at_once_and_sleeps_neither_at_its_first_run_nor_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch, sleep = DBOS.launch, time.sleep
    known: set[str] = set()
    slept: list[float] = []

    def note_queues() -> None:  # it looks for new ones only once a second
        with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
            known.update(name for (name,) in connection.execute("SELECT name FROM queues"))
        launch()

    def note_sleep(seconds: float) -> None:
        slept.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(DBOS, "launch", note_queues)
    monkeypatch.setattr(time, "sleep", note_sleep)
    async with serving(tmp_path, COUNT) as served:
        await served.run("first")
    assert known >= {RUNS, CHUNKS}
    assert max(slept) <= 0.05


def test_what_a_flow_keeps_outlives_the_process_and_its_result_is_the_answer(tmp_path: Path) -> None:
    async def scenario(run: str) -> Any:
        async with serving(tmp_path, COUNT) as served:
            return (await served.run(run))["response"]["body"]

    assert [asyncio.run(scenario("one")), asyncio.run(scenario("two"))] == ["1", "2"]


async def test_flows_start_flows_and_wait_for_those_that_are_synchronous(tmp_path: Path) -> None:
    counted = COUNT.replace("webhook-triggers.webhook", "cross-flow.crossFlow").replace("Main", "Counted")
    flows = counted + counted.replace("Counted", "Later").replace("isSynchronous: true", "isSynchronous: false")
    for name, started in {"Waits": "Counted", "Goes on": "Later", "Errs": "Nobody", "Endless": "Endless"}.items():
        flows += START.replace("NAME", name).replace("STARTED", started)
    async with serving(tmp_path, flows) as served:
        waited, went_on, erred, endless = await asyncio.gather(
            *(served.run(name.replace(" ", ""), name) for name in ("Waits", "Goes on", "Errs", "Endless"))
        )
        assert waited["response"]["body"] == '{"executionId": "Waits.1", "result": 1}'
        assert went_on["response"]["body"] == '{"executionId": "Goeson.1"}'
        assert (await served.engine.wait_for_outcome("Goeson.1", 20))["state"] == "succeeded"
        assert erred["error"]["code"] == "unknown-flow"
        assert (endless["state"], endless["error"]["code"]) == ("failed", "flow-failed")
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        results = connection.execute("SELECT run FROM flow_journal WHERE step_id = 'result'").fetchall()
    assert results == []  # what one run has told another is not kept a second time


async def test_cancelled_in_the_middle_of_a_send_and_resumed_it_is_sent_once(tmp_path: Path) -> None:
    emulator = Emulator()
    async with emulator.serve(port=0) as twilio, Host.discover() as host:
        connection = emulator_connection()
        connection["fields"]["baseUrl"] = twilio.url
        configuration = Configuration(config_vars={"Twilio": connection})
        deployment = Deployment(host, configuration, {}, public_url="http://flows.test")
        url = f"sqlite:///{tmp_path / 'runs.sqlite'}"
        async with Engine.open(deployment, url, Settings(lag_bound=0.2)) as engine:
            served = Served(engine, deployment, SEND)
            emulator.faults.slow(seconds=0.5, operation="messages.create")
            await served.begin("one")
            await until_async(lambda: emulator.messages, "Twilio has the message")
            await DBOS.cancel_workflow_async("one")
            await DBOS.resume_workflow_async("one", queue_name="flows")
            ended = await engine.wait_for_outcome("one", 20)
        assert ended["state"] == "succeeded"
    assert len(emulator.messages) == 1


SCHEDULED = SEND.replace(
    "action: webhook-triggers.webhook}",
    "action: schedule-triggers.schedule, schedule: {type: configVar, value: Cron}}",
).replace("type: reference, value: trigger.results.body.data.to", f'type: value, value: "{TO}"')
"""The flow that sends, started by a clock instead of a webhook."""


async def test_a_clock_starts_a_flow_once_for_each_of_its_times(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SCHEDULED, emulator=emulator) as served:
        await served.engine.runs.define("test.yaml", served.text)
        await served.engine.keep_schedules([served.definition])
        (kept,) = await DBOS.list_schedules_async()
        assert (kept["schedule_name"], kept["schedule"]) == ("Test/Main", "5 4 * * *")
        await asyncio.to_thread(DBOS.trigger_schedule, "Test/Main")
        await until_async(lambda: emulator.messages, "Twilio has the message")
        other = served.deployment.load("test.yaml", HEAD + SEND)
        await served.engine.keep_schedules([other])
        assert await DBOS.list_schedules_async() == []
        nonsense = served.deployment.load("test.yaml", (HEAD + SCHEDULED).replace("5 4 * * *", "every day"))
        with pytest.raises(FlowError, match="the schedule of the flow 'Main' is not valid: it has 2 fields"):
            await served.engine.keep_schedules([nonsense])


async def test_a_time_of_a_schedule_is_not_lost_while_the_database_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [StoreBusyError("the database is busy"), StoreUnavailableError("the database is away")]
    emulator = Emulator()
    async with serving(tmp_path, SCHEDULED, emulator=emulator) as served:
        store = served.engine.runs.accept_all

        async def fail_first(new: Any) -> list[bool]:
            if answers:
                raise answers.pop()
            return await store(new)

        monkeypatch.setattr(served.engine, "_accepting", RequestBatcher(fail_first))
        await served.engine.runs.define("test.yaml", served.text)
        await served.engine.keep_schedules([served.definition])
        await asyncio.to_thread(DBOS.trigger_schedule, "Test/Main")
        await until_async(lambda: emulator.messages, "Twilio has the message")
    assert answers == []


@pytest.mark.parametrize("flows", [SEND, flow(1)], ids=["a send", "a list"])
async def test_a_run_that_is_resumed_as_it_is_told_to_stop_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flows: str
) -> None:
    monkeypatch.chdir(tmp_path)
    people(tmp_path, 2)
    emulator, told = Emulator(), list[CallIdentity]()
    async with serving(tmp_path, flows, emulator=emulator) as served:
        perform = served.engine.guard.perform

        async def stop_first(call: CallIdentity, guarded: Any, **options: Any) -> Any:
            told.append(call)
            if len(told) == 1:
                raise RunStopped  # it was paused when the call asked, and is running again by now
            return await perform(call, guarded, **options)

        monkeypatch.setattr(served.engine.guard, "perform", stop_first)
        assert (await served.run("one"))["state"] == "succeeded"
    assert len(emulator.messages) == len(told) - 1


async def test_finished_runs_are_forgotten_in_time_and_their_events_with_them(tmp_path: Path) -> None:
    async with serving(tmp_path, SEND, settings=Settings(keep_days=0)) as served:
        await served.run("one")
        assert await served.engine.retention.purge() == 1
        assert await served.begin("one")
        await served.engine.wait_for_outcome("one", 20)


async def test_a_run_whose_way_has_changed_fails_instead_of_guessing_and_a_file_has_one_engine(tmp_path: Path) -> None:
    async with serving(tmp_path, SEND) as served:
        digest = await served.engine.runs.define("test.yaml", served.text)
        new = NewRun(
            id="one",
            definition=digest,
            integration="Test",
            flow="Main",
            payload={},
            trigger={"payload": {}},
            trigger_step="another-trigger",
        )
        await served.engine.begin(new)
        ended = await served.engine.wait_for_outcome("one", 20)
        assert (ended["state"], ended["error"]["code"]) == ("failed", "run-nondeterministic")
        with pytest.raises(DurableError, match="another process serves"):
            async with serving(tmp_path, SEND):
                pass


def test_a_process_that_stops_leaves_its_runs_to_the_next_one(tmp_path: Path) -> None:
    emulator = Emulator()
    runs = [f"run-{number}" for number in range(40)]

    async def begun() -> None:
        async with serving(tmp_path, SEND, emulator=emulator) as served:
            await served.run("first")  # from now on the queue is looked at often
            for run in runs:
                await served.begin(run)
            await asyncio.sleep(0.2)

    async def finished() -> set[str]:
        async with serving(tmp_path, SEND, emulator=emulator) as served:
            return {(await served.engine.wait_for_outcome(run, 20))["state"] for run in runs}

    asyncio.run(begun())
    assert asyncio.run(finished()) == {"succeeded"}
    assert len(emulator.messages) == 1 + len(runs)


class Reader:
    """Reads slowly: its calls are under way until the workflow engine is gone, and then need a thread."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.under_way = 0

    @hookimpl
    def perform_action(self, action: Action) -> Awaitable[dict[str, Any]] | None:
        return self._read() if action.key == "getInstanceValue" else None

    async def _read(self) -> dict[str, Any]:
        self.under_way += 1
        await self.gone.wait()
        return {"data": await asyncio.to_thread(int)}


def test_runs_under_way_at_the_end_never_meet_an_engine_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [f"run-{number}" for number in range(20)]

    async def left() -> None:
        reader, loop, destroy = Reader(), asyncio.get_running_loop(), DBOS.destroy

        def destroyed(**options: Any) -> None:
            destroy(**options)
            loop.call_soon_threadsafe(reader.gone.set)
            # A caller that still waited would continue now, and fail for want of threads. There is nothing to wait for:
            # in a right engine none does.
            time.sleep(0.3)

        async with serving(tmp_path, COUNT, plugins=[reader]) as served:
            monkeypatch.setattr(DBOS, "destroy", destroyed)
            for run in runs:
                await served.begin(run)
            await until_async(lambda: reader.under_way == len(runs), "every run is under way")

    async def finished() -> set[str]:
        async with serving(tmp_path, COUNT) as served:
            return {(await served.engine.wait_for_outcome(run, 20))["state"] for run in runs}

    asyncio.run(left())
    monkeypatch.undo()
    assert asyncio.run(finished()) == {"succeeded"}


@pytest.mark.parametrize("is_emulated", [True, False])
def test_runs_do_not_continue_with_connections_of_the_other_kind(
    tmp_path: Path, url: str, *, is_emulated: bool
) -> None:
    def serve(*new: str, is_emulated: bool) -> None:
        async def story() -> None:
            async with serving(tmp_path, SEND, database=url, is_emulated=is_emulated) as served:
                for run in new:
                    assert (await served.run(run))["state"] == "succeeded"

        asyncio.run(story())

    serve(is_emulated=not is_emulated)
    # A database without runs may be used for both.
    serve("one", is_emulated=is_emulated)
    for _ in range(2):
        with pytest.raises(DurableError, match="give another --database"):
            serve(is_emulated=not is_emulated)
    serve("two", is_emulated=is_emulated)
