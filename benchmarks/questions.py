"""Measures what open questions cost a serving process, and how soon an answer wakes its run.

`python benchmarks/questions.py [QUESTIONS]` prints a table: 100,000 questions on Postgres unless it is told otherwise.
One question is asked by a flow; the rows that it leaves are copied as often as that, for a person each.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import aiohttp
from events import Twilio
from sqlalchemy import Connection, create_engine, text

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.postgres import Postgres
from support.serve_processes import ACCOUNT_SID, ASKING, AUTH_TOKEN, SENDER, Deployment
from support.waiting import until

from twilio_component.twilio.signatures.verification import sign

QUESTIONS, ANSWERS = 100_000, 200
FLOW = ASKING.replace("value: 1h", "value: 30d")
# A person's number, the id of a message, and the name of a conversation, in the database's words for the number n.
_PERSON = "'+1555' || lpad(n::text, 7, '0')"
_MESSAGE = "'SMf' || lpad(to_hex(n), 31, '0')"
_CONVERSATION = f"encode(sha256(convert_to('{ACCOUNT_SID} {SENDER} ' || {_PERSON}, 'UTF8')), 'hex')"
_TABLES = {
    "flow_runs": "id",
    "flow_journal": "run",
    "flow_intents": "run",
    "flow_questions": "run",
    "flow_waits": "run",
    "dbos.workflow_status": "workflow_uuid",
}
_IDS = {"id", "run", "key", "workflow_uuid", "inputs"}


class Cost(NamedTuple):
    """What a process has: megabytes resident, threads, connections, and the percentage of a core that it takes idle."""

    memory: float
    threads: int
    connections: int
    idle: float


def person(number: int) -> str:
    return f"+1555{number:07d}"


async def write(session: aiohttp.ClientSession, url: str, sid: str, them: str, body: str) -> None:
    parameters = {"MessageSid": sid, "AccountSid": ACCOUNT_SID, "From": them, "To": SENDER, "Body": body}
    headers = {"X-Twilio-Signature": sign(AUTH_TOKEN, url, parameters.items())}
    async with session.post(url, data=parameters, headers=headers) as response:
        assert response.status == 204, await response.text()


def copy(connection: Connection, questions: int) -> None:
    """Copy the rows of the only run for so many people."""
    run = connection.execute(text("SELECT run FROM flow_waits")).scalar_one()
    for table, key in _TABLES.items():
        columns = connection.execute(text(f"SELECT * FROM {table} LIMIT 0")).keys()
        copied = {one: f"replace({one}, :run, 'ask-' || n)" for one in columns if one in _IDS}
        copied |= {"resource_id": _MESSAGE, "conversation": _CONVERSATION, "effects": f"'[\"' || {_MESSAGE} || '\"]'"}
        copied["value"] = f"replace(value, '{person(0)}', {_PERSON})"  # of the trigger, in the journal
        made = ", ".join(copied.get(one, one) for one in columns)
        connection.execute(
            text(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {made} "
                f"FROM {table}, generate_series(1, {questions}) AS n WHERE {key} = :run"
            ),
            {"run": run},
        )
    connection.execute(text("ANALYZE"))


def cost(pid: int, deployment: Deployment) -> Cost:
    def status(name: str) -> int:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1])

    def processor() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before, seconds = processor(), 10.0
    time.sleep(seconds)
    idle = (processor() - before) / seconds
    of_process = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ((connections,),) = deployment.ask(f"SELECT count(*) {of_process}")
    return Cost(status("VmRSS:") / 1024, status("Threads:"), connections, idle)


async def measure(database: str, questions: int) -> tuple[Cost, Cost, float, list[float]]:
    """The cost before and after, the megabytes of the database, and the milliseconds from answers to what follows."""
    twilio = Twilio()
    with tempfile.TemporaryDirectory() as folder:
        async with twilio.serving() as url, aiohttp.ClientSession() as session:
            deployment = Deployment(Path(folder), url, database=database, flow=FLOW)
            serving = deployment.serving()
            process = await asyncio.to_thread(serving.__enter__)
            try:
                await write(session, deployment.webhook(), f"SM{'a' * 32}", person(0), "Hello")
                await twilio.request_to(person(0))
                waits = "SELECT 1 FROM flow_waits"
                await asyncio.to_thread(until, lambda: deployment.ask(waits), "the first question is open")
                before = await asyncio.to_thread(cost, process.pid, deployment)
                engine = create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
                with engine.begin() as connection:
                    copy(connection, questions)
                engine.dispose()
                ((size,),) = deployment.ask("SELECT pg_database_size(current_database()) / 1e6")
                after = await asyncio.to_thread(cost, process.pid, deployment)
                found = []
                for place, number in enumerate(random.sample(range(1, questions + 1), ANSWERS)):
                    begun = time.perf_counter()
                    came = twilio.request_to(person(number))
                    await write(session, deployment.webhook(), f"SM{place:032x}", person(number), "yes")
                    async with asyncio.timeout(30):
                        found.append(1000 * (await came - begun))
            finally:
                await asyncio.to_thread(serving.__exit__, None, None, None)
    return before, after, float(size), sorted(found)


def main() -> None:
    from run import publish

    questions = int(sys.argv[1]) if sys.argv[1:] else QUESTIONS
    with Postgres() as server:
        before, after, size, found = asyncio.run(measure(server.new_database("questions"), questions))
    latest = statistics.quantiles(found, n=100)[-1]
    lines = [
        "| open questions | memory of the process | threads | connections | a core, idle |",
        "|---:|---:|---:|---:|---:|",
        *(
            f"| {count:,} | {one.memory:.0f} MB | {one.threads} | {one.connections} | {one.idle:.1f} % |"
            for count, one in ((1, before), (questions, after))
        ),
        "",
        f"The database has {size:,.0f} MB then. From an answer's webhook to the request of what follows it, the median",
        f"of {ANSWERS} took {statistics.median(found):.0f} ms, 99 of 100 at most {latest:.0f} ms,",
        f"and the slowest {found[-1]:.0f} ms.",
    ]
    publish(lines, "<!-- questions -->", "<!-- end of questions -->")


if __name__ == "__main__":
    main()
