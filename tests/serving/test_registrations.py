"""Flows whose numbers are told where they are served, and told back: with the real store, whatever dies."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.errors import StateConflictError
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.registrations import Registration, RegistrationStore
from twilio_component.durable.store.runs import RunStore
from twilio_component.emulator import Emulator
from twilio_component.flows import Configuration
from twilio_component.flows.findings import FlowError
from twilio_component.host import Component, Host, hookimpl
from twilio_component.serving.endpoints import endpoints
from twilio_component.serving.moved_registrations import find_moves
from twilio_component.serving.webhook_registration import Registrations
from twilio_component.testing import emulator_connection
from twilio_component.twilio.errors import TwilioAPIError
from twilio_component.twilio.triggers.registration import WebhookConflictError

BASE = "https://flows.test"
ONE, TWO, THEIRS = "+15017122661", "+15017122662", "https://theirs.example.com/sms?key=topsecret"
HEAD = """\
name: Demo
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: {component: twilio, key: basic}}
flows:
"""
FLOW = """\
  - name: NAME
    steps:
      - name: Trigger
        isTrigger: true
        action: twilio.inboundMessage
        inputs: {twilioConnection: {type: configVar, value: Twilio}, CHOICE}
"""
GENERIC = """\
  - name: Other
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook, inputs: {}}
"""


def flow(name: str, number: str | None) -> str:
    choice = f"phoneNumber: {{type: value, value: '{number}'}}" if number else ""
    return FLOW.replace("NAME", name).replace("CHOICE", choice)


@cache
def installed() -> list[Component]:
    """The installed components, read once: a host a step would read them again and again."""
    return [*Host.discover().components.values()]


class _Installed:
    """Brings them."""

    @hookimpl
    def register_component(self) -> list[Component]:
        return installed()


class Crash(BaseException):
    """The process dies here."""


class _Wire(httpx.AsyncBaseTransport):
    """The way to Twilio: at its ``left``-th step, at either end of a request, the process dies."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.left: int | None = None

    def step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.step()
        response = await self._emulator.transport.handle_async_request(request)
        self.step()
        return response


class _MortalStore(RegistrationStore):
    """The real store, before and after which the process may die."""

    def __init__(self, database: Database, wire: _Wire) -> None:
        super().__init__(database)
        self._wire = wire

    async def save(self, known: Registration, state: Mapping[str, Any]) -> Registration:
        self._wire.step()
        kept = await super().save(known, state)
        self._wire.step()
        return kept


