"""Measures what an event waits for, from the webhook's response to the request of its SMS; and an idle process.

`python benchmarks/events.py sqlite|postgres [EVENTS]` prints, for a serving process and few events, the median and the
99th percentile in ms, the milliseconds of the first event on a fresh database, and the part of a core that the process
takes when nothing happens, in percent.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

import aiohttp
from loopback import MESSAGE

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.postgres import Postgres
from support.serve_processes import AUTH_TOKEN, Deployment, inbound

from twilio_component.twilio.signatures.verification import sign

EVENTS = 300
_PAUSE = 0.1  # on average: nobody else's event is under way
_SETTLING_SECONDS = 5.0  # what the last events have left to do, and until looks for work are rare
_IDLE_SECONDS = 20.0
_PATIENCE = 30.0


class Waits(NamedTuple):
    """Milliseconds between the response to a webhook and the request of its SMS; and percent of a core when idle."""

    median: float
    late: float
    first: float
    idle: float


class Twilio:
    """Responds to every request with a message of its own, and notes when the request came, by its recipient."""

    def __init__(self) -> None:
        self.came: dict[str, asyncio.Future[float]] = {}
        self._numbers = itertools.count()

    def request_to(self, recipient: str) -> asyncio.Future[float]:
        return self.came.setdefault(recipient, asyncio.get_running_loop().create_future())

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._respond, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await self._head(reader):
            came = time.perf_counter()
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            (recipient,) = parse_qs((await reader.readexactly(length)).decode())["To"]
            self.request_to(recipient).set_result(came)
            body = json.dumps({**MESSAGE, "sid": f"SM{next(self._numbers):032x}"}).encode()
            status = f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(status.encode() + body)
        writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""


async def waits(database: str, events: int = EVENTS) -> Waits:
    """Measure a serving process on this database, an empty SQLite file for none."""
    twilio = Twilio()
    with tempfile.TemporaryDirectory() as folder:
        async with twilio.serving() as url, aiohttp.ClientSession() as session:
            deployment = Deployment(Path(folder), url, database=database)
            serving = deployment.serving()
            process = await asyncio.to_thread(serving.__enter__)
            try:
                first = await _wait(session, deployment.webhook(), twilio, 0)
                found = []
                for number in range(1, events + 1):
                    await asyncio.sleep(random.uniform(0.5, 1.5) * _PAUSE)
                    found.append(await _wait(session, deployment.webhook(), twilio, number))
                await asyncio.sleep(_SETTLING_SECONDS)
                before = _processor_seconds(process.pid)
                await asyncio.sleep(_IDLE_SECONDS)
                idle = (_processor_seconds(process.pid) - before) / _IDLE_SECONDS
            finally:
                await asyncio.to_thread(serving.__exit__, None, None, None)
    found.sort()
    return Waits(statistics.median(found), found[int(0.99 * len(found))], first, 100 * idle)


async def _wait(session: aiohttp.ClientSession, url: str, twilio: Twilio, number: int) -> float:
    parameters = inbound(number)
    came = twilio.request_to(parameters["From"])
    headers = {"X-Twilio-Signature": sign(AUTH_TOKEN, url, parameters.items())}
    async with session.post(url, data=parameters, headers=headers) as response:
        assert response.status == 204, await response.text()
    accepted = time.perf_counter()
    async with asyncio.timeout(_PATIENCE):
        return 1000 * (await came - accepted)


def _processor_seconds(pid: int) -> float:
    # Threads that run for less than a tick are not in the process's own times.
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9


def main() -> None:
    which, *more = sys.argv[1:]
    events = int(more[0]) if more else EVENTS
    if which == "sqlite":
        found = asyncio.run(waits("", events))
    else:
        with Postgres() as server:
            found = asyncio.run(waits(server.new_database("events"), events))
    print(" ".join(f"{value:.1f}" for value in found))


if __name__ == "__main__":
    main()
