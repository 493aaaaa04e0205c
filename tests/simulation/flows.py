"""The flows of the simulation's runs, and what their calls do: a send reaches the simulated Twilio."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from twilio_component.durable.deployment import CALLBACKS, Deployment, LoadedDefinition
from twilio_component.emulator.connection import emulator_connection
from twilio_component.flows import Configuration
from twilio_component.flows.runner.invoker import Invoker
from twilio_component.host import Host
from twilio_component.host.results import Candidate

if TYPE_CHECKING:
    import datetime as dt

    from simulation.twilio import SimulatedTwilio

    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.flows.model import Flow

FILE = "simulated.yaml"
_PUBLIC = "https://flows.test"
_TRIGGER = "{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}"


def _send(name: str, to: str, text: str) -> str:
    return f"""\
      - name: {name}
        action: twilio.sendSMS
        inputs:
          twilioConnection: {{type: configVar, value: Twilio}}
          to: "{to}"
          from: "+15017122661"
          message: "{text}"
"""


def _start(flow: str, data: str) -> str:
    return f"""\
      - {{name: Start, action: cross-flow.invokeFlow, inputs: {{flowName: {flow}, data: "{data}"}}}}
"""


def _loop(steps: str) -> str:
    within = "".join(f"    {line}\n" for line in steps.splitlines())
    return f"""\
      - name: Everyone
        action: loop.loopOverItems
        concurrency: 2
        inputs: {{items: {{type: value, value: ["1", "2", "3"]}}}}
        steps:
{within}"""


def _flow(name: str, *steps: str, synchronous: bool = False) -> str:
    head = "    isSynchronous: true\n" if synchronous else ""
    return f"  - name: {name}\n{head}    steps:\n      - {_TRIGGER}\n{''.join(steps)}"


_DATA = "{{$trigger.results.body.data}}"
_ITEM = "{{$everyone.currentItem}}"
_TO = {"one": "+15558675310", "two": "+15558675309"}
_A, _Z = _send("A", _TO["one"], f"{_DATA} a"), _send("Z", _TO["two"], f"{_DATA} z")
FLOWS: dict[str, tuple[str, ...]] = {
    "Plain": ("a", "b"),
    "Starting": ("a", "c", "b"),
    "Leaving": ("d", "a"),
    "List": ("1", "2", "3", "z"),
    "Starters": ("1c", "2c", "3c", "z"),
}
"""What is sent by each flow and by what it starts: the last words of the texts."""
TEXT = f"""\
name: Simulated
requiredConfigVars:
  - {{key: Twilio, dataType: connection, connection: {{component: twilio, key: basic}}}}
flows:
{_flow("Plain", _A, _send("B", _TO["two"], f"{_DATA} b"))}\
{_flow("Starting", _A, _start("Child", f"{_DATA} c"), _send("B", _TO["one"], f"{_DATA} b"))}\
{_flow("Leaving", _start("Later", f"{_DATA} d"), _A)}\
{_flow("List", _loop(_send("Item", _TO["one"], f"{_DATA} {_ITEM}")), _Z)}\
{_flow("Starters", _loop(_start("Child", f"{_DATA} {_ITEM}c")), _Z)}\
{_flow("Child", _send("C", _TO["one"], _DATA), synchronous=True)}\
{_flow("Later", _send("D", _TO["two"], _DATA))}\
"""


def texts_of(flow: str, tag: str) -> Counter[str]:
    """Return the texts that a run of this flow, which was given this tag, causes when all goes well."""
    return Counter(f"{tag} {last}" for last in FLOWS[flow])


@cache
def _host() -> Host:
    return Host.discover()


@cache
def _loaded() -> LoadedDefinition:
    configuration = Configuration(config_vars={"Twilio": emulator_connection()})
    return Deployment(_host(), configuration, {}, public_url=_PUBLIC).load(FILE, TEXT)


class SimulatedDeployment(Deployment):
    """Serves the one definition, whose sends reach this Twilio."""

    def __init__(self, twilio: SimulatedTwilio) -> None:
        super().__init__(_host(), Configuration(), {}, public_url=_PUBLIC, has_callbacks=True)
        known = _loaded()
        invoker = SimulatedInvoker(
            **{name: getattr(known.invoker, name) for name in Invoker.__dataclass_fields__}, twilio=twilio
        )
        self._definition = replace(known, invoker=invoker)

    def load(self, _file: str = FILE, _text: str = TEXT) -> LoadedDefinition:
        return self._definition


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedInvoker(Invoker):
    """Carries out sends through the simulated Twilio, which learns from the callback's URL whose they are."""

    twilio: SimulatedTwilio

    def validate_inputs(self, call: Call) -> Mapping[str, Any]:
        return call.inputs  # they are valid, and a host belongs to one loop

    async def perform_once(
        self,
        flow: Flow,  # noqa: ARG002 - the interface's
        call: Call,
        payload: Mapping[str, Any],
        *,
        attempt_seconds: float | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        if call.is_trigger:
            return {"payload": {**payload}}
        *_, run, ordinal = call.inputs["statusCallback"].partition(CALLBACKS)[2].split("/")
        sid = await self.twilio.send(f"{unquote(run)}:{ordinal}", call.inputs["message"])
        return {"data": {"sid": sid}}

    async def find_candidates(
        self, _flow: Flow, call: Call, _payload: Mapping[str, Any], since: dt.datetime
    ) -> list[Candidate]:
        # As `sent_messages` does: a Twilio whose clock is behind gives earlier dates; its responses tell how much.
        earliest = since.timestamp() - 1_000_000.0 + min(0.0, math.floor(self.twilio.ahead))
        found = [message for message in await self.twilio.list_messages() if message.created_at >= earliest]
        found.sort(key=lambda message: message.created_at, reverse=True)
        text = call.inputs["message"]
        return [Candidate(id=one.sid, data={"sid": one.sid}, equal=one.text == text) for one in found]
