"""Schedules: which ones are kept as flows change, and what is started when clocks are set back."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS
from sqlalchemy import func, insert, select, update
from support.engine import HEAD, SEND, TO, Served, serving
from support.waiting import until_async

from twilio_component.durable.execution.schedules import Schedules
from twilio_component.durable.recovery.heartbeat import LIVING_SECONDS
from twilio_component.durable.store.operator_tables import heartbeats
from twilio_component.durable.store.schema import runs
from twilio_component.emulator import Emulator
from twilio_component.flows.findings import FlowError
from twilio_component.flows.parsing.cron import comes_again

SCHEDULED = SEND.replace(
    "action: webhook-triggers.webhook}",
    "action: schedule-triggers.schedule, "
    'schedule: {type: value, value: "30 2 * * *", meta: {timeZone: Europe/Berlin}}}',
).replace("type: reference, value: trigger.results.body.data.to", f'type: value, value: "{TO}"')


async def names_of_schedules() -> list[str]:
    return sorted(one["schedule_name"] for one in await DBOS.list_schedules_async())


async def keep(served: Served, text: str, file: str = "test.yaml") -> None:
    await served.engine.runs.define(file, text)
    await served.engine.keep_schedules([served.deployment.load(file, text)])


async def test_what_is_no_longer_scheduled_starts_nothing_whatever_its_integration_is_called_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def named(name: str) -> str:
        return HEAD.replace("name: Test", f"name: {name}", 1)

    async with serving(tmp_path, SCHEDULED) as served:
        monkeypatch.setattr(served.engine.schedules, "_is_alone", False)
        for name in ("Reminders/Berlin", "100% reminders", "Reminders / a / b"):
            await keep(served, named(name) + SCHEDULED)
            assert len(await names_of_schedules()) == 1
            await keep(served, named(name) + SEND)
            assert await names_of_schedules() == []
        await keep(served, named("Before") + SCHEDULED)
        await keep(served, named("After") + SCHEDULED)
        assert await names_of_schedules() == ["After/Main"]
    assert "Main of Before starts by its schedule no more: it is not served any more" in caplog.text


async def test_schedules_that_another_process_may_serve_stay_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sales = HEAD.replace("name: Test", "name: Sales", 1) + SCHEDULED
    of_europe = HEAD.replace("name: Test", "name: Sales/Europe", 1) + SCHEDULED
    async with serving(tmp_path, SCHEDULED) as served:
        with monkeypatch.context() as patched:
            patched.setattr(served.engine.schedules, "_is_alone", False)
            await keep(served, of_europe, "europe.yaml")
            await keep(served, sales, "sales.yaml")
            assert await names_of_schedules() == ["Sales%2FEurope/Main", "Sales/Main"]
        await keep(served, sales, "sales.yaml")
        assert await names_of_schedules() == ["Sales/Main"]


def kept_by_another(served: Served, monkeypatch: pytest.MonkeyPatch, text: str, file: str) -> dict[str, Any]:
    """What another process says of itself, which keeps the schedule of this file."""
    monkeypatch.setattr(served.engine.schedules, "_is_alone", False)
    monkeypatch.setattr(served.engine.schedules, "_heartbeat", served.engine.heartbeat)
    other = {"worker_id": "other", "kind": "serve", "name": "n", "version": "v", "started_at": 0.0}
    kept = json.dumps({"Test/Main": served.deployment.load(file, text).digest})
    return {**other, "workflows": 0, "requests": 0, "schedules": kept, "heard_at": time.time()}


async def test_a_schedule_that_a_living_process_keeps_is_removed_once_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, SCHEDULED) as served:
        engine, database = served.engine, served.engine.database
        row = kept_by_another(served, monkeypatch, HEAD + SCHEDULED, "theirs.yaml")
        await keep(served, HEAD + SCHEDULED, "theirs.yaml")
        await database.run(lambda connection: connection.execute(insert(heartbeats).values(row)))
        await keep(served, HEAD + SEND, "ours.yaml")
        assert await names_of_schedules() == ["Test/Main"]
        gone = update(heartbeats).where(heartbeats.c.worker_id == "other")
        gone = gone.values(heard_at=row["heard_at"] - LIVING_SECONDS)
        await database.run(lambda connection: connection.execute(gone))
        await engine.schedules.remove_stale()
        assert await names_of_schedules() == []


async def test_of_two_files_that_schedule_one_flow_the_later_one_is_not_served_beside_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = HEAD + SCHEDULED.replace("30 2 * * *", "45 2 * * *")
    async with serving(tmp_path, SCHEDULED) as served:
        row = kept_by_another(served, monkeypatch, HEAD + SCHEDULED, "theirs.yaml")
        await keep(served, HEAD + SCHEDULED, "theirs.yaml")
        await served.engine.database.run(lambda connection: connection.execute(insert(heartbeats).values(row)))
        with pytest.raises(
            FlowError, match=r"ours\.yaml: the schedule Test/Main is kept by .* serves theirs\.yaml: give"
        ):
            await keep(served, ours, "ours.yaml")
        (schedule,) = await DBOS.list_schedules_async()
        assert schedule["schedule"] == "30 2 * * *"
        await keep(served, HEAD + SCHEDULED, "moved/theirs.yaml")
        await keep(served, ours, "theirs.yaml")  # one process after the other gets the changed file
        (schedule,) = await DBOS.list_schedules_async()
        assert schedule["schedule"] == "45 2 * * *"


async def test_a_time_that_comes_twice_in_autumn_starts_a_flow_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SCHEDULED, emulator=emulator) as served:
        await keep(served, served.text)
        fired = list[dt.datetime]()
        fire = Schedules._fire

        async def note(self: Schedules, moment: dt.datetime, context: object) -> None:
            await fire(self, moment, context)  # type: ignore[arg-type]
            fired.append(moment)

        monkeypatch.setattr(Schedules, "_fire", note)
        begin, end = dt.datetime(2026, 10, 24, 22, tzinfo=dt.UTC), dt.datetime(2026, 10, 26, 2, tzinfo=dt.UTC)
        await asyncio.to_thread(DBOS.backfill_schedule, "Test/Main", begin, end)
        await until_async(lambda: len(fired) == 3, "each time has been fired")
        await until_async(lambda: len(emulator.messages) >= 2, "Twilio has the messages")
        assert sorted(moment.astimezone(dt.UTC).strftime("%d %H:%M") for moment in fired) == [
            "25 00:30",
            "25 01:30",
            "26 01:30",
        ]
        started = select(func.count()).select_from(runs)
        assert await served.engine.database.run(lambda connection: connection.execute(started).scalar_one()) == 2


async def test_a_restart_loses_no_time_of_a_schedule_and_fires_none_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up: list[tuple[str, dt.datetime, dt.datetime]] = []
    fill = DBOS.backfill_schedule

    def note(name: str, start: dt.datetime, end: dt.datetime) -> Any:
        made_up.append((name, start, end))
        return fill(name, start, end)

    monkeypatch.setattr(DBOS, "backfill_schedule", note)
    emulator, every_minute = Emulator(), SCHEDULED.replace("30 2 * * *", "* * * * *")
    async with serving(tmp_path, every_minute, emulator=emulator) as served:
        begun = dt.datetime.now(dt.UTC)
        await keep(served, HEAD + SCHEDULED)
        assert made_up == []  # it is new
        for _ in range(2):
            await keep(served, HEAD + SCHEDULED)
        # A restart may have missed its first time, but none before it was stored.
        (first, _, _), (_, start, _) = made_up
        assert first == "Test/Main"
        assert dt.timedelta(0) <= start - begun + dt.timedelta(seconds=0.001) < dt.timedelta(seconds=60)
        assert start == made_up[0][1]
        made_up.clear()
        await keep(served, served.text)
        rows, now = served.engine._dbos._sys_db, dt.datetime.now(dt.UTC)
        hours_ago, just_now = now - dt.timedelta(hours=5), now - dt.timedelta(seconds=2)
        await asyncio.to_thread(rows.update_last_fired_at, "Test/Main", hours_ago.isoformat())
        for _ in range(2):
            await keep(served, served.text)
            await until_async(lambda: emulator.messages, "Twilio has the message")
        assert {name for name, _, _ in made_up} == {"Test/Main"}
        assert all(end - start <= dt.timedelta(minutes=1) for _, start, end in made_up)
        # The minute before has one time, which is fired once; others may have come meanwhile.
        assert len(emulator.messages) <= 2 + (dt.datetime.now(dt.UTC) - now) // dt.timedelta(minutes=1)
        await asyncio.to_thread(rows.update_last_fired_at, "Test/Main", just_now.isoformat())
        await keep(served, served.text)
        assert made_up[-1][1] >= just_now
        count = len(made_up)
        await keep(served, HEAD + SCHEDULED)
        assert len(made_up) == count  # other times than before


async def test_a_time_at_which_a_flow_cannot_start_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: str) -> Any:
        raise FlowError("the config variable 'Twilio' has no value")

    async with serving(tmp_path, SCHEDULED) as served:
        await keep(served, served.text)
        monkeypatch.setattr(served.deployment, "load", refuse)
        await asyncio.to_thread(DBOS.trigger_schedule, "Test/Main")
        await until_async(lambda: "did not start" in caplog.text, "the log says so")
    (line,) = [one for one in caplog.records if "did not start" in one.getMessage()]
    assert line.getMessage().startswith("Main of Test did not start at ")
    assert line.getMessage().endswith(", a time of its schedule: the config variable 'Twilio' has no value")
    assert "Traceback" not in caplog.text


async def test_a_schedule_continues_after_a_newer_release_was_tried_and_is_gone(tmp_path: Path) -> None:
    emulator = Emulator()
    async with serving(tmp_path, SCHEDULED, emulator=emulator) as served:
        rows = served.engine._dbos._sys_db
        await asyncio.to_thread(rows.create_application_version, "1000")
        await asyncio.to_thread(rows.update_application_version_timestamp, "1000", int(time.time() * 1000) + 10_000)
        await keep(served, served.text)
        await asyncio.to_thread(DBOS.trigger_schedule, "Test/Main")
        await until_async(lambda: emulator.messages, "Twilio has the message")


@pytest.mark.parametrize(
    ("cron", "zone", "utc", "again"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", False),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:30", True),
        ("30 2 * * *", "Europe/Berlin", "2026-10-26T01:30", False),
        ("30 2 * * *", "", "2026-10-25T01:30", False),
        ("15 1 * * sun", "America/New_York", "2026-11-01T06:15", True),
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:30", False),
        ("0 */2 * * *", "Europe/Berlin", "2026-10-25T01:00", False),
        ("*/10 2 * * *", "Europe/Berlin", "2026-10-25T01:10", False),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00", False),
    ],
)
def test_only_a_set_time_counts_once_when_clocks_are_set_back(cron: str, zone: str, utc: str, *, again: bool) -> None:
    assert comes_again(cron, dt.datetime.fromisoformat(f"{utc}+00:00"), zone) is again
