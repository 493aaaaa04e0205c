"""Iterations that end within a moment of each other are stored together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from durable.test_refusals import KEY, begin
from support.statements import statements

from twilio_component.durable.fanout import chunk_runner
from twilio_component.durable.fanout.chunk_runner import ChunkRunner, IterationRunner
from twilio_component.durable.fanout.ends import EndedIteration
from twilio_component.durable.fanout.refusals import Refusals

if TYPE_CHECKING:
    import pytest

    from twilio_component.durable.fanout.store import Item, ParallelLoop
    from twilio_component.durable.store.database import Database


def test_forty_iterations_that_end_are_one_transaction_and_the_last_one_is_not_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_runner, "_GATHER_SECONDS", 600.0)
    stored: list[int] = []

    async def iteration(_: ParallelLoop, item: Item, __: object) -> EndedIteration:
        await asyncio.sleep(0)
        return EndedIteration(item.id, None, {})

    async def runner(_: asyncio.Event) -> IterationRunner:
        return iteration

    async def work() -> list[str]:
        store = await begin(database, 40)
        store_ends = store.end_iterations

        async def end_iterations(key: Any, ended: Sequence[EndedIteration], *, keep_payloads: bool) -> None:
            stored.append(len(ended))
            with statements(database.engine) as executed:
                await store_ends(key, ended, keep_payloads=keep_payloads)
            texts.extend(one.text for one in executed)

        monkeypatch.setattr(store, "end_iterations", end_iterations)
        texts: list[str] = []
        process = ChunkRunner(store, lambda *_: asyncio.sleep(0), refusals=Refusals(database, 5), keep_payloads=False)
        await process.run(KEY, 0, runner)
        # Meanwhile the process looks whether the run is stopped.
        return [one.split()[0] for one in texts if one.startswith(("UPDATE", "DELETE", "SELECT flow_items"))]

    # The items, the count of the loop, and the results; nothing is locked of which nothing but the end changes.
    assert sorted(asyncio.run(work())) == ["DELETE", "UPDATE", "UPDATE"]
    assert stored == [40]
