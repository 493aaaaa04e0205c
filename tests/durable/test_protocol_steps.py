"""The steps of concurrent calls share transactions and statements, and each succeeds or fails alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from durable.test_guard import FakeCall
from sqlalchemy import Connection, event, select, update
from support.statements import statements

from twilio_component.durable.sending.claim_condition import ClaimCondition
from twilio_component.durable.sending.guard import Guard
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.intents import CallIdentity, Claim, Settlement, Settling
from twilio_component.durable.sending.protocol_steps import ClaimStep, carry_out
from twilio_component.durable.sending.rate_limiter import RateLimiter
from twilio_component.durable.sending.send_conditions import send_conditions
from twilio_component.durable.sending.throttle import Throttle
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.run_status import PAUSED
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import intents, runs
from twilio_component.host.contacts import Contact

if TYPE_CHECKING:
    from collections.abc import Sequence

CALLS = [
    CallIdentity(run="run", item=f"run#{number}", ordinal=0, step_id="send", fingerprint="f", limit_keys=("c", "s"))
    for number in range(50)
]


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    opened.create()
    yield opened
    opened.close()


class Counter:
    """Counts the transactions and the statements of a database from now on."""

    def __init__(self, database: Database) -> None:
        self.transactions = self.statements = 0
        event.listen(database.engine, "commit", self._commit)
        event.listen(database.engine, "before_cursor_execute", self._execute)

    def _commit(self, _connection: Connection) -> None:
        self.transactions += 1

    def _execute(self, *_arguments: Any) -> None:
        self.statements += 1


async def store_run(database: Database) -> None:
    run_store = RunStore(database)
    digest = await run_store.define("flow.yaml", "text")
    await run_store.accept(NewRun(id="run", definition=digest, integration="I", flow="F", payload={}))


def guard_with_conditions(database: Database) -> Guard:
    return Guard(
        IntentStore(database),
        Settings(),
        Throttle(100),
        RateLimiter(database, {}, most_seconds=1),
        worker_id="worker",
        is_dead=lambda _: False,
        may_write=lambda: True,
        conditions=send_conditions(database, Settings(), {}, lambda *_: None),
    )


async def claim_all(store: IntentStore, calls: Sequence[CallIdentity]) -> list[Claim]:
    await asyncio.gather(*(store.plan(call) for call in calls))
    return await asyncio.gather(*(store.claim(call, 0, "worker") for call in calls))


def settlement(sid: str) -> Settlement:
    return Settlement(JournalEntry(step_id="send", value={"envelope": {"data": {"sid": sid}}}), 0.0, sid)


async def settle_all(store: IntentStore, calls: Sequence[CallIdentity], sids: Sequence[str]) -> list[Settling]:
    return await asyncio.gather(
        *(store.settle(call, 1, settlement(sid)) for call, sid in zip(calls, sids, strict=True))
    )


async def test_fifty_concurrent_calls_need_three_transactions_and_twenty_statements(database: Database) -> None:
    await store_run(database)
    store, counter = IntentStore(database), Counter(database)
    assert {claim.attempt for claim in await claim_all(store, CALLS)} == {1}
    assert {*await settle_all(store, CALLS, [f"SM{one}" for one in range(50)])} == {Settling.SETTLED}
    assert counter.transactions == 3
    assert counter.statements <= 20
    kept = await RunStore(database).entry_at(CALLS[7].caller, 0)
    assert kept is not None
    assert kept.value == {"envelope": {"data": {"sid": "SM7"}}}


async def test_fifty_concurrent_sends_need_as_few_with_the_conditions_of_every_send(database: Database) -> None:
    await store_run(database)
    guard, counter = guard_with_conditions(database), Counter(database)
    sends = [
        guard.perform(
            call, FakeCall([f"SM{number}"], contact=Contact(person=f"+1555{number}", senders=("+15017122661",)))
        )
        for number, call in enumerate(CALLS)
    ]
    assert all(await asyncio.gather(*sends))
    assert counter.transactions == 3
    assert counter.statements <= 21


async def test_how_many_calls_there_are_changes_no_statement(database: Database) -> None:
    await store_run(database)
    store = IntentStore(database)

    async def send(calls: Sequence[CallIdentity], sids: Sequence[str]) -> set[str]:
        with statements(database.engine) as executed:
            await claim_all(store, calls)
            await settle_all(store, calls, sids)
        return {one.text for one in executed}

    texts = await send(CALLS[:2], ["SM0", "SM1"])
    assert len(texts) >= 6
    assert await send(CALLS[2:], [f"SM{number}" for number in range(2, 50)]) == texts


async def test_a_batch_asks_the_server_for_the_time_only_with_what_it_reads(database: Database) -> None:
    await store_run(database)
    store = IntentStore(database)
    with statements(database.engine) as executed:
        await claim_all(store, CALLS)
        await settle_all(store, CALLS, [f"SM{one}" for one in range(50)])
    assert not [one.text for one in executed if one.text.startswith("SELECT EXTRACT")]


async def test_a_resource_that_two_calls_of_a_batch_name_is_the_first_ones(database: Database) -> None:
    await store_run(database)
    store = IntentStore(database)
    await claim_all(store, CALLS[:4])
    settled = await settle_all(store, CALLS[:4], ["SM0", "SM1", "SM1", "SM3"])
    assert settled == [Settling.SETTLED, Settling.SETTLED, Settling.RESOURCE_TAKEN, Settling.SETTLED]
    assert [(await store.plan(call)).resource_id for call in CALLS[:4]] == ["SM0", "SM1", None, "SM3"]


async def test_a_resource_that_another_process_stores_meanwhile_fails_one_call_of_a_batch(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    await store_run(database)
    store = IntentStore(database)
    await claim_all(store, CALLS[:4])
    with database.engine.connect() as other:
        other.execute(update(intents).where(intents.c.key == CALLS[3].key).values(resource_id="SM1"))
        settling = asyncio.create_task(settle_all(store, CALLS[:3], ["SM0", "SM1", "SM2"]))
        await asyncio.sleep(0.3)
        assert not settling.done()
        other.commit()
    assert await settling == [Settling.SETTLED, Settling.RESOURCE_TAKEN, Settling.SETTLED]


async def test_two_processes_that_drive_the_same_calls_never_wait_for_each_other(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await store_run(database)
    stores, orders = (IntentStore(database), IntentStore(database)), (CALLS, CALLS[::-1])
    with caplog.at_level(logging.WARNING):
        claims = await asyncio.gather(*(claim_all(*one) for one in zip(stores, orders, strict=True)))
    attempts = [claim.attempt for claim in (*claims[0], *claims[1])]
    assert (attempts.count(1), attempts.count(None)) == (50, 50)
    assert "busy" not in caplog.text


class Condition(ClaimCondition):
    """Holds, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.recorded = 0

    def holds(self, _connection: Connection, _now: float) -> bool:
        if self.error is not None:
            raise self.error
        return True

    def record(self, _connection: Connection, _now: float) -> None:
        self.recorded += 1


