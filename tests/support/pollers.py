"""A flow that polls, in tests."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

from twilio_component.emulator import Emulator
from twilio_component.host import Context
from twilio_component.testing import Harness, emulator_connection

NUMBERS = {"to": "+15558675310", "from": "+15017122661"}
# Far from this machine's time, which polls must not look at.
START = dt.datetime(2031, 5, 4, 3, 2, 1, tzinfo=dt.UTC)


class Poller:
    """A flow that polls: keeps the state as a host does, as JSON, and everything that it was told."""

    def __init__(self, **inputs: Any) -> None:
        self.emulator = Emulator(start=START)
        self.inputs = {"connection": emulator_connection(), **inputs}
        self.state: dict[str, Any] = {}
        self.runner = asyncio.Runner()
        self.harness = Harness(emulator=self.emulator)
        self.runner.run(self.harness.__aenter__())
        self.result: dict[str, Any] = {}

    def close(self) -> None:
        self.runner.run(self.harness.__aexit__(None, None, None))
        self.runner.close()

    @property
    def remembered(self) -> dict[str, Any]:
        """What the trigger remembers."""
        found: dict[str, Any] = self.state["pollChangesTrigger"]
        return found

    @remembered.setter
    def remembered(self, state: dict[str, Any]) -> None:
        self.state["pollChangesTrigger"] = state

    def send(self, **inputs: Any) -> str:
        sent = self.harness.action("sendSMS", {**NUMBERS, "message": "x", **inputs})
        sid: str = self.runner.run(sent)["data"]["sid"]
        return sid

    def advance(self, seconds: float) -> None:
        self.runner.run(self.emulator.clock.advance(seconds))

    def poll(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        context = Context(instance_state=self.state, logger=self.harness.logger)
        invoked = self.harness.host.invoke_trigger("twilio", "pollChangesTrigger", {}, self.inputs, context=context)
        self.result = self.runner.run(invoked)
        self.state = json.loads(json.dumps({**self.state, **self.result["instanceState"]}))
        data = self.result["payload"]["body"]["data"]
        return data["created"], data["updated"]
