"""The flows of the simulation's runs, and what their calls do: a send reaches the simulated Twilio."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from simulation.calls import SENDER

from twilio_component.durable.deployment import CALLBACKS, Deployment, LoadedDefinition
from twilio_component.emulator.connection import emulator_connection
from twilio_component.flows import Configuration
from twilio_component.flows.runner.invoker import Invoker
from twilio_component.host import Host
from twilio_component.host.results import Candidate

if TYPE_CHECKING:
    import datetime as dt

    from simulation.twilio import SimulatedTwilio

    from twilio_component.flows.interpreter.effects import Call, Failure
    from twilio_component.flows.model import Flow
    from twilio_component.host.model import Asking
    from twilio_component.host.questions import Question

FILE = "simulated.yaml"
ACCOUNT = emulator_connection()["fields"]["username"]
_PUBLIC = "https://flows.test"
_TRIGGER = "{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}"


def _send(name: str, to: str, text: str) -> str:
    return f"""\
      - name: {name}
        action: twilio.sendSMS
        inputs:
          twilioConnection: {{type: configVar, value: Twilio}}
          to: "{to}"
          from: "{SENDER}"
          message: "{text}"
"""


def _start(flow: str, data: str, how: str = "") -> str:
    return f"""\
      - {{name: Start, {how}action: cross-flow.invokeFlow, inputs: {{flowName: {flow}, data: "{data}"}}}}
"""


def _ask(to: str, text: str, again: str) -> str:
    return f"""\
      - name: Ask
        action: twilio.sendAndWait
        inputs:
          twilioConnection: {{type: configVar, value: Twilio}}
          to: "{to}"
          from: "{SENDER}"
          message: "{text}"
          retryMessage: "{again}"
          answerType: yesNo
          deadline: 20s
          ifBusy: wait
        branches: [{{name: answered, steps: []}}, {{name: Else, steps: []}}]
"""


def _loop(steps: str, items: int) -> str:
    within = "".join(f"    {line}\n" for line in steps.splitlines())
    return f"""\
      - name: Everyone
        action: loop.loopOverItems
        concurrency: 2
        inputs: {{items: {{type: value, value: {[str(number) for number in range(1, items + 1)]}}}}}
        steps:
{within}"""


def _flow(name: str, *steps: str, synchronous: bool = False, again: str = "") -> str:
    head = "    isSynchronous: true\n" * synchronous + again
    return f"  - name: {name}\n{head}    steps:\n      - {_TRIGGER}\n{''.join(steps)}"


_DATA = "{{$trigger.results.body.data}}"
_ITEM = "{{$everyone.currentItem}}"
QUESTION, AGAIN = "q", "r"
_DEFAULTS = {"retries": 1, "deadline": 20.0, "lateReplies": "flow"}  # what accepting the inputs would add
TO = {"one": "+15558675310", "two": "+15558675309"}
_Z = _send("Z", TO["two"], f"{_DATA} z")
HEARD = "Heard"
FIRST, CHANGED, LATER = "a", "a2", "n"
FLOWS: dict[str, tuple[str, ...]] = {
    "Plain": ("a", "b"),
    "Starting": ("a", "c", "b"),
    "Leaving": ("d", "a"),
    "List": ("1", "2", "3", "4", "5", "6", "z"),
    "Starters": ("1c", "2c", "3c", "z"),
    "Asking": ("a", QUESTION, AGAIN, "b"),
    "Trying": ("a", "c", "e", "b"),
    "Anew": ("c", "e", "b"),
}
"""What is sent by each flow and by what it starts: the last words of the texts. ``AGAIN`` follows a misfit only."""
_RETRIED = "errorConfig: {errorHandlerType: retry, maxAttempts: 2, delaySeconds: 1}, "
_REPEATED = "    retryConfig: {maxAttempts: 2, delayMinutes: 0.05}\n"


def _definition(first: str, last: str = "") -> str:
    """The text of a definition: what the first sends of its flows say, and the step that the flows end with."""
    a = _send("A", TO["one"], f"{_DATA} {first}")
    return f"""\
