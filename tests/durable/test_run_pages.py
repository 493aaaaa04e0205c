"""Pages of runs and items: every query goes by an index, and pages put together are the whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, text

from twilio_component.durable.fanout.store import LoopKey
from twilio_component.durable.operator.flow_names import next_flow
from twilio_component.durable.operator.item_pages import ItemPages, page_of_items
from twilio_component.durable.operator.run_pages import (
    COUNTED,
    PageOfRuns,
    RunPages,
    counts_by_state,
    page_of_runs,
    steps_before,
    way_of,
)
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.reader import Reader
from twilio_component.durable.store.schema import definitions, intents, items, journal, loops, runs

if TYPE_CHECKING:
    from sqlalchemy import Executable

RUNS, ITEMS = 10_000, 20_000
KEY = LoopKey("list", 1)
STATES = {0: "failed", 1: "unknown", 2: "running"}


def state_of(number: int) -> str:
    return STATES.get(number % 100, "succeeded")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Reads a database of each kind in turn, which the tests, as it does, leave as it is: it takes a second to make."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path_factory.mktemp('pages') / 'runs.sqlite'}")
    else:
        database = Database(request.getfixturevalue("new_database")())
    database.create()
    with database.engine.begin() as connection:
        connection.execute(insert(definitions).values(digest="d", file="f", text="t"))
        rows = [
            {
                "id": f"run-{number:05}",
                "definition": "d",
                "integration": "Test",
                "flow": f"Flow {number % 7}",
                "state": state_of(number),
                "created_at": 1000.0 + number // 3,  # three at a time
            }
            for number in range(RUNS)
        ]
        connection.execute(insert(runs), [*rows, {**rows[0], "id": "list", "state": "running", "created_at": 1.0}])
        loop = {"step_id": "everyone", "loop_step": "everyone", "concurrency": 9, "captured": "{}", "generation": 0}
        connection.execute(
            insert(loops).values(run="list", ordinal=1, taken=ITEMS, is_whole=True, created_at=1.0, **loop)
        )
        connection.execute(
            insert(items),
            [
                {
                    "id": f"list.1-{number}",
                    "run": "list",
                    "ordinal": 1,
                    "number": number,
                    "state": "failed" if number % 50 == 0 else "succeeded",
                    "code": ("21610", "30007")[number % 100 // 50] if number % 50 == 0 else None,
                }
                for number in range(ITEMS)
            ],
        )
        entry = {"value": json.dumps({"envelope": {"data": None}}), "is_failure": False}
        connection.execute(
            insert(journal),
            [
                {"run": "run-00005", "ordinal": n, "step_id": f"each[{n}].send", "finished_at": 1.0, **entry}
                for n in range(5_000)
            ],
        )
        call = {"step_id": "s", "fingerprint": "f", "limit_keys": "[]", "state": "settled", "attempt": 1}
        connection.execute(
            insert(intents),
            [
                {"key": f"run-{n:05}:1", "run": f"run-{n:05}", "created_at": 1.0, "person": f"p{n % 3000}", **call}
                for n in range(RUNS)
            ],
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    opened = Reader(database)
    yield opened
    opened.close()
    database.close()


def plan(reader: Reader, statement: Executable) -> str:
    """How the database would find the rows."""
    told = str(statement.compile(reader.engine, compile_kwargs={"literal_binds": True}))  # type: ignore[attr-defined]
    asking = "EXPLAIN QUERY PLAN" if reader.is_sqlite else "EXPLAIN"
    with reader.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"{asking} {told.replace('%', '%%')}")
        return "\n".join(str(row[-1]) for row in rows)


POSITION = "1500.0 run-01500"
QUERIES: dict[str, Any] = {
    "the newest": page_of_runs(PageOfRuns(), 50),
    "the next page": page_of_runs(PageOfRuns(after=POSITION), 50),
    "a state": page_of_runs(PageOfRuns(state="unknown", after=POSITION), 50),
    "a flow": page_of_runs(PageOfRuns(flow="Flow 3", after=POSITION), 50),
    "a flow and a state": page_of_runs(PageOfRuns(flow="Flow 3", state="failed"), 50),
    "a time": page_of_runs(PageOfRuns(since=2000.0, until=2010.0), 50),
    "a resource": page_of_runs(PageOfRuns(resource_id="SM1"), 50),
    "a person": page_of_runs(PageOfRuns(person="+15550000001"), 50),
    "how many there are": counts_by_state(),
    "the first flow": next_flow(None),
    "the next flow": next_flow("Flow 3"),
    "steps": steps_before("run-00005", 4_000, 101),
    "the way": way_of("run-00005"),
    "items": page_of_items(KEY, "failed", code=None, after=("21610", 4_000), limit=51),
    "items of a code": page_of_items(KEY, "failed", code="30007", after=None, limit=51),
    "items that succeeded": page_of_items(KEY, "succeeded", code=None, after=("", 4_000), limit=51),
}


def test_no_query_of_the_page_reads_a_whole_table(reader: Reader) -> None:
    plans = {name: plan(reader, statement) for name, statement in QUERIES.items()}
    # SQLite says SCAN where it reads a table or an index from its beginning: the newest runs are read so, in order.
    whole = {
        name: told
        for name, told in plans.items()
        if "Seq Scan" in told
        or any("SCAN flow_" in line and not (name == "the newest" and "INDEX" in line) for line in told.splitlines())
    }
    assert whole == {}


def test_a_page_is_sorted_by_its_index(reader: Reader) -> None:
    paged = ("the newest", "the next page", "a state", "a flow", "steps", "the way", "items", "items of a code")
    plans = {name: plan(reader, QUERIES[name]) for name in paged}
    assert {name: told for name, told in plans.items() if "TEMP B-TREE FOR ORDER BY" in told or "  Sort" in told} == {}


def test_pages_put_together_are_all_runs_once_in_their_order(reader: Reader) -> None:
    async def collect(**wanted: Any) -> list[str]:
        found: list[str] = []
        after = None
        while True:
            page = await RunPages(reader).runs(PageOfRuns(after=after, limit=100, **wanted))
            found += [run["id"] for run in page["runs"]]
            after = page["next"]
            if after is None:
                return found

    async def compare() -> None:
        for state in ("failed", "unknown"):
            expected = [f"run-{number:05}" for number in reversed(range(RUNS)) if state_of(number) == state]
            assert await collect(state=state) == expected
        assert await collect(flow="Flow 3", state="failed") == [
            f"run-{number:05}" for number in reversed(range(RUNS)) if number % 100 == 0 and number % 7 == 3
        ]
        found = await collect(since=2000.0, until=2100.0)
        assert found == [f"run-{number:05}" for number in reversed(range(3000, 3300))]
        assert (await RunPages(reader).counts())["succeeded"] == COUNTED + 1
        assert await RunPages(reader).flows() == [f"Flow {number}" for number in range(7)]

    asyncio.run(compare())


def test_items_are_read_page_by_page_by_code_and_number(reader: Reader) -> None:
    async def compare() -> None:
        found: list[tuple[str, int]] = []
        after = None
        while True:
            page = await ItemPages(reader).items("list", 1, state="failed", after=after, limit=100)
            found += [(item["code"], item["index"]) for item in page["items"]]
            after = page["next"]
            if after is None:
                break
        assert found == [("21610", n) for n in range(0, ITEMS, 100)] + [("30007", n) for n in range(50, ITEMS, 100)]
        (loop,) = await ItemPages(reader).loops("list")
        assert (loop["taken"], loop["succeeded"], loop["failed"]) == (ITEMS, 19_600, {"21610": 200, "30007": 200})
        shown = await RunPages(reader).run("run-00005")
        assert [len(shown["steps"]), shown["earlier"]] == [100, 4_900]

    asyncio.run(compare())


def test_a_reader_writes_nothing(reader: Reader) -> None:
    with reader.engine.connect() as connection, pytest.raises(Exception, match=r"readonly|read-only"):
        connection.execute(text("DELETE FROM flow_runs"))
