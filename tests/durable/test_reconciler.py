"""A call in doubt while the calls beside it change: it is not sent again while what is seen may be its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import Connection, update

from twilio_component.durable.clock import Clock
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.intents import (
    CLAIMED,
    CLOCK_SKEW,
    IN_DOUBT,
    PLANNED,
    SETTLED,
    UNKNOWN,
    CallIdentity,
    OtherCalls,
    Settlement,
    Settling,
)
from twilio_component.durable.sending.reconciler import Reconciler
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.run_status import CANCELLED, RUNNING
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import intents, runs
from twilio_component.host.results import Candidate

if TYPE_CHECKING:
    import datetime as dt

    from twilio_component.durable.sending.guarded_call import GuardedCall
    from twilio_component.durable.store.database import Database

OTHER, CALL = (CallIdentity(run=run, ordinal=1, step_id="send", fingerprint="f") for run in ("other", "run"))
RESEND, GIVE_UP = (Settings(resend=resend, lag_bound=0.5, timeout=0.1) for resend in (True, False))

Event = Callable[[], Awaitable[object]]


class VirtualClock(Clock):
    """A clock that a sleep sets forward at once."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> float:
        return super().now() + self.seconds

    wall = now

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


class Interrupted(IntentStore):
    """A store in which things happen before a question, or before it is decided: once each, after the lag bound."""

    before_question: Event | None = None
    before_settling: Event | None = None
    before_resending: Event | None = None
    clock: VirtualClock

    async def other_calls(self, call: CallIdentity, resource_ids: Collection[str], *, reach: float) -> OtherCalls:
        if self.before_question is not None and self.clock.seconds > 1_000.6:
            event, self.before_question = self.before_question, None
            await event()
        return await super().other_calls(call, resource_ids, reach=reach)

    async def settle(self, call: CallIdentity, attempt: int, settlement: Settlement, **names: Any) -> Settling:
        if self.before_settling is not None:
            event, self.before_settling = self.before_settling, None
            await event()
        return await super().settle(call, attempt, settlement, **names)

    async def resend(self, call: CallIdentity, attempt: int) -> bool:
        if self.before_resending is not None:
            event, self.before_resending = self.before_resending, None
            await event()
        return await super().resend(call, attempt)


@dataclass
class Twilio:
    """What the list shows, the newest message first; nothing while it is not ``is_seen``."""

    messages: list[str] = field(default_factory=list)
    text_of: Mapping[str, bool] = field(default_factory=dict)
    is_seen: Callable[[], bool] = lambda: True
    looked_back_to: list[float] = field(default_factory=list)

    async def find_candidates(self, since: dt.datetime) -> list[Candidate]:
        self.looked_back_to.append(since.timestamp())
        if not self.is_seen():
            return []
        return [Candidate(id=one, data={"sid": one}, equal=self.text_of.get(one, True)) for one in self.messages]

    def resource_id(self, envelope: Mapping[str, Any]) -> str:
        return str(envelope["data"]["sid"])

    def envelope_for(self, resource_id: str) -> dict[str, Any]:
        return {"data": {"sid": resource_id}}


@pytest.fixture
async def store(database: Database) -> Interrupted:
    """Two equal calls, of two runs: the other one, claimed first, and the one in doubt."""
    run_store = RunStore(database)
    digest = await run_store.define("flow.yaml", "text")
    found = Interrupted(database)
    found.clock = VirtualClock()
    for call in (OTHER, CALL):
        await run_store.accept(NewRun(id=call.run, definition=digest, integration="I", flow="F", payload={}))
        await found.plan(call)
        await found.claim(call, 0, "worker")
    await found.doubt(CALL, 1)
    return found


async def reconcile(
    store: Interrupted, twilio: Twilio, settings: Settings = RESEND, frozen: float = 0.0
) -> tuple[str, str | None]:
    """Take the call out of doubt; its state after that, and the message that it names.

    The process is ``frozen`` for so many seconds once it has asked for the call.
    """
    reconciler = Reconciler(store, settings, store.clock)
    asked_at, intent = store.clock.seconds, await store.plan(CALL)
    store.clock.seconds += frozen
    while intent.state == IN_DOUBT:
        await reconciler.reconcile(CALL, cast("GuardedCall", twilio), intent, started=0.0, asked_at=asked_at)
        asked_at, intent = store.clock.seconds, await store.plan(CALL)
    return intent.state, intent.resource_id


