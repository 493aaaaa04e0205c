"""Intents: who changes a call names the attempt that it has seen, and only a running run may claim."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, delete, select, update

from twilio_component.durable.errors import RunStopped
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.intents import (
    CLAIMED,
    IN_DOUBT,
    PLANNED,
    SETTLED,
    UNKNOWN,
    CallIdentity,
    Settlement,
    Settling,
)
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.run_status import CANCELLED, FAILED, PAUSED, RUNNING
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import intents, runs, throttles

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

CALL = CallIdentity(run="run", ordinal=1, step_id="send", fingerprint="f", limit_keys=("c",))
ENTRY = JournalEntry(step_id="send", value={"envelope": {"data": {"sid": "SM1"}}})


async def planned(database: Database) -> IntentStore:
    store = RunStore(database)
    digest = await store.define("flow.yaml", "text")
    await store.accept(NewRun(id="run", definition=digest, integration="I", flow="F", payload={}))
    found = IntentStore(database)
    await found.plan(CALL)
    return found


async def set_state(database: Database, state: str) -> None:
    await database.run(lambda connection: connection.execute(update(runs).values(state=state)))


async def states(database: Database) -> list[tuple[str, int]]:
    def work(connection: Connection) -> list[tuple[str, int]]:
        found = connection.execute(select(intents.c.state, intents.c.attempt))
        return [(row.state, row.attempt) for row in found]

    return await database.run(work)


STALE: dict[str, Callable[[IntentStore, int], Awaitable[object]]] = {
    "withdraw": lambda store, attempt: store.withdraw(CALL, attempt),
    "doubt": lambda store, attempt: store.doubt(CALL, attempt),
    "resend": lambda store, attempt: store.resend(CALL, attempt),
    "claim": lambda store, attempt: store.claim(CALL, attempt, "late"),
    "settle": lambda store, attempt: store.settle(CALL, attempt, Settlement(ENTRY, 0.0)),
    "give up": lambda store, attempt: store.settle(
        CALL, attempt, Settlement(ENTRY, 0.0, state=UNKNOWN), from_states=(IN_DOUBT,)
    ),
    "throttle": lambda store, attempt: store.throttle(CALL, attempt, "other", 1.0, "why"),
}


async def _claim_and_doubt(store: IntentStore) -> None:
    await store.claim(CALL, 1, "two")
    await store.doubt(CALL, 2)


NEXT: dict[str, Callable[[IntentStore], Awaitable[object]]] = {
    CLAIMED: lambda store: store.claim(CALL, 1, "two"),
    IN_DOUBT: _claim_and_doubt,
}


@pytest.mark.parametrize("change", STALE)
@pytest.mark.parametrize("state", NEXT)
async def test_what_was_seen_of_the_first_attempt_changes_nothing_of_the_second(
    database: Database, change: str, state: str
) -> None:
    store = await planned(database)
    assert (await store.claim(CALL, 0, "one")).attempt == 1
    await store.doubt(CALL, 1)
    assert await store.resend(CALL, 1)
    await NEXT[state](store)
    assert await states(database) == [(state, 2)]
    await STALE[change](store, 1)
    assert await states(database) == [(state, 2)]


async def doubt_and_resend(store: IntentStore) -> None:
    await store.doubt(CALL, 1)
    await store.resend(CALL, 1)


PLANNED_AGAIN: dict[str, Callable[[IntentStore], Awaitable[object]]] = {
    "withdraw": lambda store: store.withdraw(CALL, 1),
    "throttle": lambda store: STALE["throttle"](store, 1),
    "resend": doubt_and_resend,
}


@pytest.mark.parametrize("change", PLANNED_AGAIN)
async def test_what_the_first_attempt_has_certainly_not_sent_is_not_looked_for_by_the_second(
    database: Database, change: str
) -> None:
    store = await planned(database)
    await store.claim(CALL, 0, "one")
    await PLANNED_AGAIN[change](store)
    hour_ago = update(intents).values(claimed_at=intents.c.claimed_at - 3600.0)
    await database.run(lambda connection: connection.execute(hour_ago))
    await database.run(lambda connection: connection.execute(delete(throttles)))
    assert (await store.claim(CALL, 1, "one")).attempt == 2
    ago = (await store.plan(CALL)).claimed_ago
    assert ago is not None
    assert ago < 60.0


@pytest.mark.parametrize("state", [PAUSED, CANCELLED, FAILED])
async def test_a_run_that_does_not_run_claims_nothing(database: Database, state: str) -> None:
    store = await planned(database)
    await set_state(database, state)
    claim = await store.claim(CALL, 0, "zombie")
    assert (claim.attempt, claim.is_stopped) == (None, True)
    with pytest.raises(RunStopped):
        await store.plan(CALL)


async def test_a_process_that_wakes_after_its_run_was_purged_plans_nothing_anew(database: Database) -> None:
    store = await planned(database)
    await RunStore(database).forget(["run"])
    with pytest.raises(RunStopped):
        await store.plan(CALL)
    claim = await store.claim(CALL, 0, "zombie")
    assert (claim.attempt, claim.is_stopped) == (None, True)
    assert await states(database) == []


async def test_a_claim_of_before_a_pause_is_worth_nothing_after_the_run_was_resumed(database: Database) -> None:
    store = await planned(database)
    before = await store.claim(CALL, 0, "frozen")
    await set_state(database, PAUSED)
    await set_state(database, RUNNING)
    assert await store.doubt(CALL, 1)
    assert await store.resend(CALL, 1)
    assert (await store.claim(CALL, 1, "other")).attempt == 2
    assert before.attempt == 1
    assert await store.settle(CALL, 1, Settlement(ENTRY, 0.0, "SM1")) == Settling.SUPERSEDED
    assert not await store.withdraw(CALL, 1)
    assert await states(database) == [(CLAIMED, 2)]


async def test_a_late_response_settles_its_attempt_as_long_as_no_other_has_begun(database: Database) -> None:
    store = await planned(database)
    await store.claim(CALL, 0, "slow")
    await store.doubt(CALL, 1)
    await store.resend(CALL, 1)
    assert await states(database) == [(PLANNED, 1)]
    assert await store.settle(CALL, 1, Settlement(ENTRY, 0.0, "SM1")) == Settling.SETTLED
    assert (await store.claim(CALL, 1, "other")).attempt is None
    assert await states(database) == [(SETTLED, 1)]


async def test_what_another_call_created_settles_no_second_one(database: Database) -> None:
    store = await planned(database)
    other = CallIdentity(run="run", ordinal=2, step_id="send", fingerprint="f")
    await store.plan(other)
    await store.claim(CALL, 0, "one")
    await store.claim(other, 0, "one")
    assert await store.settle(CALL, 1, Settlement(ENTRY, 0.0, "SM1")) == Settling.SETTLED
    assert await store.settle(other, 1, Settlement(ENTRY, 0.0, "SM1")) == Settling.RESOURCE_TAKEN
    assert (await store.other_calls(other, ["SM1", "SM2"], reach=60.0)).taken == {"SM1"}


@pytest.mark.parametrize("order", sorted(set(itertools.permutations("aaabbb"))), ids="".join)
async def test_of_two_drivers_of_one_call_one_at_a_time_has_the_right_to_write(
    database: Database, order: tuple[str, ...]
) -> None:
    """Each driver plans, claims what it saw, and settles, in every order of their statements."""
    store = await planned(database)
    seen: dict[str, int] = {}
    claimed: dict[str, int | None] = {}
    writers: list[tuple[str, int]] = []
    for driver in order:
        if driver not in seen:
            seen[driver] = (await store.plan(CALL)).attempt
        elif driver not in claimed:
            claimed[driver] = (await store.claim(CALL, seen[driver], driver)).attempt
            if (attempt := claimed[driver]) is not None:
                writers.append((driver, attempt))
        elif (attempt := claimed[driver]) is not None:
            settling = await store.settle(CALL, attempt, Settlement(ENTRY, 0.0, f"SM-{driver}"))
            assert settling == Settling.SETTLED
    assert len(writers) == 1


async def prove(store: IntentStore) -> None:
    """Let a signed callback prove that the call created SM1."""
    await store.confirm(CALL.key, "SM1")
    await store.confirm(CALL.key, "SM2")  # what comes later changes nothing


async def test_a_call_that_is_proven_to_be_done_is_neither_resent_nor_claimed_again(database: Database) -> None:
    store = await planned(database)
    await store.claim(CALL, 0, "one")
    await store.doubt(CALL, 1)
    await prove(store)
    assert not await store.resend(CALL, 1)
    assert await states(database) == [(IN_DOUBT, 1)]


async def test_a_proof_that_comes_while_the_call_is_planned_again_keeps_it_from_being_claimed(
    database: Database,
) -> None:
    store = await planned(database)
    await store.claim(CALL, 0, "one")
    await store.doubt(CALL, 1)
    assert await store.resend(CALL, 1)
    await prove(store)
    claim = await store.claim(CALL, 1, "two")
    assert (claim.attempt, claim.is_stopped) == (None, False)
    assert await states(database) == [(PLANNED, 1)]


FAILURE = JournalEntry(step_id="send", value={"failure": {"code": "x"}})


@pytest.mark.parametrize(
    ("settlement", "settling", "left"),
    [
        (Settlement(FAILURE, 0.0), Settling.PROVEN, "SM1"),
        (Settlement(FAILURE, 0.0, state=UNKNOWN), Settling.PROVEN, "SM1"),
        (Settlement(ENTRY, 0.0, "SM9"), Settling.PROVEN, "SM1"),
        (Settlement(ENTRY, 0.0, "SM1"), Settling.SETTLED, "SM1"),
        (Settlement(ENTRY, 0.0), Settling.SETTLED, "SM1"),
    ],
)
async def test_no_settlement_contradicts_or_forgets_a_proof(
    database: Database, settlement: Settlement, settling: Settling, left: str
) -> None:
    store = await planned(database)
    await store.claim(CALL, 0, "one")
    await prove(store)
    assert await store.settle(CALL, 1, settlement) == settling
    after = await store.plan(CALL)
    assert (after.state, after.resource_id) == (SETTLED if settling == Settling.SETTLED else CLAIMED, left)
