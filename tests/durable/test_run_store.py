"""What is stored of a run, in each kind of database."""

from __future__ import annotations

import asyncio

from twilio_component.durable.database import Database
from twilio_component.durable.run_store import NewRun, RunStore


def test_a_run_is_stored_once_together_with_what_its_trigger_answered(url: str) -> None:
    database = Database(url)
    database.create()
    runs = RunStore(database)

    async def scenario() -> None:
        definition = await runs.define("flow.yaml", "text")
        first, again = (
            NewRun(
                id="run",
                definition=definition,
                integration="I",
                flow="F",
                payload={},
                trigger={"payload": {"said": said}},
                trigger_place="trigger",
            )
            for said in ("first", "again")
        )
        assert await runs.accept(first)
        assert not await runs.accept(again)
        kept = await runs.kept("run", -2, 100)
        assert kept[0].value == {"envelope": {"payload": {"said": "first"}}}

    asyncio.run(scenario())
    database.close()
