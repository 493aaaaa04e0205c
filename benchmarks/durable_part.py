"""One side of a measurement of durable runs, in a process of its own: a workflow engine lives once in a process.

``durable_part.py bare|ours DATABASE RUNS`` prints how many runs a second began, and how many were carried out;
``durable_part.py list DATABASE RECIPIENTS URL`` prints, of a list sent to ``URL``, the seconds it took, how
much memory grew in MB, and the processor time of a send in ms, which a busy machine changes less than the seconds;
``durable_part.py help DATABASE 0 URL`` is a second process for such a list, until its standard input ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSPortableJSONSerializer, SetWorkflowID
from loopback import ACCOUNT
from sqlalchemy import create_engine, text

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.engine import Engine
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.flows import Configuration
from twilio_component.host import Host
from twilio_component.serving.garbage_collection import collect_rarely

FLOW = """\
name: Bench
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: {component: twilio, key: basic}}
flows:
  - name: Two steps
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Object, action: collection-tools.createObject, inputs: {keyValueInput: {a: "{{$trigger.results.body}}"}}}
  - name: List
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Everyone
        action: loop.loopOverItems
        concurrency: 100
        itemsFrom: {file: people.csv}
        steps:
          - name: Send
            action: twilio.sendSMS
            inputs:
              twilioConnection: Twilio
              to: "{{$everyone.currentItem.phone}}"
              from: "+15017122661"
              message: "Hi {{$everyone.currentItem.name}}"
"""
GIVEN = {"body": {"data": {"to": "+15558675310"}, "contentType": "application/json"}}
SIDE_BY_SIDE = 100
_WARMING = 20
_LOOK_SECONDS = 0.05

Do = Callable[[int], Awaitable[Any]]


class Served:
    """Our engine with the flows above."""

    def __init__(self, engine: Engine, deployment: Deployment, digest: str) -> None:
        self.engine = engine
        self._deployment = deployment
        self._digest = digest

    async def begin(self, run: str, flow: str) -> None:
        loaded = self._deployment.load("bench.yaml", FLOW)
        found = next(one for one in loaded.integration.flows if one.name == flow)
        payload = self._deployment.payload(GIVEN, loaded, found, run, "2026-01-01T00:00:00.000Z")
        await self.engine.begin(
            NewRun(id=run, definition=self._digest, integration="Bench", flow=flow, payload=payload)
        )

    async def ended(self, run: str) -> None:
        while await self.engine.wait_for_outcome(run, 60) is None:
            pass


@asynccontextmanager
async def serving(database: str, url: str = "http://127.0.0.1:9") -> Any:
    connection = {"key": "basic", "fields": {"username": ACCOUNT, "password": "token", "baseUrl": url}}
    async with Host.discover() as host:
        configuration = Configuration(config_vars={"Twilio": connection})
        deployment = Deployment(host, configuration, {}, public_url="http://flows.test")
        async with Engine.open(deployment, database, Settings(in_flight=SIDE_BY_SIDE)) as engine:
            yield Served(engine, deployment, await engine.runs.define("bench.yaml", FLOW))


async def ours(database: str, runs: int) -> None:
    """A flow of a trigger and a step."""
    async with serving(database) as served:
        open_ = "SELECT count(*) FROM flow_runs WHERE state = 'running'"
        await _measure(lambda number: served.begin(f"run-{number}", "Two steps"), Left(database, open_), runs)


async def bare(database: str, runs: int) -> None:
    """The engine's own workflow of two steps that do nothing."""
    DBOS(
        config={
            "name": "bench",
            "system_database_url": database,
            "log_level": "WARNING",
            "serializer": DBOSPortableJSONSerializer(),
        }
    )

    async def step() -> None:
        return None

    @DBOS.workflow(name="two_steps")
    async def two_steps(_: str) -> None:
        await DBOS.run_step_async({"name": "first"}, step)
        await DBOS.run_step_async({"name": "second"}, step)

    DBOS.launch()
    await DBOS.register_queue_async("bench", worker_concurrency=1_000, polling_interval_sec=0.1)

    async def begin(number: int) -> None:
        with SetWorkflowID(f"run-{number}", workflow_id_reuse_policy="reject"):
            await DBOS.enqueue_workflow_async("bench", two_steps, "+15558675310")

    schema = "" if database.startswith("sqlite") else "dbos."
    open_ = f"SELECT count(*) FROM {schema}workflow_status WHERE status IN ('ENQUEUED', 'PENDING')"
    try:
        await _measure(begin, Left(database, open_), runs)
    finally:
        DBOS.destroy()


async def send_list(database: str, recipients: int, url: str) -> None:
    """A list, with the sender unlimited."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _write_people(recipients)
        async with serving(database, url) as served:
            await served.begin("first", "Two steps")
            await served.ended("first")
            before, start, used = _resident(), time.perf_counter(), time.process_time()
            most = before
            await served.begin("list", "List")
            while await served.engine.wait_for_outcome("list", 0.5) is None:
                most = max(most, _resident())
            seconds, used = time.perf_counter() - start, time.process_time() - used
            print(f"{seconds:.2f} {(most - before):.1f} {1000 * used / recipients:.2f}")
        os.chdir("/")


async def help_with_lists(database: str, _: int, url: str) -> None:
    """A second process of a deployment: it says when it is ready, and ends with its standard input."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        async with serving(database, url):
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.read)
        os.chdir("/")


def _write_people(recipients: int) -> None:
    rows = "".join(f"P{number},+1555{number:07d}\n" for number in range(recipients))
    Path("people.csv").write_text(f"name,phone\n{rows}", encoding="utf-8")


class Left:
    """Asks the database how many runs have not ended, in the same way for both sides."""

    def __init__(self, database: str, question: str) -> None:
        self._engine = create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
        self._question = text(question)

    async def none(self) -> None:
        while await asyncio.to_thread(self._count):  # noqa: ASYNC110 - it is the database that changes
            await asyncio.sleep(_LOOK_SECONDS)

    def _count(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(self._question).scalar_one())


async def _measure(begin: Do, left: Left, runs: int) -> None:
    await _all(begin, range(-_WARMING, 0))
    await left.none()
    start = time.perf_counter()
    await _all(begin, range(runs))
    begun = time.perf_counter()
    await left.none()
    over = time.perf_counter()
    print(f"{runs / (begun - start):.1f} {runs / (over - start):.1f}")


async def _all(do: Do, numbers: range) -> None:
    waiting = iter(numbers)

    async def lane() -> None:
        for number in waiting:
            await do(number)

    await asyncio.gather(*(lane() for _ in range(SIDE_BY_SIDE)))


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    collect_rarely()  # as `serve` does
    what, where, count, *more = sys.argv[1:]
    sides = {"ours": ours, "bare": bare, "list": send_list, "help": help_with_lists}
    asyncio.run(sides[what](where, int(count), *more))  # type: ignore[operator]
