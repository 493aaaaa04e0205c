"""What people ask of a database with very many runs, and of a very long list, is found by indexes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from dbos import DBOS
from sqlalchemy import insert, text, update
from support.statements import statements, whole_tables

from twilio_component.durable.fanout.ends import EndedIteration
from twilio_component.durable.fanout.store import LoopKey, LoopStore, ParallelLoop, count_iterations
from twilio_component.durable.ids import retry_id
from twilio_component.durable.operator import operations as operating
from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.run_ids import find_run_id
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.sending.conditions import Proceed
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.intents import CallIdentity, Hold, Settlement, Settling
from twilio_component.durable.sending.order import ConversationOrder
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import definitions, intents, items, journal, loops, runs, turns
from twilio_component.durable.store.waits import WaitStore
from twilio_component.flows.send_order import SendOrder
from twilio_component.host.contacts import Contact

if TYPE_CHECKING:
    from twilio_component.durable.sending.guarded_call import GuardedCall

BIG = ("flow_runs", "flow_intents", "flow_items", "flow_journal", "flow_turns")
FAILED = "run-00100"
KINDS = {0: ("failed", "21610"), 50: ("failed", "30007"), 75: ("unknown", "outcome-unknown"), 99: ("pending", None)}


def kind_of(number: int) -> tuple[str, str | None]:
    return KINDS.get(number % 100, ("succeeded", None))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    database.create()
    yield database
    database.close()


def fill(database: Database, number_of_runs: int, number_of_items: int) -> None:
    with database.engine.begin() as connection:
        connection.execute(insert(definitions).values(digest="d", file="f", text="t"))
        about = {"definition": "d", "integration": "Test"}
        error = json.dumps({"id": "send", "code": "twilio-api-error"})
        rows: list[dict[str, Any]] = [
            {
                **about,
                "id": f"run-{number:05}",
                "flow": f"Flow {number % 7}",
                "state": "failed" if number % 100 == 0 else "succeeded",
                "error": error if number % 100 == 0 else None,
                "created_at": 1000.0 + number // 3,
                "finished_at": 1001.0 + number,
            }
            for number in range(number_of_runs)
        ]
        times = {"created_at": 999.0, "finished_at": 1000.0}
        of_list = {
            "id": "list",
            "flow": "Flow 1",
            "state": "partly-failed",
            "error": json.dumps({"code": "items-failed"}),
        }
        connection.execute(insert(runs), [*rows, {**about, **of_list, **times}])
        loop: dict[str, Any] = {
            "step_id": "everyone",
            "loop_step": "everyone",
            "concurrency": 9,
            "captured": "{}",
            "generation": 0,
        }
        loop["succeeded"] = sum(kind_of(n)[0] == "succeeded" for n in range(number_of_items))
        connection.execute(
            insert(loops).values(run="list", ordinal=1, taken=number_of_items, is_whole=True, created_at=1.0, **loop)
        )
        connection.execute(
            insert(items),
            [
                {"id": f"list.1-{n}", "run": "list", "ordinal": 1, "number": n, "state": kind[0], "code": kind[1]}
                for n in range(number_of_items)
                for kind in [kind_of(n)]
            ],
        )
        entry = {"ordinal": 0, "step_id": "trigger", "value": "{}", "is_failure": False, "finished_at": 1.0}
        if not rows:
            return
        connection.execute(insert(journal), [{"run": row["id"], **entry} for row in rows])
        call = {"step_id": "s", "limit_keys": "[]", "state": "settled", "attempt": 1, "created_at": 1.0}
        connection.execute(
            insert(intents),
            [
                {"key": f"{row['id']}:1", "run": row["id"], "fingerprint": f"f{n}", "resource_id": f"SM{n}", **call}
                for n, row in enumerate(rows)
            ],
        )
        turn = {"conversation": "c", "taken_at": 1.0}
        rows = [{"key": f"{row['id']}:1", "run": row["id"], "number": n} for n, row in enumerate(rows)]
        connection.execute(insert(turns), [{**row, **turn} for row in rows])
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


Look = Callable[[Database], Coroutine[Any, Any, object]]


def found(**wanted: Any) -> Look:
    return lambda database: RunViews(database).find(RunFilter(**wanted))


def listed(**wanted: Any) -> Look:
    async def collect(database: Database) -> list[int]:
        return [one["index"] async for one in LoopViews(database).iterations("list", **wanted)]

    return collect


def retryable(**wanted: Any) -> Look:
    return lambda database: Operations(database).find_retryable(RunFilter(**wanted))


async def other_calls(database: Database) -> object:
    call = CallIdentity(run="x", ordinal=1, step_id="s", fingerprint="f1", limit_keys=())
    return await IntentStore(database).other_calls(call, ["SM1"], reach=60.0)


async def make_a_call(database: Database) -> None:
    """Take a call through every step of the protocol."""
    await RunStore(database).accept(NewRun(id="live", definition="d", integration="Test", flow="F", payload={}))
    store, order = IntentStore(database), ConversationOrder(database, {}, lambda *_: None)
    to_someone = SimpleNamespace(contact=Contact(person="+15558675310", senders=("+15017122661",)), order=SendOrder())
    guarded = cast("GuardedCall", to_someone)
    call = CallIdentity(run="live", ordinal=1, step_id="s", fingerprint="f1", limit_keys=("k",), person="p")
    await store.plan(call)
    await store.hold(call, 0, Hold(kind="cap", reason="enough for now", until=2.0))
    verdict = await order.judge(call, guarded)
    assert isinstance(verdict, Proceed)
    assert (await store.claim(call, 0, "w", verdict.claim_conditions)).attempt == 1
    await store.withdraw(call, 1)
    await store.claim(call, 1, "w")
    await store.throttle(call, 2, "other", 0.0, "why")
    await store.claim(call, 2, "w")
    await store.doubt(call, 3)
    await store.other_calls(call, ["SM1"], reach=60.0)
    await store.resend(call, 3)
    await store.claim(call, 3, "w")
    await store.confirm(call.key, "SM new")
    settlement = Settlement(JournalEntry(step_id="s", value={}), 1.0, "SM new")
    assert await store.settle(call, 4, settlement) == Settling.SETTLED
    await order.end(call, guarded)


async def steer(database: Database) -> None:
    """Do with a run that is running what an operator can do."""
    operations = Operations(database)
    await operations.release("live")
    await operations.pause("live")
    await operations.resume("live")
    await operations.cancel("live")


LOOKS: dict[str, Look] = {
    "the steps of the protocol": make_a_call,
    "what an operator does": steer,
    "what is deleted": lambda database: RunStore(database).forget(["run-00099"]),
    "the newest": found(),
    "a state": found(state="failed"),
    "a flow": found(flow="Flow 3"),
    "a flow and a state": found(flow="Flow 3", state="failed"),
    "a time": found(since=4000.0),
    "a flow, a state and a time": found(flow="Flow 3", state="failed", since=2000.0),
    "a resource": found(resource_id="SM7"),
    "a resource, a flow and a state": found(resource_id="SM7", flow="Flow 0", state="succeeded"),
    "a run": lambda database: RunViews(database).show(FAILED),
    "a beginning": lambda database: find_run_id(database, FAILED),
    "retries": lambda database: RunViews(database).count_retries(FAILED),
    "items": listed(),
    "items of a state": listed(state="unknown"),
    "items of a code": listed(code="30007"),
    "items of a state and a code": listed(state="failed", code="21610"),
    "a loop": lambda database: LoopViews(database).loops("list"),
    "what is to be purged": lambda database: RunStore(database).give_up_before(500.0, 500),
    "calls like one in doubt": other_calls,
    "what a run has done": lambda database: WaitStore(database).acts_of(FAILED),
    "what an iteration has done": lambda database: WaitStore(database).acts_of("list.1-7"),
    "what can be run again": retryable(),
    "what can be run again of a flow": retryable(flow="Flow 3", since=2000.0),
    "what failed of a flow": retryable(flow="Flow 3", state="failed"),
    "a retry": lambda database: Operations(database).retry(FAILED),
}


def test_no_look_and_no_retry_reads_a_whole_table(database: Database) -> None:
    DBOS.migrate(database.url)
    fill(database, 10_000, 20_000)
    whole = {}
    for name, look in LOOKS.items():
        with statements(*{database.engine, database._request_engine}) as executed:
            asyncio.run(look(database))
        assert executed, name
        # SQLite reads the newest runs from the end of their index, and of calls under way there are few.
        if read := whole_tables(database.engine, executed, BIG, but=("flow_runs_by_time", "flow_intents_uncertain")):
            whole[name] = read
    assert whole == {}


def test_what_can_be_run_again_is_found_among_many_runs_that_cannot(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operating, "MOST_RETRIED", 3)
    fill(database, 1_000, 1)
    with database.engine.begin() as connection:
        connection.execute(update(runs).where(runs.c.id == "run-00850").values(state="unknown"))

    def find(**wanted: Any) -> list[str]:
        return asyncio.run(Operations(database).find_retryable(RunFilter(**wanted)))

    assert find() == ["run-00900", "run-00850", "run-00800"]
    assert find(flow="Flow 3", state="failed") == ["run-00500"]
    assert find(since=1000.0 + 850 // 3) == ["run-00900", "run-00850"]


def test_items_come_in_their_order_in_every_filter(database: Database) -> None:
    fill(database, 0, 2_000)

    def expected(state: str | None, code: str | None) -> list[int]:
        numbers = ((n, kind_of(n)) for n in range(2_000))
        return [n for n, kind in numbers if state in (None, kind[0]) and code in (None, kind[1])]

    for state in (None, "failed", "unknown", "pending"):
        for code in (None, "21610", "30007", "none such"):
            assert asyncio.run(listed(state=state, code=code)(database)) == expected(state, code)


def test_ids_that_begin_alike_are_told_apart(database: Database) -> None:
    fill(database, 0, 1)
    others = [retry_id("a_b", 2), "a_b~2.1", "a_b%~3", "axb~2", "A_B~2", "a_b", "a_b.5"]
    about = {"definition": "d", "integration": "Test", "flow": "F", "state": "failed", "created_at": 1.0}
    with database.engine.begin() as connection:
        connection.execute(insert(runs), [{"id": one, **about} for one in others])
    assert asyncio.run(RunViews(database).count_retries("a_b")) == 2
    assert asyncio.run(RunViews(database).count_retries("a_b%")) == 1
    assert asyncio.run(RunViews(database).count_retries("%")) == 0


def test_the_iterations_of_a_loop_are_counted_once_whoever_ends_them_and_however_often(database: Database) -> None:
    store, key = LoopStore(database), LoopKey("r", 1)
    error = {"step": "send", "id": "send", "code": "c", "message": "m", "outcomeUnknown": False}
    failed, unknown = error, {**error, "outcomeUnknown": True}

    def ended(*numbers: int, error: dict[str, Any] | None = None) -> list[EndedIteration]:
        return [EndedIteration(f"r.1-{number}", error, {}) for number in numbers]

    async def end_some() -> None:
        loop = await store.begin(ParallelLoop(key=key, step_id="l", loop_step="l", concurrency=2, captured={}))
        await store.take(loop, {"items": [*"abcdefgh"], "next": None})
        await store.end_iterations(key, [*ended(0, 1), *ended(2, error=failed)], keep_payloads=True)
        await store.end_iterations(key, ended(1, 2, 3), keep_payloads=True)  # another process thought the first dead
        await store.end_iterations(key, ended(3, error=failed), keep_payloads=True)
        await store.end_iterations(key, ended(4, error=unknown), keep_payloads=True)

    asyncio.run(end_some())
    with database.engine.begin() as connection:
        counts = count_iterations(connection, key)
        connection.execute(update(loops).values(succeeded=None))  # as an earlier release has stored it
        assert count_iterations(connection, key) == counts
    assert counts == {"succeeded": 3, "failed": {"c": 1}, "unknown": 1, "pending": 3}
