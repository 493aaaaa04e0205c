"""Measures durable runs against the workflow engine's own, side by side in one run: the second half of `make bench`.

Each measurement is made in a process of its own with a database of its own, ours and the engine's in turn. The results
go to standard output and into `docs/explanation/performance.md`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import events
from lists import against_bare_sends, durable_list
from run import ROOT, Row, program, publish, served

sys.path.insert(0, str(ROOT / "tests"))
from support.postgres import Postgres
from support.serve_processes import Deployment, inbound

from twilio_component.twilio.signatures.verification import sign

ROUNDS = 5
RUNS = 400
FLOOD = 3_000
LISTS = (1_000, 5_000, 20_000)
_IN_FLIGHT = 50
_TOKEN = "emulated-auth-token"

NewDatabase = Callable[[], str]


@contextmanager
def sqlite() -> Iterator[NewDatabase]:
    """New SQLite files with a write-ahead log, for both sides."""
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(10_000))

        def new() -> str:
            path = Path(folder) / f"{next(numbers)}.sqlite"
            with sqlite3.connect(path) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            return f"sqlite:///{path}"

        yield new


@contextmanager
def postgres() -> Iterator[NewDatabase]:
    """New databases of one Postgres."""
    with Postgres() as server:
        numbers = iter(range(10_000))
        yield lambda: server.new_database(f"bench{next(numbers)}")


def flows(name: str, new: NewDatabase) -> list[Row]:
    """Runs of two steps against the engine's own workflow, and webhooks accepted against its bare enqueue."""
    begun: list[list[float]] = [[], []]
    done: list[list[float]] = [[], []]
    accepted: list[float] = []
    for _ in range(ROUNDS):
        for side, which in enumerate(("ours", "bare")):
            rates = [float(value) for value in program("durable_part.py", which, new(), str(RUNS)).split()]
            begun[side].append(rates[0])
            done[side].append(rates[1])
        accepted.append(webhooks(new()))
    return [
        Row(f"runs of two steps, {name}, against the engine's own", "1/s", done[0], done[1], "≥ 0.85"),
        Row(f"webhooks accepted, {name}, against the engine's bare enqueue", "1/s", accepted, begun[1], "≥ 0.8"),
    ]


def webhooks(database: str, number: int = RUNS) -> float:
    """Webhooks a second that `serve` verifies, de-duplicates, stores and answers, while it runs their flows."""
    with tempfile.TemporaryDirectory() as folder, served("unique") as twilio:
        deployment = Deployment(Path(folder), twilio, database=database)
        with deployment.serving():
            return asyncio.run(_posted(deployment.webhook(), number))


async def _posted(url: str, number: int) -> float:
    numbers = iter(range(number + 2 * _IN_FLIGHT))
    times: list[float] = []

    async def lane(session: aiohttp.ClientSession) -> None:
        for one in numbers:
            parameters = inbound(one)
            headers = {"X-Twilio-Signature": sign(_TOKEN, url, parameters.items())}
            async with session.post(url, data=parameters, headers=headers) as answer:
                assert answer.status == 204, await answer.text()
            times.append(time.perf_counter())

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(lane(session) for _ in range(_IN_FLIGHT)))
    measured = times[_IN_FLIGHT : _IN_FLIGHT + number]
    return (len(measured) - 1) / (measured[-1] - measured[0])


def lists(new: NewDatabase) -> list[str]:
    """Lists of growing length, to a server that answers at once."""
    lines = ["| recipients | seconds | a second | growth of memory |", "|---:|---:|---:|---:|"]
    with served("unique") as url:
        for recipients in LISTS:
            seconds, growth, _ = durable_list(new(), recipients, url)
            lines.append(f"| {recipients:,} | {seconds:.1f} | {recipients / seconds:.0f} | {growth:.0f} MB |")
    return lines


def single_events(name: str, new: NewDatabase) -> str:
    """A row: what one event waits for, and what a process takes when there are none."""
    found = asyncio.run(events.waits(new()))
    return f"| {name} | {found.median:.1f} | {found.late:.1f} | {found.first:.0f} | {found.idle:.1f} |"


def main() -> None:
    rows: list[Row] = []
    with sqlite() as new:
        rows += flows("SQLite", new)
        flood = webhooks(new(), FLOOD)
        listed = lists(new)
        waited = single_events("SQLite", new)
    with sqlite() as new, postgres() as new_there:
        rows += against_bare_sends(new, new_there)
    with postgres() as new:
        rows += flows("Postgres", new)
        flood_there = webhooks(new(), FLOOD)
        listed_there = lists(new)
        waited_there = single_events("Postgres", new)
    lines = ["| what | ours | theirs | | ratio | spread | to land |", "|---|---:|---:|---|---|---|---|"]
    lines += [row.line() for row in rows]
    floods = f"{flood:.0f} a second with SQLite, {flood_there:.0f} with Postgres"
    lines += ["", f"{FLOOD:,} webhooks without a pause, {_IN_FLIGHT} in flight, beside their runs: {floods}."]
    lines += ["", "A list, 100 concurrent iterations, the sender without a rate, SQLite:", "", *listed]
    lines += ["", "The same on Postgres:", "", *listed_there]
    lines += [
        "",
        f"{events.EVENTS} events, one every 0.1 s: milliseconds between the webhook's response and the request",
    ]
    lines += [
        "of its SMS, for the first event on a fresh database too, and percent of a core when nothing happens:",
        "",
    ]
    lines += ["| database | median | 99 % | the first | idle |", "|---|---:|---:|---:|---:|", waited, waited_there]
    publish(lines, "<!-- durable -->", "<!-- end of durable -->")


if __name__ == "__main__":
    main()
