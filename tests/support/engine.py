"""Engines in tests: one definition, the emulator in process, a SQLite file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from support.prepared_database import prepare_database

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.engine import Engine
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.emulator import Emulator
from twilio_component.flows import Configuration
from twilio_component.host import Host
from twilio_component.testing import emulator_connection

if TYPE_CHECKING:
    import httpx

    from twilio_component.durable.clock import Clock
    from twilio_component.durable.observation import Observer

HEAD = """\
name: Test
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: {component: twilio, key: basic}}
  - {key: Cron, dataType: string, defaultValue: "5 4 * * *"}
flows:
"""
SEND = """\
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Send
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: {type: reference, value: trigger.results.body.data.to}
          from: {type: value, value: "+15017122661"}
          message: {type: value, value: the words of the message}
"""
COUNT = """\
  - name: Main
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Sleep, action: sleep.sleep, inputs: {ms: {type: value, value: 1}}}
      - {name: Count, action: persist-data.incrementInstanceValue, inputs: {keyInput: {type: value, value: n}}}
      - {name: Read, action: persist-data.getInstanceValue, inputs: {keyInput: {type: value, value: n}}}
"""
START = """\
  - name: NAME
    isSynchronous: true
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: {type: value, value: STARTED}}}
"""
TO = "+15558675310"
TO_SOMEBODY = MappingProxyType({"to": TO})


class Served:
    """An engine with one definition."""

    def __init__(self, engine: Engine, deployment: Deployment, flows: str) -> None:
        self.engine = engine
        self.deployment = deployment
        self.text = HEAD + flows
        self.definition = deployment.load("test.yaml", self.text)

    async def begin(self, run: str, flow: str = "Main", data: Mapping[str, Any] = TO_SOMEBODY) -> bool:
        return await self.engine.begin(await self.new_run(run, flow, data))

    async def new_run(self, run: str, flow: str = "Main", data: Mapping[str, Any] = TO_SOMEBODY) -> NewRun:
        digest = await self.engine.runs.define("test.yaml", self.text)
        found = next(one for one in self.definition.integration.flows if one.name == flow)
        given = {"body": {"data": data, "contentType": "application/json"}}
        payload = self.deployment.payload(given, self.definition, found, run, "2026-01-01T00:00:00.000Z")
        return NewRun(id=run, definition=digest, integration="Test", flow=flow, payload=payload)

    async def run(self, run: str, flow: str = "Main", data: Mapping[str, Any] = TO_SOMEBODY) -> Mapping[str, Any]:
        await self.begin(run, flow, data)
        ended: Mapping[str, Any] | None = await self.engine.wait_for_outcome(run, 20)
        assert ended is not None
        return ended


@asynccontextmanager
async def serving(
    folder: Path,
    flows: str,
    *,
    emulator: Emulator | None = None,
    settings: Settings | None = None,
    database: str = "",
    plugins: Sequence[object] = (),
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    is_emulated: bool = False,
    observer: Observer | None = None,
) -> AsyncIterator[Served]:
    """Serve the flows from a file in the folder, or from the ``database`` (a URL)."""
    async with Host.discover(transport=transport or (emulator or Emulator()).transport, plugins=plugins) as host:
        configuration = Configuration(config_vars={"Twilio": emulator_connection()})
        deployment = Deployment(host, configuration, {}, public_url="http://flows.test")
        if not database:
            prepare_database(folder / "runs.sqlite")
        url = database or f"sqlite:///{folder / 'runs.sqlite'}"
        chosen = settings or Settings(timeout=10, lag_bound=0.2)
        async with Engine.open(
            deployment, url, chosen, clock=clock, observer=observer, is_emulated=is_emulated
        ) as engine:
            yield Served(engine, deployment, flows)
