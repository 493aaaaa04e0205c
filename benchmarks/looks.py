"""Measures what people wait for who look at a database with very many runs.

`python benchmarks/looks.py sqlite|postgres [RUNS ITEMS]` fills a database with so many runs, and a list with so many
items (a million of each, which takes minutes), and prints the milliseconds of each look, the best and the worst of
five, and of the longest transaction of a purge: of runs, and of the list.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any

from dbos import DBOS
from sqlalchemy import Connection, event, insert, text

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.postgres import Postgres

from twilio_component.durable.operator.loop_views import LoopViews
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.run_ids import find_run_id
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import definitions, intents, items, loops, runs

_BATCH = 20_000
_SHOWN = 100
_PURGED = 4_000
_DAY = 24 * 3600.0
_TIMES = 5

Look = Callable[[], Coroutine[Any, Any, object]]


def fill(connection: Connection, number_of_runs: int, number_of_items: int) -> None:
    """Store runs, one in five hundred of which failed, with a send each; and a list that is nine tenths done."""
    connection.execute(insert(definitions).values(digest="d", file="f", text="t"))
    about = {"definition": "d", "integration": "Bench"}
    now = time.time()
    call = {"step_id": "s", "limit_keys": "[]", "state": "settled", "attempt": 1, "created_at": 1.0}
    for first in range(0, number_of_runs, _BATCH):
        batch = range(first, min(first + _BATCH, number_of_runs))
        times = [now - number_of_runs + number for number in batch]
        rows = [
            {
                **about,
                "id": run_id(number),
                "flow": f"Flow {number % 7}",
                "state": "failed" if number % 500 == 0 else "succeeded",
                "created_at": at,
                "finished_at": at,
            }
            for number, at in zip(batch, times, strict=True)
        ]
        connection.execute(insert(runs), rows)
        sends = [
            {
                "key": f"{run_id(n)}:1",
                "run": run_id(n),
                "fingerprint": f"{n:064x}",
                "resource_id": f"SM{n:032x}",
                **call,
            }
            for n in batch
        ]
        connection.execute(insert(intents), sends)
    connection.execute(insert(runs).values(id="list", flow="List", state="running", created_at=now, **about))
    done = number_of_items * 9 // 10
    loop = {"step_id": "everyone", "loop_step": "everyone", "concurrency": 9, "captured": "{}", "generation": 0}
    counts = {"taken": number_of_items, "succeeded": done - len(range(0, done, 50))}
    connection.execute(insert(loops).values(run="list", ordinal=1, is_whole=True, created_at=now, **loop, **counts))
    for first in range(0, number_of_items, _BATCH):
        batch = range(first, min(first + _BATCH, number_of_items))
        connection.execute(insert(items), [item(number, done, now) for number in batch])


def run_id(number: int) -> str:
    return f"web-{number:032x}"


def item(number: int, done: int, now: float) -> dict[str, Any]:
    """An item; each fiftieth failed, with one of two codes."""
    has_failed = number < done and number % 50 == 0
    state = "pending" if number >= done else "failed" if has_failed else "succeeded"
    code = ("21610", "30007")[number % 100 // 50] if has_failed else None
    of_list = {"id": f"list.1-{number}", "run": "list", "ordinal": 1, "number": number}
    return {**of_list, "state": state, "code": code, "finished_at": now if number < done else None}


def looks(database: Database, number_of_runs: int) -> dict[str, Look]:
    numbers = itertools.count(number_of_runs // 1_000)
    views, loop_views, operations = RunViews(database), LoopViews(database), Operations(database)

    def listed(**wanted: Any) -> Look:
        return lambda: views.find(RunFilter(**wanted))

    def of_list(**wanted: Any) -> Look:
        async def read() -> None:
            shown = 0
            async for _ in loop_views.iterations("list", **wanted):
                shown += 1
                if shown == _SHOWN:
                    return

        return read

    return {
        "list": listed(),
        "list, a state": listed(state="failed"),
        "list, a flow": listed(flow="Flow 3"),
        "list, a flow and a state": listed(flow="Flow 3", state="failed"),
        "list, a state that none has": listed(state="unknown"),
        "list, a flow that none has": listed(flow="Other"),
        "list, the last hour": listed(since=time.time() - 3600),
        "list, a flow and a state, the last hour": listed(flow="Flow 3", state="failed", since=time.time() - 3600),
        "list, an SID": listed(resource_id=f"SM{7:032x}"),
        "list, an SID and a flow": listed(resource_id=f"SM{7:032x}", flow="Flow 0"),
        "show": lambda: views.show(run_id(7)),
        "the beginning of an id": lambda: find_run_id(database, run_id(number_of_runs // 2)),
        "show and follow, the list": lambda: loop_views.loops("list"),
        "items": of_list(),
        "items, a state": of_list(state="failed"),
        "items, a code": of_list(code="30007"),
        "items, no such code": of_list(code="1"),
        "items, no such state": of_list(state="unknown"),
        "items, a state and a code": of_list(state="failed", code="30007"),
        "items, those that are left": of_list(state="pending"),
        "retry": lambda: operations.retry(run_id(500 * next(numbers))),
    }


async def measure(database: Database, number_of_runs: int) -> None:
    for name, look in looks(database, number_of_runs).items():
        found = []
        for _ in range(_TIMES):
            begun = time.perf_counter()
            await look()
            found.append(time.perf_counter() - begun)
        print(f"{name}: {1000 * min(found):.1f} ms, at most {1000 * max(found):.1f}", flush=True)
    begun_at: dict[int, float] = {}
    took: list[float] = []
    for engine in {database.engine, database._request_engine}:
        event.listen(engine, "begin", lambda _: begun_at.update({get_ident(): time.perf_counter()}))
        # After its commit: the event of that name comes before it.
        event.listen(engine, "checkin", lambda *_: took.append(time.perf_counter() - begun_at[get_ident()]))
    days = (number_of_runs - _PURGED) / _DAY
    purged = await Operations(database).purge(days)
    print(f"{purged:,} runs purged in {len(took)} transactions, the longest {1000 * max(took):.0f} ms", flush=True)
    took.clear()
    await RunStore(database).forget(["list"])
    print(f"the list purged in {len(took)} transactions, the longest {1000 * max(took):.0f} ms")


@contextmanager
def new_database(which: str) -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        if which == "sqlite":
            url = f"sqlite:///{Path(folder) / 'runs.sqlite'}"
        else:
            url = stack.enter_context(Postgres()).new_database("looks")
        database = Database(url)
        stack.callback(database.close)
        database.create()
        DBOS.migrate(database.url)
        yield database


def main() -> None:
    which, *sizes = sys.argv[1:]
    number_of_runs, number_of_items = (int(word) for word in sizes or ("1000000", "1000000"))
    with new_database(which) as database:
        with database.engine.begin() as connection:
            fill(connection, number_of_runs, number_of_items)
        if which != "sqlite":
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))  # what the server's own vacuum does some minutes later
        asyncio.run(measure(database, number_of_runs))


if __name__ == "__main__":
    main()