def settling(store: IntentStore, call: CallIdentity, resource_id: str) -> Event:
    entry = JournalEntry(step_id="send", value={"envelope": {"data": {"sid": resource_id}}})
    return lambda: store.settle(call, 1, Settlement(entry, 0.0, resource_id))


def set_back(connection: Connection, call: CallIdentity, seconds: float) -> None:
    """Let a call have been claimed so much earlier."""
    earlier = {"claimed_at": intents.c.claimed_at - seconds}
    connection.execute(update(intents).where(intents.c.key == call.key).values(earlier))


async def test_an_equal_call_that_settles_while_it_is_looked_leaves_the_call_its_own(store: Interrupted) -> None:
    store.before_question = settling(store, OTHER, "SM1")
    assert await reconcile(store, Twilio(["SM2", "SM1"])) == (SETTLED, "SM2")


@pytest.mark.parametrize("seen_after", [0.0, RESEND.request_bound + RESEND.lag_bound], ids=["at once", "in the end"])
async def test_a_message_that_another_call_takes_first_does_not_mean_that_there_is_none(
    store: Interrupted, seen_after: float
) -> None:
    seen_from = store.clock.seconds + seen_after
    store.before_question = lambda: store.doubt(OTHER, 1)
    await store.confirm(OTHER.key, "SM9")  # so the oldest of those seen would be this call's
    twilio = Twilio(["SM2", "SM1"], is_seen=lambda: store.clock.seconds >= seen_from)
    third = CallIdentity(run="other", ordinal=2, step_id="send", fingerprint="f")
    await store.plan(third)
    await store.claim(third, 0, "worker")
    await store.doubt(third, 1)
    store.before_settling = settling(store, third, "SM1")
    assert await reconcile(store, twilio) == (SETTLED, "SM2")


async def test_a_call_that_is_known_to_have_sent_another_message_competes_for_none(store: Interrupted) -> None:
    await store.doubt(OTHER, 1)
    await store.confirm(OTHER.key, "SM1")
    assert await reconcile(store, Twilio(["SM2", "SM1"])) == (SETTLED, "SM2")


async def test_nothing_is_sent_again_while_a_message_is_seen_that_an_older_call_may_have_sent(
    store: Interrupted,
) -> None:
    await store.doubt(OTHER, 1)
    took = False

    async def take_in_time() -> None:
        nonlocal took
        while store.clock.seconds < 1_060.0:
            await asyncio.sleep(0)
            assert (await store.plan(CALL)).state == IN_DOUBT
        await settling(store, OTHER, "SM1")()
        took = True

    taking = asyncio.create_task(take_in_time())
    try:
        assert await reconcile(store, Twilio(["SM1"])) == (PLANNED, None)
    finally:
        taking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await taking
    assert took


async def test_what_stays_ambiguous_ends_as_unknown_and_is_not_sent_again(store: Interrupted) -> None:
    await store.doubt(OTHER, 1)
    assert await reconcile(store, Twilio(["SM1"])) == (UNKNOWN, None)
    assert store.clock.seconds > 1_600.0, "it waits for the other call first"


async def test_a_message_that_may_or_may_not_be_its_own_is_not_sent_again(store: Interrupted) -> None:
    await settling(store, OTHER, "SM1")()
    assert await reconcile(store, Twilio(["SM2", "SM1"], {"SM2": False})) == (UNKNOWN, None)


@pytest.mark.parametrize(("settings", "state"), [(RESEND, PLANNED), (GIVE_UP, UNKNOWN)])
async def test_what_nothing_is_seen_of_is_sent_again_where_the_deployment_asks_for_it(
    store: Interrupted, settings: Settings, state: str
) -> None:
    await settling(store, OTHER, "SM1")()
    assert await reconcile(store, Twilio(["SM1"]), settings) == (state, None)


