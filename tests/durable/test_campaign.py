"""The campaign of the fixtures: seven zones, quiet hours, opt-outs and a cap, in processes that end in the middle."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from durable.test_quiet_hours import SENDER, SetClock
from support.engine import Served, serving
from support.flow_runs import FIXTURES
from support.long_lists import people
from support.waiting import until_async

from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.sending.opt_outs import MESSAGE, OPERATOR, OptOutRegister
from twilio_component.emulator import Emulator
from twilio_component.flows.number_zones import zones_of_number
from twilio_component.flows.parsing.reader import load_integration
from twilio_component.flows.quiet_hours import is_quiet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager

    import pytest

    from twilio_component.flows.send_rules import QuietHours

CAMPAIGN = FIXTURES / "integrations" / "campaign.yaml"

AREAS = ("+12125550", "+12135550", "+442079460", "+49305550", "+819055500", "+61255501", "+919855550")
EACH = 4
HOURS = (12, 16, 20, 24, 30, 36, 44)
"""When a process begins, in hours after midnight of a Monday in New York."""


def recipients() -> list[str]:
    return [f"{area}{number:03d}" for number in range(EACH) for area in AREAS]


def quiet_hours() -> QuietHours:
    found = load_integration(CAMPAIGN).flows[0].quiet_hours
    assert found is not None
    return found


def flow_text() -> str:
    text = CAMPAIGN.read_text(encoding="utf-8").partition("flows:\n")[2]
    text = text.replace("Twilio Connection", "{type: configVar, value: Twilio}").replace("{{#Sender}}", SENDER)
    return text.replace("- name: Announce", "- name: Main")


def moments() -> Iterator[str]:
    for hour in HOURS:
        yield f"2026-05-{4 + hour // 24:02d}T{hour % 24:02d}:05"


class Campaign:
    """The campaign's run, in one process after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.emulator, self.clock, self.rule = Emulator(), SetClock("2026-05-04T12:05"), quiet_hours()
        self.seen: list[str] = []

    async def begin(self, opted_out: str, stops: str) -> None:
        """Begin, and end in the middle, when somebody who has not been written to opts out."""
        async with self.serving() as served:
            register = OptOutRegister(served.engine.database)
            await register.add([("*", opted_out)], OPERATOR)
            await served.begin("run")
            await until_async(lambda: len(self.emulator.messages) > 2, "it is in the middle")
            await register.add([(SENDER, stops)], MESSAGE)
        self.check()

    async def go_on(self, moment: str) -> None:
        """Go on at that time, until everybody who can be written to then has been."""
        self.clock.set(moment)
        async with self.serving() as served, asyncio.timeout(60):
            while not await self.is_settled(served):  # noqa: ASYNC110 - the database tells
                await asyncio.sleep(0.1)
        self.check()

    def serving(self) -> AbstractAsyncContextManager[Served]:
        return serving(self.folder, flow_text(), emulator=self.emulator, clock=self.clock)

    async def is_settled(self, served: Served) -> bool:
        (loop,) = await LoopViews(served.engine.database).loops("run") or [{}]
        return bool(loop) and loop["isWhole"] and loop["left"] == loop.get("held", 0)

    def check(self) -> None:
        """Hold after every process: whom it has written to was awake, wherever they may be."""
        for message in list(self.emulator.messages)[len(self.seen) :]:
            self.seen.append(message.to)
            for zone in zones_of_number(message.to, self.rule.otherwise):
                assert not is_quiet(self.rule, self.clock.now(), zone), f"{zone} sleeps"


def test_nobody_is_written_to_at_night_twice_a_day_or_after_a_stop_whatever_process_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = recipients()
    twice, opted_out, stops = numbers[0], numbers[1], numbers[4]  # who stops is in Tokyo, and sleeps at first
    people(tmp_path, len(numbers) + 1, dict(enumerate([*numbers, twice])))
    campaign = Campaign(tmp_path)
    asyncio.run(campaign.begin(opted_out, stops))
    assert 0 < len(campaign.seen) < len(numbers) // 2
    for moment in moments():
        asyncio.run(campaign.go_on(moment))
    expected = dict.fromkeys(set(numbers) - {opted_out, stops}, 1)
    assert Counter(campaign.seen) == Counter({**expected, twice: 2})
