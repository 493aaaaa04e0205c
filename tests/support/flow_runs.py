"""Flows in tests: written as text, run with mocks, never waiting."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from twilio_component.flows import Configuration, FlowRunner, Outcome, load_integration
from twilio_component.host import Host

# On a busy machine generating and running an example may take its time; these tests do not promise how long.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FIXTURES = Path(__file__).parents[2] / "fixtures" / "flows"
PEOPLE = [{"name": "Ada"}, {"name": "Bob"}, {"name": "Cleo"}]


class Waits:
    """Stands in for time: remembers how long it was asked to let pass."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


class Recorder:
    """A mock that remembers its inputs and gives its answers in turn, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def __call__(self, inputs: dict[str, Any]) -> Any:
        self.calls.append(inputs)
        return self.answers.pop(0) if len(self.answers) > 1 else (self.answers or [None])[0]


def integration(steps: str, *, flow: str = "", variables: Iterable[str] = ()) -> str:
    """An integration with one flow of a webhook trigger named Trigger and ``steps``; ``flow`` are its other keys."""
    declared = "".join(f"  - {{key: {name}}}\n" for name in variables)
    return (
        "name: Test\nrequiredConfigVars:\n"
        + (declared or "  []\n")
        + "flows:\n  - name: Main\n"
        + textwrap.indent(textwrap.dedent(flow).strip() + "\n", " " * 4)
        + "    steps:\n      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}\n"
        + textwrap.indent(textwrap.dedent(steps), " " * 6)
    )


def run(
    steps: str,
    *,
    data: Any = None,
    flow: str = "",
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> Outcome:
    """Run the steps after a trigger whose body's data is ``data``; ``config`` are declared config variables."""
    text = integration(steps, flow=flow, variables=config or ())
    payload = {"body": {"data": data, "contentType": "application/json"}}
    return run_text(text, payload=payload, configuration=Configuration(config_vars=config or {}), **options)


def run_text(
    text: str, *, flow: str | None = None, payload: Mapping[str, Any] | None = None, **options: Any
) -> Outcome:
    """Run a flow of the integration ``text``, without the machine's environment and without waiting."""
    return asyncio.run(_run_text(text, flow, payload, options))


async def _run_text(text: str, flow: str | None, payload: Mapping[str, Any] | None, options: dict[str, Any]) -> Outcome:
    host_options = {name: options.pop(name) for name in ("plugins", "transport") if name in options}
    options = {"environment": {}, "sleep": Waits(), **options}
    async with Host.discover(**host_options) as host:
        runner = FlowRunner(integration=load_integration("test.yaml", text=text), host=host, **options)
        return await runner.run(flow, payload)