name: Simulated
requiredConfigVars:
  - {{key: Twilio, dataType: connection, connection: {{component: twilio, key: basic}}}}
flows:
{_flow("Plain", a, _send("B", TO["two"], f"{_DATA} b"), last)}\
{_flow("Starting", a, _start("Child", f"{_DATA} c"), _send("B", TO["one"], f"{_DATA} b"), last)}\
{_flow("Leaving", _start("Later", f"{_DATA} d"), a, last)}\
{_flow("List", _loop(_send("Item", TO["one"], f"{_DATA} {_ITEM}"), 6), _Z, last)}\
{_flow("Starters", _loop(_start("Child", f"{_DATA} {_ITEM}c"), 3), _Z, last)}\
{_flow("Asking", a, _ask(TO["one"], f"{_DATA} q", f"{_DATA} r"), _send("B", TO["two"], f"{_DATA} b"), last)}\
{_flow("Trying", a, _start("Pair", _DATA, _RETRIED), _send("B", TO["one"], f"{_DATA} b"), last)}\
{_flow("Anew", _start("Pair", _DATA), _send("B", TO["two"], f"{_DATA} b"), last, again=_REPEATED)}\
{_flow("Pair", _send("C", TO["one"], f"{_DATA} c"), _send("E", TO["two"], f"{_DATA} e"), synchronous=True)}\
{_flow("Child", _send("C", TO["one"], _DATA), synchronous=True)}\
{_flow("Later", _send("D", TO["two"], _DATA))}\
{_flow(HEARD, _send("H", TO["two"], f"{_DATA} h"))}\
"""


TEXT = _definition(FIRST)
CHANGED_TEXT, LONGER_TEXT = _definition(CHANGED), _definition(FIRST, _send("N", TO["two"], f"{_DATA} {LATER}"))
"""What takes the place of ``TEXT``: with another first text, or with one more step at the end."""


def texts_of(flow: str, tag: str) -> Counter[str]:
    """Return the texts that a run of this flow, which was given this tag, causes at most."""
    return Counter(f"{tag} {last}" for last in (*FLOWS[flow], LATER))


def without_changes(text: str) -> str:
    """Return the text that the first definition has in the place of this one."""
    tag, _, last = text.rpartition(" ")
    return f"{tag} {FIRST}" if last == CHANGED else text


@cache
def _host() -> Host:
    return Host.discover()


@cache
def _loaded(text: str) -> LoadedDefinition:
    configuration = Configuration(config_vars={"Twilio": emulator_connection()})
    return Deployment(_host(), configuration, {}, public_url=_PUBLIC).load(FILE, text)


class SimulatedDeployment(Deployment):
    """Serves the definitions, whose sends reach this Twilio."""

    def __init__(self, twilio: SimulatedTwilio) -> None:
        super().__init__(_host(), Configuration(), {}, public_url=_PUBLIC, has_callbacks=True)
        self._twilio = twilio
        self._made: dict[str, LoadedDefinition] = {}

    def load(self, _file: str = FILE, text: str = TEXT) -> LoadedDefinition:
        if text not in self._made:
            known = _loaded(text)
            given = {one.name: getattr(known.invoker, one.name) for one in fields(Invoker) if one.init}
            self._made[text] = replace(known, invoker=SimulatedInvoker(**given, twilio=self._twilio))
        return self._made[text]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedInvoker(Invoker):
    """Carries out sends through the simulated Twilio, which learns from the callback's URL whose they are."""

    twilio: SimulatedTwilio

    def validate_inputs(self, call: Call) -> Mapping[str, Any]:
        return call.inputs  # they are valid, and a host belongs to one loop

    def question(self, call: Call, asks: Asking) -> Question | Failure:
        return asks.question({**call.inputs, **_DEFAULTS})

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
        return [
            Candidate(id=one.sid, data={"sid": one.sid}, equal=one.text == text and not one.is_blurred) for one in found
        ]
