"""Messages that wait for a decent hour, or since their recipient has had enough: in runs and in lists."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert
from support.engine import SEND, TO, Served, serving
from support.long_lists import flow, people, sent
from support.waiting import until_async

from twilio_component.durable.clock import Clock
from twilio_component.durable.fanout import chunk_runner, coordinator
from twilio_component.durable.operator.gauges import read_gauges
from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.sending.conditions import HoldUntil, Proceed
from twilio_component.durable.sending.opt_outs import OptOutRegister
from twilio_component.durable.sending.quiet_hours import OutsideQuietHours
from twilio_component.durable.sending.send_rules import SendRules
from twilio_component.durable.settings import settings_from
from twilio_component.durable.store.schema import last_heard
from twilio_component.emulator import Emulator
from twilio_component.flows.send_rules import QuietHours
from twilio_component.host.contacts import Contact
from twilio_component.host.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from twilio_component.durable.sending.intents import CallIdentity
    from twilio_component.durable.store.database import Database

NIGHT = """
    quietHours: {from: "21:00", to: "08:00", timeZone: America/New_York}
"""
EVERYWHERE = '\n    quietHours: {from: "21:00", to: "08:00"}\n'
QUIET = SEND.replace("  - name: Main\n", "  - name: Main" + NIGHT, 1)
NEW_YORK, BERLIN, TOKYO = "+12125551234", "+4915112345678", "+819012345678"
SENDER = "+15017122661"


@pytest.fixture(autouse=True)
def _lists_beside_the_flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class SetClock(Clock):
    """A clock that was set to a moment, and whose waits end soon."""

    def __init__(self, moment: str, zone: str = "America/New_York") -> None:
        self.set(moment, zone)

    def set(self, moment: str, zone: str = "America/New_York") -> None:
        local = dt.datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone))
        self._ahead = local.timestamp() - super().now()

    def now(self) -> float:
        return super().now() + self._ahead

    def wall(self) -> float:
        return self.now()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.1))


class LateClock(SetClock):
    """The clock of a process whose machine has slept for nine hours since: its own time has stood still meanwhile."""

    def wall(self) -> float:
        return self.now() + 9 * 3600


async def held_step(served: Served, run: str) -> dict[str, Any] | None:
    steps = (await RunViews(served.engine.database).show(run))["steps"]
    return next((step for step in steps if "hold" in step), None)


async def test_a_message_waits_for_the_morning_of_its_recipient_and_says_so(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T23:00")
    async with serving(tmp_path, QUIET, emulator=emulator, clock=clock) as served:
        await served.begin("run")
        await until_async(lambda: held_step(served, "run"), "the step is held")
        held = await held_step(served, "run")
        assert held is not None
        assert (held["hold"], held["heldUntil"]) == ("quiet-hours", "2026-05-05T12:00:00.000Z")
        assert not emulator.messages
        clock.set("2026-05-05T08:00:01")
        ended = await served.engine.wait_for_outcome("run", 20)
    assert ended["state"] == "succeeded"
    assert len(emulator.messages) == 1


def test_messages_that_are_held_survive_a_restart(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T10:00")
    numbers = people(tmp_path, 4, {0: TOKYO, 1: NEW_YORK, 2: "+819012345679", 3: BERLIN})
    text = flow(concurrency=2).replace("  - name: Main\n", "  - name: Main" + EVERYWHERE, 1)

    async def until_two_are_held() -> None:
        async with serving(tmp_path, text, emulator=emulator, clock=clock) as served:
            await served.begin("run")

            async def two_are_held() -> bool:
                (loop,) = await LoopViews(served.engine.database).loops("run") or [{}]
                return loop.get("held") == 2 and loop.get("succeeded") == 2

            await until_async(two_are_held, "two are held")

    async def to_the_end() -> None:
        async with serving(tmp_path, text, emulator=emulator, clock=clock) as served:
            assert (await served.engine.wait_for_outcome("run", 20))["state"] == "succeeded"

    asyncio.run(until_two_are_held())
    clock.set("2026-05-04T19:01")
    asyncio.run(to_the_end())
    assert dict(sent(emulator)) == dict.fromkeys(numbers, 1)


async def test_only_valid_for_drops_what_is_held(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T23:00")
    short = QUIET.replace(
        "        action: twilio.sendSMS\n", "        action: twilio.sendSMS\n        validFor: 3600\n"
    )
    async with serving(tmp_path, short, emulator=emulator, clock=clock) as served:
        await served.begin("run")
        await until_async(lambda: held_step(served, "run"), "the step is held")
        clock.set("2026-05-05T00:30")
        ended = await served.engine.wait_for_outcome("run", 20)
    assert ended["error"]["code"] == "deadline-exceeded"
    assert not emulator.messages


async def test_a_paused_run_leaves_its_held_message_and_continues_with_it(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T23:00")
    async with serving(tmp_path, QUIET, emulator=emulator, clock=clock) as served:
        await served.begin("run")
        await until_async(lambda: held_step(served, "run"), "the step is held")
        operations = Operations(served.engine.database)
        await operations.pause("run")
        clock.set("2026-05-05T09:00")
        await asyncio.sleep(0.5)
        assert not emulator.messages
        await operations.resume("run")
        assert (await served.engine.wait_for_outcome("run", 20))["state"] == "succeeded"
    assert len(emulator.messages) == 1


async def test_an_answer_that_waits_for_its_turn_for_too_long_does_not_pass_after_all(database: Database) -> None:
    heard = {"sender": SENDER, "person": NEW_YORK, "heard_at": time.time()}
    await database.run(lambda connection: connection.execute(insert(last_heard).values(heard)))
    always = QuietHours(start=None, end=None, days=frozenset(range(7)), except_replies=900.0)
    rules = SendRules({SENDER: always})
    contact = Contact(person=NEW_YORK, senders=(SENDER,))
    guarded: Any = SimpleNamespace(contact=contact, sender=SENDER, quiet_hours=None)
    verdict = await OutsideQuietHours(database, rules, margin=1.0).judge(cast("CallIdentity", None), guarded)
    assert isinstance(verdict, Proceed)
    (condition,) = verdict.claim_conditions

    def claimed(seconds: float) -> Callable[[Connection], bool]:
        return lambda connection: condition.holds(connection, time.time() + seconds)

    assert [await database.run(claimed(seconds)) for seconds in (600, 1_000)] == [True, False]


async def test_a_machine_that_has_slept_knows_that_it_is_night_and_when_that_ends(database: Database) -> None:
    database.clock = LateClock("2026-05-04T14:00")
    night = QuietHours(start=dt.time(21), end=dt.time(8), zone="America/New_York")
    guarded: Any = SimpleNamespace(
        contact=Contact(person=NEW_YORK, senders=(SENDER,)), sender=SENDER, quiet_hours=night
    )
    verdict = await OutsideQuietHours(database, SendRules(), margin=1.0).judge(cast("CallIdentity", None), guarded)
    assert isinstance(verdict, HoldUntil)
    assert verdict.until == pytest.approx(database.clock.now() + 9 * 3600, abs=5)


async def test_an_answer_to_somebody_who_has_just_written_passes(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T23:00")
    replying = QUIET.replace("timeZone:", "exceptReplies: 15, timeZone:")
    async with serving(tmp_path, replying, emulator=emulator, clock=clock) as served:
        heard = {"sender": SENDER, "person": TO, "heard_at": clock.now() - 14 * 60}
        await served.engine.database.run(lambda connection: connection.execute(insert(last_heard).values(heard)))
        assert (await served.run("one"))["state"] == "succeeded"
        clock.set("2026-05-04T23:10")
        await served.begin("two")
        await until_async(lambda: held_step(served, "two"), "the second is held")
    assert len(emulator.messages) == 1


async def test_the_zone_may_come_from_the_trigger_and_must_exist(tmp_path: Path) -> None:
    zone = "timeZone: {type: reference, value: trigger.results.body.data.to}"
    async with serving(tmp_path, QUIET.replace("timeZone: America/New_York", zone)) as served:
        ended = await served.run("run")
    assert ended["error"]["code"] == "unknown-time-zone"


async def test_quiet_hours_of_a_sender_concern_every_flow(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T23:00")
    section = {"(501) 712-2661": {"from": "21:00", "to": "08:00", "defaultTimeZone": "America/New_York"}}
    settings = settings_from({"quietHours": section, "sending": {"timeout": 0.5, "lagBound": 0.2}})
    async with serving(tmp_path, SEND, emulator=emulator, clock=clock, settings=settings) as served:
        await served.begin("run")
        await until_async(lambda: held_step(served, "run"), "the step is held")
    assert not emulator.messages


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"quietHours": {"+1": {"days": []}}}, 'quietHours["+1"].from: quietHours needs a time'),
        ({"quietHours": {"+1": {"from": "21:00", "to": "x"}}}, ".to: must be a time of day"),
        ({"frequencyCaps": {"Brand": {"perDay": 0}}}, "frequencyCaps.Brand.perDay: must be a whole number"),
    ],
)
def test_a_wrong_rule_of_a_sender_is_named(sections: Any, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        settings_from(sections)
    assert problem in str(caught.value)


async def test_a_list_continues_with_those_who_are_awake(tmp_path: Path) -> None:
    # One at a time, and those who sleep come first.
    emulator, clock = Emulator(), SetClock("2026-05-04T10:00")
    numbers = people(
        tmp_path, 6, {0: TOKYO, 1: "+819012345679", 2: NEW_YORK, 3: "+819012345670", 4: BERLIN, 5: "+12125551235"}
    )
    text = flow(concurrency=1).replace("  - name: Main\n", "  - name: Main" + EVERYWHERE, 1)
    async with serving(tmp_path, text, emulator=emulator, clock=clock) as served:
        await served.begin("run")

        async def awake_are_done() -> bool:
            (loop,) = await LoopViews(served.engine.database).loops("run") or [{}]
            return loop.get("succeeded") == 3 and loop.get("held") == 3

        await until_async(awake_are_done, "those who are awake have it")
        assert set(sent(emulator)) == {NEW_YORK, BERLIN, "+12125551235"}
        (loop,) = await LoopViews(served.engine.database).loops("run")
        assert (loop["heldUntil"], loop["heldBy"]) == ("2026-05-04T23:00:00.000Z", ["quiet-hours"])
        # The last of them may not continue before.
        assert loop["expectedEnd"] >= "2026-05-04T23:00:00.000Z"
        assert (await read_gauges(served.engine.database)).held_iterations == {"Main": 3}
        clock.set("2026-05-04T19:01")
        assert (await served.engine.wait_for_outcome("run", 20))["state"] == "succeeded"
    assert dict(sent(emulator)) == dict.fromkeys(numbers, 1)


async def test_a_list_of_which_very_many_sleep_continues_with_those_who_wake_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More are held than may wait to be stored.
    monkeypatch.setattr(chunk_runner, "_MAX_UNSTORED", 2)
    monkeypatch.setattr(coordinator, "_HELD_PAUSE", 0.05)
    emulator, clock, los_angeles = Emulator(), SetClock("2026-05-04T07:00"), "+1213555123"
    numbers = people(tmp_path, 5, {0: NEW_YORK, **{number: f"{los_angeles}{number}" for number in range(1, 5)}})
    text = flow(concurrency=1).replace("  - name: Main\n", "  - name: Main" + EVERYWHERE, 1)
    async with serving(tmp_path, text, emulator=emulator, clock=clock) as served:
        await served.begin("run")

        async def all_are_held() -> bool:
            (loop,) = await LoopViews(served.engine.database).loops("run") or [{}]
            return loop.get("held") == len(numbers)

        await until_async(all_are_held, "all are held")
        clock.set("2026-05-04T08:01")
        await until_async(_has(emulator, 1), "one is sent")
        assert set(sent(emulator)) == {NEW_YORK}
        clock.set("2026-05-04T11:01")
        assert (await served.engine.wait_for_outcome("run", 20))["state"] == "succeeded"
    assert dict(sent(emulator)) == dict.fromkeys(numbers, 1)


CAPPED = SEND.replace("  - name: Main\n", "  - name: Main\n    frequencyCaps: {perHour: 1, perDay: 2}\n", 1)


async def test_a_person_gets_as_many_messages_as_the_cap_allows_and_the_rest_later(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T10:00")
    async with serving(tmp_path, CAPPED, emulator=emulator, clock=clock) as served:
        for run in ("one", "two", "three"):
            await served.begin(run)

        async def held(day: str) -> int:
            """How many runs are held until then; once they are, the clock may be set, as no process's ever is."""
            steps = [await held_step(served, run) for run in ("one", "two", "three")]
            return len([step for step in steps if step is not None and step["heldUntil"].startswith(day)])

        async def both_others_are_held() -> bool:
            return await held("2026-05-04") == 2

        async def the_last_is_held() -> bool:
            return await held("2026-05-05") == 1

        await until_async(both_others_are_held, "both others are held")
        assert len(emulator.messages) == 1
        clock.set("2026-05-04T11:00:30")
        await until_async(_has(emulator, 2), "two are sent")
        await until_async(the_last_is_held, "the last is held until the next day")
        clock.set("2026-05-04T13:00")
        await asyncio.sleep(1)
        assert len(emulator.messages) == 2
        clock.set("2026-05-05T11:02")
        await until_async(_has(emulator, 3), "three are sent")