@pytest.mark.parametrize("settings", [RESEND, GIVE_UP], ids=["resend", "give up"])
async def test_a_callback_that_comes_when_all_was_looked_at_is_the_result(
    store: Interrupted, settings: Settings
) -> None:
    await settling(store, OTHER, "SM1")()
    store.before_question = lambda: store.confirm(CALL.key, "SM2")
    # Twilio shows it, but has changed its text: without the callback nobody knows whose it is.
    assert await reconcile(store, Twilio(["SM2", "SM1"], {"SM2": False}), settings) == (SETTLED, "SM2")


@pytest.mark.parametrize("settings", [RESEND, GIVE_UP], ids=["resend", "give up"])
async def test_a_callback_that_comes_when_the_verdict_was_reached_is_the_result(
    store: Interrupted, settings: Settings
) -> None:
    await settling(store, OTHER, "SM1")()
    store.before_settling = store.before_resending = lambda: store.confirm(CALL.key, "SM2")
    assert await reconcile(store, Twilio(["SM1"]), settings) == (SETTLED, "SM2")


async def test_a_callback_is_believed_more_than_the_oldest_equal_message(store: Interrupted) -> None:
    await settling(store, OTHER, "SM1")()
    store.before_settling = lambda: store.confirm(CALL.key, "SM3")
    assert await reconcile(store, Twilio(["SM3", "SM2", "SM1"])) == (SETTLED, "SM3")


@pytest.mark.parametrize("state", [CLAIMED, IN_DOUBT])
@pytest.mark.parametrize("run_state", [CANCELLED, RUNNING])
@pytest.mark.parametrize("ago", [10.0, 3600.0])
async def test_an_equal_call_that_died_counts_only_while_it_may_have_sent_what_is_seen(
    store: Interrupted, database: Database, state: str, run_state: str, ago: float
) -> None:
    if state == IN_DOUBT:
        await store.doubt(OTHER, 1)

    def leave_it(connection: Connection) -> None:
        set_back(connection, OTHER, ago)
        connection.execute(update(runs).where(runs.c.id == OTHER.run).values(state=run_state))

    await database.run(leave_it)
    expected = (UNKNOWN, None) if ago < 60 else (SETTLED, "SM2")
    assert await reconcile(store, Twilio(["SM2"]), GIVE_UP) == expected


@pytest.mark.parametrize("settings", [RESEND, GIVE_UP], ids=["resend", "give up"])
@pytest.mark.parametrize("is_long_ago", [True, False])
async def test_what_went_by_in_processes_that_died_counts_as_far_as_the_clock_can_be_trusted(
    store: Interrupted, database: Database, settings: Settings, *, is_long_ago: bool
) -> None:
    await settling(store, OTHER, "SM1")()
    bound = settings.request_bound + settings.lag_bound
    await database.run(partial(set_back, call=CALL, seconds=CLOCK_SKEW + (bound + 1 if is_long_ago else -1)))
    begun = store.clock.seconds

    await reconcile(store, Twilio(["SM1"]), settings)

    assert (store.clock.seconds - begun < 0.5 * bound) == is_long_ago


@pytest.mark.parametrize("frozen", [0.0, 45.0])
async def test_a_process_that_was_frozen_after_it_asked_looks_back_as_far_as_before(
    store: Interrupted, frozen: float
) -> None:
    await settling(store, OTHER, "SM1")()
    twilio, claimed_at = Twilio(["SM2", "SM1"]), store.clock.wall()
    assert await reconcile(store, twilio, frozen=frozen) == (SETTLED, "SM2")
    assert max(twilio.looked_back_to) < claimed_at - CLOCK_SKEW + 1


@pytest.mark.parametrize(
    ("is_equal", "expected"), [(True, (SETTLED, "SM1")), (False, (UNKNOWN, None))], ids=["as sent", "changed"]
)
async def test_the_message_of_a_later_equal_call_is_not_taken_while_an_older_one_may_be_this_call_s(
    store: Interrupted, database: Database, expected: tuple[str, str | None], *, is_equal: bool
) -> None:
    await store.doubt(OTHER, 1)
    await database.run(partial(set_back, call=CALL, seconds=1.0))
    # Twilio has added how to stop to the first message to a person, or has not.
    assert await reconcile(store, Twilio(["SM2", "SM1"], {"SM1": is_equal})) == expected
