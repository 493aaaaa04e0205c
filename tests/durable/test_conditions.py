"""Conditions of a send: what holds a call, what refuses it, and what must hold in the claim itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from durable.test_guard import QUICK, FakeCall, identity, store_run
from sqlalchemy import Connection, insert, select, update

from twilio_component.durable.errors import RunStopped
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.sending.claim_condition import ClaimCondition
from twilio_component.durable.sending.conditions import (
    CAP,
    QUIET_HOURS,
    AllOf,
    HoldUntil,
    Proceed,
    Refuse,
    Verdict,
)
from twilio_component.durable.sending.guard import Guard
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.rate_limiter import RateLimiter
from twilio_component.durable.sending.throttle import Throttle
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import runs, stored_state
from twilio_component.durable.store.waits import ORDER
from twilio_component.flows.interpreter.effects import Failure

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = Refuse(Failure(code="21610", message="opted out", permanent=True))


class Verdicts:
    """A condition that gives these verdicts, the last one for ever."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = list(verdicts)
        self.asked = asyncio.Event()

    async def judge(self, _call: object, _guarded: object) -> Verdict:
        self.asked.set()
        return self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]


class Flag(ClaimCondition):
    """A claim condition that holds once ``is_up``; it stores that it has let a claim through."""

    def __init__(self, *, is_up: bool) -> None:
        self.is_up = is_up
        self.asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def holds(self, _connection: Connection, _now: float) -> bool:
        self._loop.call_soon_threadsafe(self.asked.set)
        return self.is_up

    def record(self, connection: Connection, _now: float) -> None:
        connection.execute(insert(stored_state).values(scope="flag", name="passed", value="1"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    opened.create()
    yield opened
    opened.close()


def guard(database: Database, *conditions: Any) -> Guard:
    return Guard(
        IntentStore(database),
        QUICK,
        Throttle(10),
        RateLimiter(database, {}, most_seconds=1),
        worker_id="one",
        is_dead=lambda _: False,
        may_write=lambda: True,
        conditions=AllOf(conditions),
    )


async def result(database: Database, *conditions: Any, fake_call: FakeCall | None = None) -> Any:
    call = fake_call or FakeCall(["SM1"])
    await store_run(database, "run")
    await guard(database, *conditions).perform(identity("run", guarded=call), call)
    entry = await RunStore(database).entry_at("run", 1)
    assert entry is not None
    return entry.value.get("failure", {}).get("code") or entry.value["envelope"]["data"]["sid"]


async def shown_step(database: Database) -> dict[str, Any]:
    step: dict[str, Any] = (await RunViews(database).show("run"))["steps"][-1]
    return step


async def test_a_refused_call_fails_and_writes_no_request(database: Database) -> None:
    call = FakeCall(["SM1"])
    assert await result(database, Verdicts(Proceed()), Verdicts(REFUSED), fake_call=call) == "21610"
    assert call.made == 0


async def test_a_held_call_is_made_when_its_time_has_come(database: Database) -> None:
    until = time.time() + 0.3
    call = FakeCall(["SM1"])
    held = Verdicts(HoldUntil(kind=QUIET_HOURS, reason="night", until=until), Proceed())
    assert await result(database, held, fake_call=call) == "SM1"
    assert time.time() >= until


async def test_a_held_call_is_shown_with_its_kind_its_reason_and_its_time(database: Database) -> None:
    call, until = FakeCall(["SM1"]), time.time() + 3600
    await store_run(database, "run")
    held = Verdicts(HoldUntil(kind=QUIET_HOURS, reason="it is night where the recipient is", until=until))
    performing = asyncio.create_task(guard(database, held).perform(identity("run", guarded=call), call))
    await held.asked.wait()
    async with asyncio.timeout(5):
        while "hold" not in await shown_step(database):  # noqa: ASYNC110 - another task stores it
            await asyncio.sleep(0.01)
    step = await shown_step(database)
    assert (step["state"], step["hold"], step["reason"]) == (
        "planned",
        "quiet-hours",
        "it is night where the recipient is",
    )
    assert step["heldUntil"] is not None
    performing.cancel()


async def test_a_hold_without_a_time_ends_when_it_is_woken(database: Database) -> None:
    wake = asyncio.Event()
    held = Verdicts(HoldUntil(kind=ORDER, reason="another one comes first", wake=wake), Proceed())
    making = asyncio.create_task(result(database, held))
    await held.asked.wait()
    wake.set()
    async with asyncio.timeout(5):
        assert await making == "SM1"


async def test_time_in_a_hold_does_not_count_as_waiting(database: Database) -> None:
    call = FakeCall(["SM1"], longest_wait=1.0)
    held = Verdicts(HoldUntil(kind=CAP, reason="enough for today", until=time.time() + 1.6), Proceed())
    assert await result(database, held, fake_call=call) == "SM1"


async def test_a_held_call_of_a_run_that_is_paused_stops(database: Database) -> None:
    call = FakeCall(["SM1"])
    await store_run(database, "run")
    held = Verdicts(HoldUntil(kind=CAP, reason="enough for today", until=time.time() + 0.2))
    performing = asyncio.create_task(guard(database, held).perform(identity("run", guarded=call), call))
    await held.asked.wait()
    await database.run(lambda connection: connection.execute(update(runs).values(state="paused")))
    with pytest.raises(RunStopped):
        await performing


async def test_what_must_hold_in_the_claim_is_asked_there_and_stored_with_it(database: Database) -> None:
    flag, call = Flag(is_up=False), FakeCall(["SM1"])
    making = asyncio.create_task(result(database, Verdicts(Proceed(claim_conditions=(flag,))), fake_call=call))
    await flag.asked.wait()
    await asyncio.sleep(0.1)
    passed = select(stored_state.c.value).where(stored_state.c.scope == "flag")
    assert call.made == 0
    assert await database.run(lambda connection: connection.execute(passed).scalars().all()) == []
    flag.is_up = True
    assert await making == "SM1"
    assert await database.run(lambda connection: connection.execute(passed).scalars().all()) == ["1"]


async def test_of_several_holds_the_longest_counts_and_a_refusal_before_all() -> None:
    call = FakeCall([])
    short, long = (HoldUntil(kind=CAP, reason="x", until=until) for until in (1.0, 2.0))
    of = identity("run", guarded=call)
    assert await AllOf([Verdicts(short), Verdicts(long), Verdicts(Proceed())]).judge(of, call) == long
    assert await AllOf([Verdicts(short), Verdicts(REFUSED)]).judge(of, call) == REFUSED