async def test_what_is_more_than_the_cap_is_dropped_where_that_is_asked_for(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T10:00")
    dropping = CAPPED.replace("perDay: 2", "exceeded: drop")
    async with serving(tmp_path, dropping, emulator=emulator, clock=clock) as served:
        assert (await served.run("one"))["state"] == "succeeded"
        assert (await served.run("two"))["error"]["code"] == "frequency-cap"
    assert len(emulator.messages) == 1


async def test_a_message_that_was_refused_does_not_count(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.state.accounts.default_account().opt_outs.add(SENDER, TO)
    async with serving(tmp_path, CAPPED.replace("perHour: 1", "perHour: 2"), emulator=emulator) as served:
        assert (await served.run("one"))["state"] == "failed"
        emulator.state.accounts.default_account().opt_outs.remove(SENDER, TO)
        await OptOutRegister(served.engine.database).remove(TO)
        assert (await served.run("two"))["state"] == "succeeded"
        assert (await served.run("three"))["state"] == "succeeded"


async def test_claims_at_once_do_not_exceed_a_cap(tmp_path: Path) -> None:
    emulator, clock = Emulator(), SetClock("2026-05-04T10:00")
    settings = settings_from(
        {"frequencyCaps": {SENDER: {"perHour": 3, "exceeded": "drop"}}, "sending": {"timeout": 0.5, "lagBound": 0.2}}
    )
    async with serving(tmp_path, SEND, emulator=emulator, clock=clock, settings=settings) as served:
        ended = await asyncio.gather(*(served.run(f"run{number}") for number in range(12)))
    assert len([one for one in ended if one["state"] == "succeeded"]) == 3
    assert len(emulator.messages) == 3


def _has(emulator: Emulator, count: int) -> Callable[[], Any]:
    async def has() -> bool:
        return len(emulator.messages) == count

    return has
