"""What nobody does although it should be done is found, and done; at rest there is none of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, select, text, update
from support.engine import SEND, serving
from support.long_lists import QUICK, flow, people
from support.waiting import until_async

from twilio_component.cli.exit_codes import BAD_INPUT
from twilio_component.cli.main import main
from twilio_component.durable import ids
from twilio_component.durable.operator import doctor as doctors
from twilio_component.durable.operator import gone_processes
from twilio_component.durable.operator.doctor import Diagnosis, Doctor
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.operator_tables import heartbeats
from twilio_component.durable.store.schema import intents, runs
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from support.engine import Served

SLEEP = SEND.replace(
    "      - name: Send\n",
    "      - {name: Sleep, action: sleep.sleep, inputs: {ms: {type: value, value: 1500}}}\n      - name: Send\n",
)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctors, "_GRACE_SECONDS", 0.0)


def let_be_killed(connection: Connection, *, url: str, executor: str) -> None:
    """As if the process had been killed: its workflow is still marked as its own, and it has not said that it ends."""
    table = "workflow_status" if url.startswith("sqlite") else "dbos.workflow_status"
    taken = f"UPDATE {table} SET status = 'PENDING', executor_id = :executor WHERE workflow_uuid LIKE 'one%'"  # noqa: S608 - a name of ours
    connection.execute(text(taken), {"executor": executor})
    connection.execute(update(heartbeats).values(stopped_at=None))


def test_what_a_dead_process_had_is_found_and_a_living_one_has_it(tmp_path: Path, url: str) -> None:
    emulator = Emulator()

    async def begin() -> None:
        async with serving(tmp_path, SLEEP, emulator=emulator, settings=QUICK, database=url) as served:
            await served.begin("one")
            await until_async(lambda: bool(served.engine.work.workflow_ids), "it is executed")
            assert await Doctor(served.engine.database).audit() == []

    async def mend() -> None:
        database = Database(url)
        database.create()
        await database.run(partial(let_be_killed, url=url, executor="gone"))
        doctor = Doctor(database)
        assert [line.split(": ")[1] for line in await doctor.audit()] == ["workflow-without-process"]
        found = {one.kind: one for one in await doctor.examine()}
        assert found.keys() == {"workflow-without-process", "no-process"}
        assert (found["workflow-without-process"].count, found["workflow-without-process"].can_mend) == (1, True)
        await doctor.mend()
        assert await doctor.audit() == []
        database.close()

    async def go_on() -> None:
        async with serving(tmp_path, SLEEP, emulator=emulator, settings=QUICK, database=url) as served:
            assert (await served.engine.wait_for_outcome("one", 20))["state"] == "succeeded"
            assert await Doctor(served.engine.database).audit() == []

    for part in (begin, mend, go_on):
        asyncio.run(part())
    assert len(emulator.messages) == 1


async def test_a_run_whose_workflow_has_ended_without_it_is_found_and_continues(tmp_path: Path, url: str) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SEND, emulator=emulator, settings=QUICK, database=url) as served:
        await served.engine.runs.accept(await served.new_run("one"))
        doctor = Doctor(served.engine.database)
        assert await doctor.audit() == ["one: run-without-workflow"]
        assert await doctor.audit(grace=60) == []
        await doctor.mend()
        assert (await served.engine.wait_for_outcome("one", 20))["state"] == "succeeded"
        assert await doctor.audit() == []
    assert len(emulator.messages) == 1


async def test_a_queue_that_has_room_and_starts_nothing_is_found(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SEND, emulator=emulator, settings=QUICK) as served:
        await served.run("one")
        stuck = update(runs).values(state="queued", queue="Test/Main", queue_number=1, finished_at=None)
        await served.engine.database.run(lambda connection: connection.execute(stuck))
        found = await Doctor(served.engine.database).audit()
    assert found == ["Test/Main: queue-without-turn"]


def leave_open(connection: Connection, *, run: str) -> None:
    """As if the first call of the run had been left by a process that died, long ago."""
    first = select(intents.c.key).where(intents.c.run == run).order_by(intents.c.created_at).limit(1)
    left = {"state": "claimed", "claimed_at": 0.0, "resource_id": None}
    connection.execute(update(intents).where(intents.c.key == first.scalar_subquery()).values(left))


async def states_of_calls(served: Served, run: str) -> set[str]:
    states = select(intents.c.state).where(intents.c.run == run)
    return set(await served.engine.database.run(lambda connection: connection.execute(states).scalars().all()))


def follow(diagnosis: Diagnosis) -> None:
    """Do what the diagnosis says; where it leaves a choice, one with each run."""
    choices = re.findall(r"`twilio-component (.+?)`", diagnosis.text)
    assert choices, f"{diagnosis.kind} says nothing that can be done"
    looks = [one for one in choices if " show " in one]
    acts = [one for one in choices if one not in looks] * len(diagnosis.ids)
    for run, command in [(diagnosis.ids[0], look) for look in looks] + [*zip(diagnosis.ids, acts, strict=False)]:
        assert main(shlex.split(command.replace("RUN", run))) != BAD_INPUT, f"{diagnosis.kind}: {command} is refused"


async def test_what_waits_for_an_operator_is_named_with_what_can_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    emulator, numbers = Emulator(), people(tmp_path, 6)
    async with serving(tmp_path, flow(1), emulator=emulator, settings=QUICK) as served:
        operations = Operations(served.engine.database)
        emulator.faults.api_error(20003, status=401, operation="messages.create", to=numbers[3])
        await served.run("stops")
        for run in ("resolved", "resent"):
            emulator.faults.server_error(operation="messages.create", to=numbers[5])
            await served.run(run)
        for run, refused in (("partly", numbers[:1]), ("fails", numbers)):
            for number in refused:
                emulator.faults.api_error(21211, times=1, operation="messages.create", to=number)
            await served.run(run)
        await served.run("succeeds")
        for run in ("partly", "fails", "succeeds"):
            await served.engine.database.run(partial(leave_open, run=run))
        await served.begin("paused")
        await operations.pause("paused")
        emulator.faults.rate_limit(times=None, retry_after=60, operation="messages.create")
        await served.begin("held")
        doctor = Doctor(served.engine.database)

        async def found_with_the_held() -> dict[str, Diagnosis] | None:
            found = {one.kind: one for one in await doctor.examine()}
            return found if "held" in found else None

        found = await until_async(found_with_the_held, "the one that is held is found")
        for one in found.values():
            await asyncio.to_thread(follow, one)
        now = {one.kind for one in await doctor.examine()}
        assert not now & {"unknown", "stopped", "paused", "open-call", "call-not-settled"}
        assert (await states_of_calls(served, "succeeds")) == {"settled", "unknown"}
    assert {kind: list(one.ids) for kind, one in found.items()} == {
        "unknown": ["resent", "resolved"],
        "stopped": ["stops"],
        "paused": ["paused"],
        "held": ["held"],
        "open-call": ["fails", "partly"],
        "call-not-settled": ["succeeds"],
    }
    assert [kind for kind, one in found.items() if one.can_mend] == ["call-not-settled"]
    option = f"--database {tmp_path / 'runs.sqlite'}`"
    assert f"then `twilio-component runs resume stops {option}" in found["stopped"].text


async def test_a_step_that_has_only_ever_had_invalid_inputs_is_named_as_a_mistake_of_what_is_served(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, SEND, emulator=Emulator()) as served:
        doctor = Doctor(served.engine.database)
        wrong = await served.new_run("wrong")
        payload = {**wrong.payload, "body": {"data": {"to": "12"}, "contentType": "application/json"}}
        await served.engine.begin(replace(wrong, payload=payload))
        assert await served.engine.wait_for_outcome("wrong", 20)
        assert await doctor.examine() == []  # of a definition that is served no more
        await served.engine.runs.note_served("Test", served.definition.digest, "http://flows.test")
        (found,) = await doctor.examine()
        assert (found.kind, found.ids) == ("wrong-inputs", ["wrong"])
        assert "runs retry wrong --definition current --database" in found.text
        await served.run("right")  # so it was what the caller gave
        assert await doctor.examine() == []


def test_the_command_says_when_all_is_well_and_fails_when_something_can_be_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = ["--database", f"sqlite:///{tmp_path / 'runs.sqlite'}"]

    async def begin(run: str) -> None:
        async with serving(tmp_path, SEND, emulator=Emulator(), settings=QUICK) as served:
            if run == "ends":
                await served.run(run)
            else:
                await served.engine.runs.accept(await served.new_run(run))

    async def go_on() -> None:
        async with serving(tmp_path, SEND, emulator=Emulator(), settings=QUICK) as served:
            await served.engine.wait_for_outcome("stays", 20)

    asyncio.run(begin("ends"))
    assert main(["runs", "doctor", *database]) == 0
    assert "nothing to repair" in capsys.readouterr().out
    asyncio.run(begin("stays"))
    assert main(["runs", "doctor", "--json", *database]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["ids"], found["canMend"]) == ("run-without-workflow", ["stays"], True)
    assert main(["runs", "doctor", "--mend", *database]) == 1
    told = capsys.readouterr().out
    assert "mended: run-without-workflow (1)" in told
    # It is enqueued, but for whom?
    assert main(["runs", "doctor", *database]) == 1
    told = capsys.readouterr().out
    assert told.startswith("no-process (1): no process executes it: start `serve` or `worker`")
    asyncio.run(go_on())
    assert main(["runs", "doctor", *database]) == 0


def test_right_after_its_process_has_died_a_run_is_said_to_be_taken_over_and_not_yet_to_be_mended(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctors, "_GRACE_SECONDS", 15.0)

    async def begin() -> None:
        async with serving(tmp_path, SLEEP, emulator=Emulator(), settings=QUICK, database=url) as served:
            await served.engine.heartbeat.beat()
            await served.begin("one")
            await until_async(lambda: bool(served.engine.work.workflow_ids), "it is executed")

    async def examine() -> dict[str, Diagnosis]:
        database = Database(url)
        database.create()
        (worker,) = await database.run(lambda connection: connection.execute(select(heartbeats.c.worker_id)).one())
        await database.run(partial(let_be_killed, url=url, executor="serve" if database.is_sqlite else worker))
        try:
            return {one.kind: one for one in await Doctor(database).examine()}
        finally:
            database.close()

    asyncio.run(begin())
    found = asyncio.run(examine())
    assert found.keys() == {"process-gone", "no-process"}
    assert re.fullmatch(
        r"taken by a process that is gone, which was last heard \d+ s ago; a process that starts takes it over",
        found["process-gone"].text,
    )
    assert (found["process-gone"].ids, found["process-gone"].can_mend) == (["one"], False)


async def test_a_process_that_lives_and_says_nothing_is_named(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, SEND, emulator=Emulator(), settings=QUICK, database=url) as served:
        await served.engine.heartbeat.beat()
        doctor = Doctor(served.engine.database)
        assert await doctor.examine() == []
        monkeypatch.setattr(gone_processes, "_MISSED_BEATS", -1)
        (found,) = await doctor.examine()
    assert (found.kind, found.needs_process) == ("process-silent", True)
    assert found.ids[0].endswith(f"process {os.getpid()}")
    assert re.match(r"silent for \d+ s: it hangs or cannot reach the database", found.text)


def test_a_workflow_that_continues_a_run_after_a_wait_is_that_runs() -> None:
    assert (ids.run_of_workflow(ids.wake_id("one~2", 3)), ids.run_of_workflow("one")) == ("one~2", "one")
