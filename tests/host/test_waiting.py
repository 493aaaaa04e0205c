"""Actions that are polled until they have a result: by the host, or by a caller that asked for each ``PollAgain``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from twilio_component.host import Action, Component, Context, Display, Host, PollAgain, check_manifest, hookimpl
from twilio_component.host.errors import PluginError


class Kettle:
    """A component whose action answers when it has been asked for long enough; asking takes two seconds."""

    def __init__(self, *, waits: bool = True) -> None:
        self.now = 100.0
        self.waited: list[float] = []
        self.waits = waits

    @hookimpl
    def register_component(self) -> Component:
        shown = Display(label="Kettle")
        boil = Action(
            key="boil",
            display=shown,
            perform=self.boil,
            idempotent=True,
            waits=self.waits,
            inputs={"type": "object", "properties": {"name": {"type": "string"}}},
        )
        return Component(key="kettle", display=shown, actions={"boil": boil})

    async def boil(self, context: Context, inputs: dict[str, Any]) -> Any:
        self.waited.append(context.waited)
        self.now += 2
        name = inputs.pop("name")
        return name if context.waited >= 20 else PollAgain(8)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def asked(self, context: Context | None = None) -> dict[str, Any]:
        async with Host([self], sleep=self.sleep, clock=lambda: self.now) as host:
            return await host.invoke_action("kettle", "boil", {"name": "tea"}, context=context)


async def test_the_host_asks_again_and_counts_the_time_that_asking_takes() -> None:
    kettle = Kettle()
    assert await kettle.asked() == {"data": "tea"}
    assert kettle.waited == [0, 10, 20]


async def test_who_waits_by_itself_is_told_when_to_ask_again_and_says_how_long_it_has() -> None:
    kettle = Kettle()
    assert await kettle.asked(Context(asks_again=True)) == {"again": 8}
    assert await kettle.asked(Context(asks_again=True, waited=20)) == {"data": "tea"}
    assert await kettle.asked(Context(waited=15)) == {"data": "tea"}
    assert kettle.waited == [0, 20, 15, 25]


async def test_an_action_that_does_not_say_so_cannot_wait() -> None:
    with pytest.raises(PluginError, match="does not declare 'waits: true'"):
        await Kettle(waits=False).asked()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 8 * 24 * 3600])
def test_what_would_never_pause_or_never_end_is_not_a_pause(seconds: float) -> None:
    with pytest.raises(ValueError, match="called again in more than 0"):
        PollAgain(seconds)


def test_what_must_not_be_repeated_cannot_wait(tmp_path: Path) -> None:
    manifest = tmp_path / "component.yaml"
    text = """\
key: kettle
display: {label: Kettle, description: Boils, category: Data}
actions:
  boil:
    display: {label: Boil, description: Boils}
    perform: asyncio:sleep
    waits: true
    idempotent: REPEATABLE
    example: {data: null}
"""
    manifest.write_text(text.replace("REPEATABLE", "true"))
    assert check_manifest(manifest) == []
    manifest.write_text(text.replace("REPEATABLE", "false"))
    assert [str(problem.message) for problem in check_manifest(manifest)] == ["must be true, since waits is given"]
