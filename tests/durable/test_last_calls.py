"""The end of an iteration is stored in the transaction that stores the result of its last call."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from durable.test_refusals import KEY, begin, failure
from sqlalchemy import select
from support.engine import serving
from support.long_lists import QUICK, flow, people, sent, stored
from support.statements import statements

from twilio_component.durable import ids
from twilio_component.durable.execution import unrepeatable_calls
from twilio_component.durable.fanout.ends import EndedIteration
from twilio_component.durable.sending import guarded_call
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.intents import CallIdentity, Settlement, Settling
from twilio_component.durable.settings import Settings
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.item_ends import LastCall
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import items, journal, loops
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from types import FrameType


@pytest.fixture
def of_each_kind(url: str) -> Iterator[Database]:
    opened = Database(url)
    opened.create()
    yield opened
    opened.close()


async def test_an_iteration_ends_with_its_last_call_unless_another_process_has_ended_it(of_each_kind: Database) -> None:
    database = of_each_kind
    store, intents = await begin(database, 5), IntentStore(database)
    first, has_earlier, failed, succeeded, keeping = (ids.item_id(KEY.run, KEY.ordinal, one) for one in range(5))
    earlier = JournalEntry(step_id="look", value={"envelope": {"data": "earlier"}})
    for item in (has_earlier, keeping):
        await RunStore(database).record(item, 0, earlier)
    ends = [EndedIteration(failed, failure(), {}), EndedIteration(succeeded, None, {})]
    await store.end_iterations(KEY, ends, keep_payloads=False)
    for item in (first, has_earlier, failed, succeeded, keeping):
        ordinal = 1 if item in (has_earlier, keeping) else 0
        call = CallIdentity(run=KEY.run, item=item, ordinal=ordinal, step_id="send", fingerprint=item)
        await intents.plan(call)
        await intents.claim(call, 0, "worker")
        last = LastCall((KEY.run, KEY.ordinal), item, keeps_results=item == keeping)
        result = JournalEntry(step_id="send", value={"envelope": {"data": item}})
        assert await intents.settle(call, 1, Settlement(result, 0.0, f"SM{item}", last=last)) == Settling.SETTLED
    with database.engine.connect() as connection:
        states = {row.id: row.state for row in connection.execute(select(items))}
        kept = Counter(connection.execute(select(journal.c.run)).scalars())
        counted = connection.execute(select(loops.c.succeeded)).scalar_one()
    assert states == {**dict.fromkeys((first, has_earlier, succeeded, keeping), "succeeded"), failed: "failed"}
    assert counted == 4
    # What is retried continues from its results; what has succeeded leaves none, if the deployment keeps none.
    assert kept == {failed: 1, keeping: 2}


async def test_the_results_of_a_list_are_not_stored_where_nothing_comes_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    emulator, numbers = Emulator(), people(tmp_path, 40)
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        with statements(served.engine.database.engine) as executed:
            await served.run("one")
        inserted = [one.parameters for one in executed if one.text.startswith("INSERT INTO flow_journal")]
        deleted = [one.parameters for one in executed if one.text.startswith("DELETE FROM flow_journal")]
    assert sent(emulator) == Counter(numbers)
    assert "one.1-" not in str(inserted)
    assert "one.1-" not in str(deleted)


async def test_a_list_makes_one_digest_a_send_and_no_outline_of_inputs_that_nobody_will_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        function = getattr(module, name)

        def counting(*arguments: Any) -> Any:
            made[name] += 1
            return function(*arguments)

        monkeypatch.setattr(module, name, counting)

    count(guarded_call, "_digest")
    count(unrepeatable_calls, "redact_inputs")
    emulator, numbers = Emulator(), people(tmp_path, 40)
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        await served.run("one")
    assert sent(emulator) == Counter(numbers)
    assert made["redact_inputs"] == 0
    # Of the 40 fingerprints, and of the connection that they share.
    assert made["_digest"] == 41


async def test_a_send_of_a_list_calls_few_functions_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    called = 0

    def count(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal called
        file = frame.f_code.co_filename
        ours = "twilio_component" in file and "emulator" not in file
        called += event == "call" and (ours or file == contextlib.__file__)  # managers of contexts are generators there

    async def calls_of(run: str, recipients: int) -> int:
        nonlocal called
        people(tmp_path, recipients)
        called = 0
        sys.setprofile(count)
        try:
            await served.run(run)
        finally:
            sys.setprofile(None)
        return called

    people(tmp_path, 1)
    async with serving(tmp_path, flow(), emulator=Emulator(), settings=Settings()) as served:
        await served.run("first")
        few, many = await calls_of("few", 10), await calls_of("many", 50)
    # Each costs less than a microsecond, but there were 563.
    assert (many - few) / 40 < 530


async def test_an_iteration_is_replayed_when_another_process_has_stored_the_result_of_its_last_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settle, overtaken = IntentStore.settle, set[str]()

    async def settle_late(
        self: IntentStore, call: CallIdentity, attempt: int, settlement: Settlement, **options: Any
    ) -> Settling:
        if call.item is None or call.key in overtaken:
            return await settle(self, call, attempt, settlement, **options)
        overtaken.add(call.key)
        before = Settlement(settlement.entry, settlement.started, settlement.resource_id)
        assert await settle(self, call, attempt, before, **options) == Settling.SETTLED
        return await settle(self, call, attempt, settlement, **options)

    monkeypatch.setattr(IntentStore, "settle", settle_late)
    emulator, numbers = Emulator(), people(tmp_path, 10)
    async with serving(tmp_path, flow(), emulator=emulator, settings=QUICK) as served:
        await served.begin("one")
        ended = await served.engine.wait_for_outcome("one", 30)
        assert ended is not None
        assert ended["state"] == "succeeded"
        assert len(overtaken) == 10
        assert {row["run"] for row in await stored(served, journal)} == {"one"}
    assert sent(emulator) == Counter(numbers)