class Fails(Condition):
    """Does not hold."""

    def holds(self, _connection: Connection, _now: float) -> bool:
        return False


async def test_a_condition_that_fails_keeps_no_other_call_of_its_batch_from_being_claimed(database: Database) -> None:
    await store_run(database)
    store = IntentStore(database)
    await asyncio.gather(*(store.plan(call) for call in CALLS[:4]))
    conditions = [Condition(), Fails(), Condition(RuntimeError("broken")), Condition()]
    claimed = await asyncio.gather(
        *(store.claim(call, 0, "worker", [one]) for call, one in zip(CALLS[:4], conditions, strict=True)),
        return_exceptions=True,
    )
    assert [one.attempt if isinstance(one, Claim) else str(one) for one in claimed] == [1, None, "broken", 1]
    assert conditions[1].recorded == 0


def set_state(state: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(update(runs).values(state=state))


async def test_no_run_stops_between_a_claim_and_the_end_of_its_transaction(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    await store_run(database)
    await asyncio.gather(*(IntentStore(database).plan(call) for call in CALLS[:2]))
    with database.engine.connect() as one, database.engine.connect() as two:
        claims = [
            carry_out(process, [ClaimStep(call, 0, "worker")], database.now)[0]
            for process, call in zip((one, two), CALLS[:2], strict=True)  # two processes that claim do not wait
        ]
        stopping = asyncio.create_task(database.run_until_available(set_state(PAUSED)))
        await asyncio.sleep(0.2)
        assert not stopping.done()
        one.commit()
        two.commit()
    await stopping
    assert [claim.attempt for claim in claims] == [1, 1]


async def test_a_claim_waits_for_what_is_about_to_stop_its_run(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    await store_run(database)
    store = IntentStore(database)
    await store.plan(CALLS[0])
    with database.engine.connect() as operator:
        set_state(PAUSED)(operator)
        claiming = asyncio.create_task(store.claim(CALLS[0], 0, "worker"))
        await asyncio.sleep(0.2)
        assert not claiming.done()
        # An operator who stops a run, and then looks at what it has done, does not wait for the claim.
        operator.execute(select(intents).where(intents.c.run == "run").with_for_update())
        operator.commit()
    claim = await claiming
    assert (claim.attempt, claim.is_stopped) == (None, True)