class Stage:
    """Everything but the web server: a database, an emulator with two numbers, and what was said."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'runs.sqlite'}"
        self.emulator = Emulator()
        self.one, self.two = self.emulator.add_number(ONE), self.emulator.add_number(TWO)
        self.said: list[str] = []
        self.plugins: list[object] = []
        self.wire = _Wire(self.emulator)
        self.connection = emulator_connection()
        self.variable = "Twilio"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Registrations, Deployment, RunStore, RegistrationStore]]:
        database = Database(self.url)
        database.create()
        try:
            async with Host(
                [_Installed(), *self.plugins], transport=self.wire, sleep=self.emulator.clock.advance
            ) as host:
                configuration = Configuration(config_vars={self.variable: self.connection})
                deployment = Deployment(host, configuration, {}, public_url=BASE)
                runs, store = RunStore(database), _MortalStore(database, self.wire)
                yield Registrations(deployment, store, runs, self.said.append), deployment, runs, store
        finally:
            database.close()

    async def register(self, *flows: str, replace: bool = False) -> None:
        text = (HEAD + "".join(flows)).replace("Twilio", self.variable)
        async with self.opened() as (registrations, deployment, runs, _):
            await runs.define("demo.yaml", text)
            served = [deployment.load("demo.yaml", text)]
            await registrations.register(endpoints(deployment, served).values(), replace_webhooks=replace)

    async def unregister(self, name: str | None = None) -> None:
        async with self.opened() as (registrations, *_):
            await registrations.unregister(name)

    async def stored(self) -> list[str]:
        async with self.opened() as (*_, store):
            return [one.flow for one in await store.all()]

    @property
    def leads_to(self) -> tuple[Any, Any]:
        return self.one.settings["sms_url"], self.two.settings["sms_url"]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_each_flow_with_a_number_is_registered_and_unregistered_and_told_of(stage: Stage) -> None:
    await stage.register(flow("Ask", ONE), flow("Tell", TWO), GENERIC, flow("Quiet", None))
    assert stage.leads_to == (f"{BASE}/demo/ask#rc=5&rp=all", f"{BASE}/demo/tell#rc=5&rp=all")
    assert stage.said == [
        f"Ask: the phone number …61 ({stage.one.sid}) now points to this flow",
        f"Tell: the phone number …62 ({stage.two.sid}) now points to this flow",
        "Quiet: its trigger names no number or messaging service to point at it",
    ]
    assert await stage.stored() == ["Ask", "Tell"]

    await stage.unregister("Ask")
    assert stage.leads_to == ("", f"{BASE}/demo/tell#rc=5&rp=all")
    await stage.unregister()
    assert (stage.leads_to, await stage.stored()) == (("", ""), [])
    await stage.unregister()
    await stage.unregister("Ask")
    assert stage.said[-2:] == ["nothing is registered", "nothing is registered for Ask"]


async def test_a_number_that_leads_elsewhere_ends_a_first_start_and_nothing_stays_registered(stage: Stage) -> None:
    stage.two.settings["sms_url"] = THEIRS
    with pytest.raises(WebhookConflictError, match=r"serve has --replace-webhooks") as caught:
        await stage.register(flow("Ask", ONE), flow("Tell", TWO))
    assert "topsecret" not in "".join([str(caught.value), *stage.said])
    assert (stage.leads_to, await stage.stored()) == (("", THEIRS), [])

    await stage.register(flow("Ask", ONE), flow("Tell", TWO), replace=True)
    assert await stage.stored() == ["Ask", "Tell"]
    await stage.unregister()
    assert stage.leads_to == ("", THEIRS)


async def test_a_flow_that_was_registered_before_is_served_also_when_that_cannot_be_done_again(stage: Stage) -> None:
    await stage.register(flow("Ask", ONE))
    stage.one.settings["sms_url"] = THEIRS
    await stage.register(flow("Ask", ONE), flow("Tell", TWO))
    assert stage.leads_to == (THEIRS, f"{BASE}/demo/tell#rc=5&rp=all")
    assert any(text.startswith("Ask is not registered: the phone number …61") for text in stage.said)
    await stage.unregister()
    assert stage.leads_to == (THEIRS, "")


async def test_flows_that_a_file_has_no_more_are_set_back(stage: Stage) -> None:
    await stage.register(flow("Ask", ONE), flow("Tell", TWO))
    await stage.register(flow("Tell", TWO), GENERIC.replace("Other", "Ask"))
    assert (stage.leads_to[0], await stage.stored()) == ("", ["Tell"])
    await stage.register(flow("Tell", None))
    assert (stage.leads_to, await stage.stored()) == (("", ""), [])


async def test_a_number_follows_its_flow_to_another_name_and_keeps_its_former_webhook(stage: Stage) -> None:
    stage.one.settings["sms_url"] = THEIRS
    await stage.register(flow("Ask", ONE), flow("Tell", TWO), replace=True)
    # Each has the other one's name, or a new one; the files name no webhook that may be replaced.
    for names in (("Tell", "Ask"), ("Ask", "Say"), ("Say", "Ask")):
        await stage.register(flow(names[0], ONE), flow(names[1], TWO))
        assert stage.leads_to == tuple(f"{BASE}/demo/{name.lower()}#rc=5&rp=all" for name in names)
        assert await stage.stored() == sorted(names)
    stage.variable = "Phone"  # the definition of before cannot be used any more
    await stage.register(flow("New", ONE), flow("Ask", TWO))
    assert stage.leads_to[0] == f"{BASE}/demo/new#rc=5&rp=all"
    await stage.unregister()
    assert (stage.leads_to, await stage.stored()) == ((THEIRS, ""), [])


def test_registrations_move_only_to_places_that_are_or_become_free() -> None:
    a, b, c = (("Demo", name) for name in "abc")
    assert find_moves({a: b, b: a, c: None}) == {a: b, b: a}
    assert find_moves({a: b, b: c}) == {a: b, b: c}
    assert find_moves({a: b, b: c, c: None}) == find_moves({a: a, b: None}) == {}


async def test_two_flows_that_name_one_number_are_refused_by_their_lines(stage: Stage) -> None:
    with pytest.raises(
        FlowError, match=r"demo\.yaml:16: .* 'Tell' has the same phoneNumber as that of 'Ask' \(demo\.yaml:10\)"
    ) as no:
        await stage.register(flow("Ask", ONE), flow("Tell", ONE), replace=True)
    assert ONE not in str(no.value)
    assert stage.leads_to == ("", "")


async def test_a_flow_that_is_served_no_more_and_still_has_a_number_is_told_of(stage: Stage) -> None:
    await stage.register(flow("Ask", ONE))
    async with stage.opened() as (registrations, deployment, _, _):
        renamed = deployment.load("demo.yaml", HEAD + flow("Say", ONE))
        await registrations.warn_of_stale(endpoints(deployment, [renamed]).values())
    assert stage.said[-1].startswith(
        "warning: a number or service still points at the flow Ask, which demo.yaml has no"
    )


async def test_a_trigger_whose_inputs_have_no_values_is_named(stage: Stage) -> None:
    nowhere = flow("Ask", ONE).replace(f"{{type: value, value: '{ONE}'}}", "{type: configVar, value: Number}")
    with pytest.raises(FlowError, match="the trigger of Ask cannot be invoked: its inputs have no values"):
        await stage.register(nowhere)


async def test_a_component_that_has_nothing_to_say_is_not_asked_what_it_did(stage: Stage) -> None:
    class Silent:
        @hookimpl
        def perform_instance_deploy(self) -> Any:
            async def deployed() -> dict[str, Any]:
                return {"result": ["done"]}

            return deployed()

    stage.plugins.append(Silent())
    await stage.register(flow("Ask", ONE))
    assert stage.said == []


async def test_what_cannot_be_set_back_stays_known(stage: Stage) -> None:
    await stage.register(flow("Ask", ONE))
    await stage.register(flow("Tell", TWO))
    assert await stage.stored() == ["Tell"]
    stage.emulator.faults.server_error(times=None, operation="numbers.fetch")
    with pytest.raises(TwilioAPIError, match="500"):
        await stage.unregister()
    await stage.register(GENERIC)
    assert stage.said[-1].startswith("Tell is still registered: ")
    stage.emulator.faults.clear()
    await stage.unregister()
    assert (stage.leads_to, await stage.stored()) == (("", ""), [])


async def test_a_definition_whose_trigger_is_no_more_deployed_is_not_forgotten(stage: Stage) -> None:
    async with stage.opened() as (registrations, _, runs, store):
        digest = await runs.define("demo.yaml", HEAD + GENERIC)
        await store.save(Registration(integration="Demo", flow="Other", definition=digest), {"a": 1})
        with pytest.raises(FlowError, match="has nothing to remove"):
            await registrations.unregister()
    assert await stage.stored() == ["Other"]


async def test_two_processes_that_register_at_once_lose_nothing(stage: Stage) -> None:
    """While one is at it, another one completes it: the first looks again, and keeps the former value."""
    stage.one.settings["sms_url"] = THEIRS
    fetched = 0

    class Overtaken(_Wire):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal fetched
            response = await super().handle_async_request(request)
            if request.method == "GET" and (fetched := fetched + 1) == 2:
                stage.wire = plain
                await stage.register(flow("Ask", ONE), replace=True)
            return response

    plain, stage.wire = stage.wire, Overtaken(stage.emulator)
    await stage.register(flow("Ask", ONE), replace=True)
    assert stage.leads_to[0] == f"{BASE}/demo/ask#rc=5&rp=all"
    stage.wire = plain
    await stage.unregister()
    assert (stage.leads_to[0], await stage.stored()) == (THEIRS, [])


async def test_the_store_lets_only_who_knows_the_last_state_change_it(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    database.create()
    store = RegistrationStore(database)
    digest = await RunStore(database).define("a", "b")
    known = Registration(integration="I", flow="F", definition=digest)
    first = await store.save(known, {"a": 1})
    assert await store.find("I", "F") == first
    for stale in (known, Registration(integration="I", flow="F", definition=digest, version=7)):
        with pytest.raises(StateConflictError, match="another process has registered F"):
            await store.save(stale, {"a": 2})
    second = await store.save(first, {"a": 2})
    with pytest.raises(StateConflictError):
        await store.save(first, {})
    assert (await store.save(second, {})).version == 0
    assert await store.all() == []
    database.close()


async def deaths(folder: Path, *, registered: bool) -> AsyncIterator[Stage]:
    """A stage for each step of a registration or, if that is there, of its removal, with the process dead there."""
    for left in itertools.count():
        path = folder / f"{registered}-{left}"
        path.mkdir()
        stage = Stage(path)
        stage.one.settings["sms_url"] = THEIRS
        if registered:
            await stage.register(flow("Ask", ONE), replace=True)
        stage.wire.left = left
        try:
            if registered:
                await stage.unregister()
            else:
                await stage.register(flow("Ask", ONE), replace=True)
        except Crash:
            stage.wire.left = None
            yield stage
        else:
            assert left >= 6
            return


@pytest.mark.parametrize("registered", [False, True], ids=["while registering", "while unregistering"])
async def test_whatever_dies_at_any_step_the_number_ends_registered_or_restored(
    tmp_path: Path, *, registered: bool
) -> None:
    async for stage in deaths(tmp_path, registered=registered):
        await stage.register(flow("Ask", ONE), replace=not await stage.stored())
        assert stage.leads_to[0] == f"{BASE}/demo/ask#rc=5&rp=all"
        await stage.unregister()
        assert (stage.leads_to[0], await stage.stored()) == (THEIRS, [])


async def test_after_a_death_at_any_step_a_removal_alone_restores(tmp_path: Path) -> None:
    for registered in (False, True):
        async for stage in deaths(tmp_path, registered=registered):
            await stage.unregister()
            assert (stage.leads_to[0], await stage.stored()) == (THEIRS, [])
