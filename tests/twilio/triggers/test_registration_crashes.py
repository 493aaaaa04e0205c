"""A registration that dies at any step, and again at any step of the repetition, ends registered or restored."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from twilio_component.emulator import Emulator
from twilio_component.host import Context, Host
from twilio_component.host.state_file import apply_changes
from twilio_component.testing import emulator_connection

OURS, OLD, THEIRS = "https://new.example.com/x#rc=5", "https://old.example.com/x", "https://theirs.example.com/sms"
NUMBERS = ("+15017122661", "+15017122662")

Inputs = dict[str, Any]


class Crash(BaseException):
    """The process dies here: nothing may catch it and do something more."""


class Life:
    """A process that dies at its ``left``-th step, which is before or after it keeps a state or makes a request."""

    def __init__(self, world: EmulatorState, left: int | None) -> None:
        self.world = world
        self.left = left

    def step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash

    async def keep(self, changes: Mapping[str, Any]) -> None:
        self.step()
        self.world.disk = json.dumps(apply_changes(json.loads(self.world.disk), changes))
        self.step()

    async def deploy(self, host: Host, inputs: Inputs, url: str) -> None:
        await host.deploy_trigger("twilio", "inboundMessage", inputs, context=self._context(url))

    async def delete(self, host: Host, inputs: Inputs) -> None:
        await host.delete_trigger("twilio", "inboundMessage", inputs, context=self._context(""))

    def _context(self, url: str) -> Context:
        state = json.loads(self.world.disk)
        return Context(instance_state=state, keep_instance_state=self.keep, flow={"name": "F"}, webhook_urls={"F": url})


class Wire(httpx.AsyncBaseTransport):
    """The way to Twilio, at both ends of which the process may die that is alive now."""

    life: Life

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.life.step()
        response = await self.life.world.emulator.transport.handle_async_request(request)
        self.life.step()
        return response


class Machine:
    """Runs one life after the other. The host is made anew for none of them: it remembers nothing."""

    def __init__(self) -> None:
        self.wire = Wire()
        self._runner = asyncio.Runner()
        self._host = Host.discover(transport=self.wire)
        self._runner.run(self._host.__aenter__())

    def run(self, world: EmulatorState, act: Act, left: int | None) -> bool:
        """Do something in a life of its own; whether it came to its end."""
        self.wire.life = Life(world, left)

        async def live() -> bool:
            try:
                await act(self.wire.life, self._host)
            except Crash:
                return False
            return True

        return self._runner.run(live())

    def close(self) -> None:
        self._runner.run(self._host.__aexit__(None, None, None))
        self._runner.close()


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    one = Machine()
    yield one
    one.close()


class EmulatorState:
    """Twilio, and the disk: what survives."""

    def __init__(self, theirs: str) -> None:
        self.emulator = Emulator()
        self.disk = "{}"
        self.numbers = [self.emulator.add_number(number, sms_url=theirs, sms_method="GET") for number in NUMBERS]
        self.service = self.emulator.add_service("S", [], inbound_request_url=theirs or None, inbound_method="GET")
        self.former = self.settings()

    def settings(self) -> list[Any]:
        """Where everything leads: what nobody may lose."""
        numbers = [(number.settings["sms_url"], number.settings["sms_method"]) for number in self.numbers]
        service = self.service.settings
        return [*numbers, (service["inbound_request_url"], service["inbound_method"])]

    def inputs(self, number: int) -> Inputs:
        return {
            "twilioConnection": emulator_connection(),
            "phoneNumber": NUMBERS[number],
            "messagingServiceSid": self.service.sid,
            "replaceWebhook": True,
        }


Act = Callable[[Life, Host], Awaitable[None]]


async def register(life: Life, host: Host) -> None:
    await life.deploy(host, life.world.inputs(0), OURS)


async def register_at_an_old_url(life: Life, host: Host) -> None:
    await life.deploy(host, life.world.inputs(0), OLD)


async def register_the_other_number(life: Life, host: Host) -> None:
    await life.deploy(host, life.world.inputs(1), OURS)


async def unregister(life: Life, host: Host) -> None:
    await life.delete(host, life.world.inputs(0))


def prepared(machine: Machine, theirs: str, before: list[Act]) -> EmulatorState:
    world = EmulatorState(theirs)
    for act in before:
        assert machine.run(world, act, None)
    return world


def crashes(machine: Machine, theirs: str, before: list[Act], act: Act) -> Iterator[tuple[int, EmulatorState]]:
    """A world for each step that an act has, in which it died at that step."""
    for left in itertools.count():
        world = prepared(machine, theirs, before)
        if machine.run(world, act, left):
            assert left > 5
            return
        yield left, world


REGISTRATIONS: list[tuple[list[Act], Act]] = [
    ([], register),
    ([register_at_an_old_url], register),
    ([register], register),
    ([register], register_the_other_number),
]


@pytest.mark.parametrize("theirs", ["", THEIRS], ids=["nothing before", "theirs before"])
@pytest.mark.parametrize(("before", "act"), REGISTRATIONS, ids=["new", "moved", "again", "other number"])
def test_a_registration_that_died_is_completed_by_the_next_one_and_taken_back_by_a_removal(
    machine: Machine, before: list[Act], act: Act, theirs: str
) -> None:
    expected = prepared(machine, theirs, [*before, act]).settings()
    for _, world in crashes(machine, theirs, before, act):
        assert machine.run(world, act, None)
        assert world.settings() == expected
        assert machine.run(world, unregister, None)
        assert world.settings() == world.former
        assert json.loads(world.disk) == {}
    for _, world in crashes(machine, theirs, before, act):
        assert machine.run(world, unregister, None)
        assert world.settings() == world.former
        assert json.loads(world.disk) == {}


@pytest.mark.parametrize("theirs", ["", THEIRS], ids=["nothing before", "theirs before"])
def test_a_removal_that_died_is_completed_by_the_next_one_and_taken_back_by_a_registration(
    machine: Machine, theirs: str
) -> None:
    expected = prepared(machine, theirs, [register]).settings()
    for _, world in crashes(machine, theirs, [register], unregister):
        assert machine.run(world, unregister, None)
        assert world.settings() == world.former
        assert json.loads(world.disk) == {}
    for _, world in crashes(machine, theirs, [register], unregister):
        assert machine.run(world, register, None)
        assert world.settings() == expected
        assert machine.run(world, unregister, None)
        assert world.settings() == world.former


def test_what_dies_twice_at_any_two_steps_is_lost_as_little(machine: Machine) -> None:
    for first, second in itertools.product([register, unregister], repeat=2):
        for left, _ in crashes(machine, THEIRS, [register_at_an_old_url], first):
            for again in itertools.count():
                world = prepared(machine, THEIRS, [register_at_an_old_url])
                machine.run(world, first, left)
                ended = machine.run(world, second, again)
                assert machine.run(world, unregister, None)
                assert world.settings() == world.former, (first, left, second, again)
                if ended:
                    break


def test_nothing_is_changed_before_it_is_on_the_disk_what_was_there(machine: Machine) -> None:
    """At each death: whatever does not lead where it led before is known to the disk, with where that was."""
    for _, world in crashes(machine, THEIRS, [], register):
        kept = json.loads(world.disk).get("registrations", {})
        formers = {record["sid"]: record["former"] for record in kept.values()}
        sids = [*(number.sid for number in world.numbers), world.service.sid]
        for sid, now, before in zip(sids, world.settings(), world.former, strict=True):
            if now != before:
                assert THEIRS in formers[sid].values()
