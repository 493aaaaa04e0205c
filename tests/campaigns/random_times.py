"""A campaign at random moments: processes are killed, frozen and ended, and Postgres is restarted, whenever it happens.

The other campaigns kill at the places of a send that we know. This one knows none: a seed decides when and what. Its
Twilio is `other_twilio`, which shares nothing with the emulator. Where libfaketime is installed, clocks step, and where
this user may mount a file system, the disk of the database is full at times. Every tenth event is equal to the one
before it, so that two calls that nothing tells apart are under way together.

``python tests/campaigns/random_times.py postgres --faults 1000 --side-by-side 2`` runs two such campaigns, each with a
database of its own, and prints their figures together as JSON. They wait more than they work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy.exc import SQLAlchemyError

sys.path.insert(0, str(Path(__file__).parents[1]))

from machine_faults import SmallDisk, SteppedClock, find_faketime
from other_twilio import OtherTwilio
from support.postgres import Postgres
from support.serve_processes import ACCOUNT_SID, AUTH_TOKEN, SENDER, Deployment

from twilio_component.durable.operator.doctor import Doctor
from twilio_component.durable.store.database import Database
from twilio_component.twilio.signatures.verification import sign

if TYPE_CHECKING:
    from support.forked_programs import ForkedProcess

LAG = 2.0
_LAG_BOUND = 2 * LAG
_TIMEOUT = 5  # a request must begin within a fifth of it, also on a machine that does much else
_DELIVERIES = 16
_RATE = 12.0  # events a second, of all deliveries together
_SETTLING = 420.0
_EQUAL = 10
_SEEDS_APART = 1_000
_SPARED = 0.9  # of the processes that start: else none of them would ever be ready
_KINDS = {"kill": 4, "end": 2, "freeze": 6}
_FREEZES = {"sqlite": (1.0, 8.0), "postgres": (5.0, 40.0)}
_STEP, _FULL = "clock step", "disk full"
_LARGEST_STEPS = {"sqlite": 20.0, "postgres": 3600.0}  # of SQLite it is the clock of the database, too
_LONGEST_FULL = 10.0
_DISK_MEBIBYTES = {"sqlite": 48, "postgres": 384}
_RESTARTS = {"restart Postgres, fast": signal.SIGINT, "restart Postgres, at once": signal.SIGQUIT}


@dataclass
class Figures:
    """What was found.

    ``lost`` are events that were accepted, whose runs have succeeded, and that have no message. ``at_rest`` is what is
    running or taken when every process has ended: what `runs doctor` finds then, and each run that has not ended.
    ``took`` has how many seconds runs took to their ends: half of them, 99 of 100, the slowest at most.
    """

    seeds: list[int]
    database: str
    faults: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    events: int = 0
    messages: int = 0
    twice: int = 0
    lost: int = 0
    at_rest: list[str] = field(default_factory=list)
    took: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether no promise was broken."""
        unknown = self.states["unknown"]
        return not (self.twice or self.lost or self.at_rest or unknown or self.states["failed"])

    def add(self, other: Figures) -> None:
        """Add the figures of another campaign that ran at the same time; of times, keep the longer ones."""
        for name in ("seeds", "faults", "fates", "states", "events", "messages", "twice", "lost", "at_rest"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.took = [max(pair) for pair in zip(self.took, other.took, strict=True)]
        self.seconds = max(self.seconds, other.seconds)

    @classmethod
    def read(cls, text: str) -> Figures:
        """Read what ``as_json`` wrote."""
        found: dict[str, Any] = json.loads(text)
        counted = {name: Counter(value) for name, value in found.items() if isinstance(value, dict)}
        return cls(**found | counted)

    def as_json(self) -> str:
        """Return the figures as JSON."""
        return json.dumps(vars(self), indent=2)


class Campaign:
    """One deployment with its processes, its events and its troubles."""

    def __init__(
        self,
        seed: int,
        deployment: Deployment,
        twilio: OtherTwilio,
        postgres: Postgres | None,
        disk: SmallDisk | None = None,
    ) -> None:
        self.random = Random(seed)  # noqa: S311 - a seed to repeat, not a secret
        self.figures = Figures([seed], "sqlite" if postgres is None else "postgres")
        self._deployment = deployment
        self._twilio = twilio
        self._postgres = postgres
        self._disk = disk
        library = find_faketime()
        clocks = [] if library is None else [(name, deployment.folder / f"{name}.clock") for name in self._names()]
        self._clocks = {name: SteppedClock(file, library) for name, file in clocks if library is not None}
        self._processes: dict[str, ForkedProcess] = {}
        self._frozen: set[str] = set()
        self._ready: set[str] = set()
        self._thaws: set[asyncio.Task[None]] = set()
        self._accepted: Counter[tuple[str, str]] = Counter()
        self._troubles: asyncio.Task[None] | None = None
        self._is_over = False

    async def run(self, *, faults: int, events: int, pause: float, seconds: float) -> Figures:
        """Deliver the events while there are faults, ``pause`` seconds apart on average, then wait for all ends.

        After so many ``seconds`` there are no more faults.
        """
        begun = time.monotonic()
        for name in self._names():
            self._start(name)
        troubles = self._troubles = asyncio.create_task(self._trouble(faults, pause, begun + seconds))
        keeper = asyncio.create_task(self._keep_alive())
        try:
            await self._deliver_all(events, troubles)
            await troubles
            self._twilio.is_troubled = False
            await self._settle()
        finally:
            self._is_over = True
            for task in (troubles, keeper, *self._thaws):
                task.cancel()
            await asyncio.gather(troubles, keeper, *self._thaws, return_exceptions=True)
            self._end_all()
        self.figures.seconds = time.monotonic() - begun
        self._count()
        self.figures.at_rest += await self._audit()
        return self.figures

    # Processes

    def _names(self) -> list[str]:
        return ["serve 0"] if self._postgres is None else ["serve 0", "serve 1", "worker"]

    def _start(self, name: str) -> None:
        kind, _, number = name.partition(" ")
        self._ready.discard(name)
        environment = self._clocks[name].environment if name in self._clocks else {}
        self._processes[name] = (
            self._deployment.start_worker(environment)
            if kind == "worker"
            else self._deployment.start(environment, number=int(number))
        )

    async def _keep_alive(self) -> None:
        """Start what has ended, as a supervisor does, and note who is ready."""
        async with httpx.AsyncClient(timeout=1) as client:
            while not self._is_over:
                await asyncio.sleep(0.1)
                for name, process in list(self._processes.items()):
                    if process.poll() is not None:
                        self._start(name)
                    elif name not in self._ready and await self._is_ready(client, name):
                        self._ready.add(name)

    async def _is_ready(self, client: httpx.AsyncClient, name: str) -> bool:
        kind, _, number = name.partition(" ")
        if kind == "worker":  # it says nothing to anybody, and needs as long as the others
            return "serve 0" in self._ready
        with suppress(httpx.TransportError):
            return (await client.get(f"{self._deployment.url(int(number))}/readyz")).is_success
        return False

    def _end_all(self) -> None:
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(60)
            except Exception:
                process.kill()
                raise

    # Troubles

    async def _trouble(self, faults: int, pause: float, end: float) -> None:
        kinds: dict[str, float] = {**_KINDS}
        if self._postgres is not None:
            kinds |= dict.fromkeys(_RESTARTS, 0.3)
        if self._clocks:
            kinds[_STEP] = 2
        if self._disk is not None:
            kinds[_FULL] = 1
        while self.figures.faults.total() < faults and time.monotonic() < end:
            await asyncio.sleep(self.random.expovariate(1 / pause))
            kind = self.random.choices([*kinds], [*kinds.values()])[0]
            if kind == _STEP:
                most = _LARGEST_STEPS[self.figures.database]
                self.random.choice([*self._clocks.values()]).show(self.random.uniform(-most, most))
            elif kind == _FULL:
                await self._fill_disk()
            elif kind in _RESTARTS:
                await self._restart_postgres(_RESTARTS[kind])
            elif not self._strike(kind, self.random.choice(self._names())):
                continue
            self.figures.faults[kind] += 1

    def _strike(self, kind: str, name: str) -> bool:
        process = self._processes[name]
        is_starting = name not in self._ready and self.random.random() < _SPARED
        if process.poll() is not None or name in self._frozen or is_starting:
            return False
        if kind == "freeze":
            seconds = self.random.uniform(*_FREEZES[self.figures.database])
            self._frozen.add(name)
            process.send_signal(signal.SIGSTOP)
            thaw = asyncio.create_task(self._thaw(name, process, seconds))
            self._thaws.add(thaw)
            thaw.add_done_callback(self._thaws.discard)
        else:
            process.send_signal(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
        return True

    async def _thaw(self, name: str, process: ForkedProcess, seconds: float) -> None:
        await asyncio.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        self._frozen.discard(name)

    async def _restart_postgres(self, how: signal.Signals) -> None:
        assert self._postgres is not None
        await asyncio.to_thread(self._postgres.signal, how)
        await asyncio.sleep(self.random.uniform(0.0, 5.0))
        await asyncio.to_thread(self._postgres.start)

    async def _fill_disk(self) -> None:
        assert self._disk is not None
        await asyncio.to_thread(self._disk.fill, self.random.uniform(1.0, _LONGEST_FULL))
        if self._postgres is not None:
            await asyncio.to_thread(self._postgres.start)  # it ends when it cannot write its log

    # Events

    async def _deliver_all(self, events: int, troubles: asyncio.Task[None]) -> None:
        """Deliver at least so many events, and more as long as there are troubles."""
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=10, limits=limits) as client:
            numbers = iter(range(10**9))

            async def deliver() -> None:
                for number in numbers:
                    if number >= events and troubles.done():
                        return
                    await self._deliver(client, number)
                    await asyncio.sleep(self.random.expovariate(_RATE / _DELIVERIES))

            async with asyncio.TaskGroup() as group:
                for _ in range(_DELIVERIES):
                    group.create_task(deliver())

    async def _deliver(self, client: httpx.AsyncClient, number: int) -> None:
        """Deliver one event as Twilio does, to one process or the other, until one has accepted it."""
        equal = number - 1 if number % _EQUAL == 1 else number
        parameters = {
            "MessageSid": f"SM{number:032x}",
            "SmsStatus": "received",
            "AccountSid": ACCOUNT_SID,
            "From": f"+1605{2000000 + equal % 10_000}",
            "To": SENDER,
            "Body": f"event {equal}",
        }
        serving = [name for name in self._names() if name.startswith("serve")]
        while True:
            if self._troubles is not None and self._troubles.done():
                self._troubles.result()  # without it, nothing may be there any more to accept the event
            url = self._deployment.webhook(int(self.random.choice(serving).partition(" ")[2]))
            signature = sign(AUTH_TOKEN, url, parameters.items())
            with suppress(httpx.TransportError):
                response = await client.post(url, data=parameters, headers={"X-Twilio-Signature": signature})
                if response.is_success:
                    break
            await asyncio.sleep(0.2)
        self.figures.events += 1
        self._accepted[parameters["From"], f"You wrote {parameters['Body']}"] += 1

    # The end

    async def _settle(self) -> None:
        """Wait until no run is running."""
        deadline = time.monotonic() + _SETTLING
        while time.monotonic() < deadline:
            with suppress(SQLAlchemyError):
                if await asyncio.to_thread(self._deployment.running) == 0:
                    return
            await asyncio.sleep(1.0)

    def _count(self) -> None:
        figures = self.figures
        figures.fates = self._twilio.fates
        figures.states.update(dict(self._deployment.ask("SELECT state, count(*) FROM flow_runs GROUP BY state")))
        took = "SELECT finished_at - created_at FROM flow_runs WHERE finished_at IS NOT NULL ORDER BY 1"
        times = [float(seconds) for (seconds,) in self._deployment.ask(took)] or [0.0]
        figures.took = [round(times[int(part * (len(times) - 1))], 1) for part in (0.5, 0.99, 1.0)]
        messages = Counter((one.to, one.body) for one in self._twilio.sent)
        figures.messages = messages.total()
        figures.twice = sum(max(0, count - self._accepted[key]) for key, count in messages.items())
        missing = sum(max(0, count - messages[key]) for key, count in self._accepted.items())
        figures.lost = max(0, missing - sum(count for state, count in figures.states.items() if state != "succeeded"))
        open_ones = "SELECT id FROM flow_runs WHERE state IN ('running', 'queued')"
        figures.at_rest = [f"{run} has not ended" for (run,) in self._deployment.ask(open_ones)]
        table = "dbos.workflow_status" if self._postgres is not None else "workflow_status"
        waiting = f"SELECT workflow_uuid FROM {table} WHERE status IN ('PENDING', 'ENQUEUED')"  # noqa: S608 - our words
        figures.at_rest += [f"workflow {one} has not ended" for (one,) in self._deployment.ask(waiting)]

    async def _audit(self) -> list[str]:
        """Return what `runs doctor` finds that nobody does."""
        database = Database(self._deployment.database)
        try:
            return await Doctor(database).audit()
        finally:
            database.close()


async def run_campaign(folder: Path, *, database: str, seed: int, **options: Any) -> Figures:
    """Run one campaign on ``sqlite`` or ``postgres`` and return its figures; the options are those of ``run``."""
    with ExitStack() as stack:
        disk = None
        if SmallDisk.is_possible(folder / "state"):
            disk = stack.enter_context(SmallDisk(folder / "state", _DISK_MEBIBYTES[database]))
        where = folder / "state" if disk is not None else None
        postgres = stack.enter_context(Postgres(where)) if database == "postgres" else None
        twilio = OtherTwilio(Random(seed + 1), lag=LAG)  # noqa: S311 - a seed to repeat, not a secret
        url = await twilio.open()
        try:
            deployment = Deployment(
                folder,
                url,
                database="" if postgres is None else postgres.new_database("runs"),
                lag_bound=_LAG_BOUND,
                timeout=_TIMEOUT,
                resend="true",
            )
            campaign = Campaign(seed, deployment, twilio, postgres, disk)
            return await campaign.run(**options)
        finally:
            await twilio.close()


def run_side_by_side(options: argparse.Namespace) -> Figures:
    """Run several campaigns, each in a process of its own, and return their figures together."""
    number = options.side_by_side
    command = [sys.executable, __file__, options.database, "--pause", str(options.pause)]
    command += ["--faults", str(-(-options.faults // number)), "--events", str(-(-options.events // number))]
    command += ["--minutes", str(options.minutes)]

    def run_one(index: int) -> Figures:
        seeded = [*command, "--seed", str(options.seed + index * _SEEDS_APART)]
        kept = [] if options.keep is None else ["--keep", str(options.keep / str(index))]
        return Figures.read(subprocess.run([*seeded, *kept], stdout=subprocess.PIPE, text=True, check=False).stdout)

    with ThreadPoolExecutor(number) as pool:
        first, *others = pool.map(run_one, range(number))
    for other in others:
        first.add(other)
    return first


def main() -> int:
    """Run what the command line says; the exit status is 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", choices=["sqlite", "postgres"])
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--events", type=int, default=0, help="at least so many; they go on as long as the faults do")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between faults, on average")
    parser.add_argument("--minutes", type=float, default=600.0, help="after which there are no more faults")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--side-by-side", type=int, default=1, help="campaigns at a time, which share the faults")
    parser.add_argument("--keep", type=Path, help="a folder for the database and the logs, to look into afterwards")
    options = parser.parse_args()
    if options.side_by_side > 1:
        figures = run_side_by_side(options)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.keep or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            wanted = {name: getattr(options, name) for name in ("database", "seed", "faults", "events", "pause")}
            figures = asyncio.run(run_campaign(folder, seconds=60 * options.minutes, **wanted))
    sys.stdout.write(f"{figures.as_json()}\n")
    return 0 if figures.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
