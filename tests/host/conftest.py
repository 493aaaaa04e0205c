"""A component of a few lines, for tests of what every component can rely on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twilio_component.host import Action, Component, Context, DataSource, Display, Trigger, hookimpl

MakePlugin = Callable[..., object]


async def echo(_context: Context, inputs: dict[str, Any]) -> dict[str, Any]:
    return inputs


async def receive(_context: Context, payload: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    return {"got": payload, "with": inputs}


async def offer(_context: Context, _inputs: dict[str, Any]) -> list[dict[str, str]]:
    return [{"label": "One", "key": "1"}]


INPUTS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"number": {"type": "integer"}, "text": {"type": "string"}},
}


def component(key: str = "toy", perform: Any = echo) -> Component:
    shown = Display(label="Toy")
    return Component(
        key=key,
        display=shown,
        actions={"echo": Action(key="echo", display=shown, perform=perform, inputs=INPUTS)},
        triggers={"receive": Trigger(key="receive", display=shown, perform=receive, inputs=INPUTS)},
        data_sources={"offer": DataSource(key="offer", display=shown, perform=offer, inputs=INPUTS)},
    )


class Offering:
    """A plugin that offers what it was made with."""

    def __init__(self, *offered: Any) -> None:
        self.offered = offered

    @hookimpl
    def register_component(self) -> Any:
        return self.offered if len(self.offered) != 1 else self.offered[0]


@pytest.fixture
def toy() -> MakePlugin:
    """Makes a plugin: ``toy(key="toy", perform=echo)``."""
    return lambda **options: Offering(component(**options))
