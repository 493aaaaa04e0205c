"""A list of a hundred thousand on the page: what is shown is bounded, and so is what the database does for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.reader import Reader
from twilio_component.durable.store.schema import definitions, loops, runs
from twilio_component.serving.operations.api import Api
from twilio_component.serving.operations.retries import Retries

ITEMS, FAILED, LEFT = 100_000, 400, 30_000
STEP = 100
"""Instructions of SQLite's machine between two counts."""
MOST_INSTRUCTIONS = 50_000
"""To read the list from its beginning takes more than ten times as many."""
LARGEST = 100_000
FILL = f"""
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {ITEMS - 1})
INSERT INTO flow_items (id, run, ordinal, number, state, code, error, finished_at, item)
SELECT 'list.1-' || n, 'list', 1, n,
  CASE WHEN n % 250 = 0 THEN 'failed' WHEN n >= {ITEMS - LEFT} THEN 'pending' ELSE 'succeeded' END,
  CASE WHEN n % 250 = 0 THEN CASE n % 500 WHEN 0 THEN '21610' ELSE '30007' END END,
  CASE WHEN n % 250 = 0 THEN '{{"step": "Send", "message": "m"}}' END,
  CASE WHEN n % 250 = 0 OR n < {ITEMS - LEFT} THEN 1000.0 + n / 50 END,
  CASE WHEN n % 250 = 0 OR n >= {ITEMS - LEFT} THEN '{{"phone": "+15558675310"}}' END
FROM numbers
"""  # noqa: S608 - numbers of ours
CALLS = """
INSERT INTO flow_intents (key, run, step_id, fingerprint, limit_keys, state, attempt, created_at, item)
SELECT id || '-1', run, 'send', 'f' || number, '[]',
  CASE number WHEN 99999 THEN 'in_doubt' ELSE 'settled' END, 1, 1.0, id
FROM flow_items WHERE finished_at IS NOT NULL OR number = 99999
"""


class Counted:
    """The page's reads of a database, and how many instructions SQLite has executed for each."""

    def __init__(self, database: Database, reader: Reader) -> None:
        operations = Operations(database)
        self._api = Api(reader, operations, Retries(database, operations), database="d", version="v")
        self._count = 0
        event.listen(reader.engine, "begin", self._watch)

    def _watch(self, connection: Any) -> None:
        def note() -> int:
            self._count += STEP
            return 0

        connection.connection.driver_connection.set_progress_handler(note, STEP)

    def read(self, path: str, **arguments: str) -> tuple[Any, int]:
        self._count = 0
        return asyncio.run(self._api.read(path, arguments)), self._count


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    database = Database(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    database.create()
    run = {
        "id": "list",
        "definition": "d",
        "integration": "Test",
        "flow": "Main",
        "state": "running",
        "created_at": 1.0,
    }
    loop = {"run": "list", "ordinal": 1, "step_id": "everyone", "loop_step": "everyone", "concurrency": 9}
    state = {"captured": "{}", "taken": ITEMS, "is_whole": True, "generation": 0, "created_at": 1.0}
    with database.engine.begin() as connection:
        connection.execute(insert(definitions).values(digest="d", file="f", text="t"))
        connection.execute(insert(runs).values(run))
        connection.execute(text(FILL))
        connection.execute(text(CALLS))
        # Every 250th has failed, of those that are left, too.
        succeeded = ITEMS - LEFT - (ITEMS - LEFT) // 250
        connection.execute(insert(loops).values(**loop, **state, succeeded=succeeded))
    reader = Reader(database)
    yield Counted(database, reader)
    reader.close()
    database.close()


def test_a_long_list_is_shown_in_bounded_pages_by_bounded_reads(counted: Counted) -> None:
    run, instructions = counted.read("run", id="list")
    (loop,) = run["loops"]
    assert (loop["taken"], loop["left"]) == (ITEMS, LEFT - LEFT // 250)
    assert loop["failed"] == {"21610": FAILED // 2, "30007": FAILED // 2}
    assert loop["inDoubt"] == 1
    assert loop["succeeded"] + loop["left"] + FAILED == ITEMS
    read = {"run": instructions}
    for state, code in (("failed", ""), ("failed", "30007"), ("succeeded", ""), ("pending", "")):
        page, read[f"{state} {code}"] = counted.read("items", id="list", loop="1", state=state, code=code)
        assert len(page["items"]) == 50
        assert len(json.dumps(page)) < LARGEST
        # The next page is found as fast as the first one, however far away it is.
        after = f"{ITEMS - 30_500} {code or ('30007' if state == 'failed' else '')}"
        page, read[f"{state} {code} later"] = counted.read(
            "items", id="list", loop="1", state=state, code=code, after=after, limit="1000000"
        )
        assert 0 < len(page["items"]) <= 100
        assert len(json.dumps(page)) < LARGEST
    assert len(json.dumps(run)) < LARGEST
    assert {name: count for name, count in read.items() if count > MOST_INSTRUCTIONS} == {}


def test_what_counts_the_instructions_notices_a_read_of_the_whole_list(counted: Counted) -> None:
    async def count(_: object) -> int:
        reader = counted._api._items._reader
        return await reader.run(
            lambda c: c.execute(text("SELECT count(*) FROM flow_items WHERE error = 'x'")).scalar_one()
        )

    counted._api._readers = {"whole": count}
    _, instructions = counted.read("whole")
    assert instructions > 5 * MOST_INSTRUCTIONS
