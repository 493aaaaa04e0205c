"""One seed of the simulation: processes, their database and Twilio, what goes wrong, and what must always hold."""

from __future__ import annotations

import asyncio
import random as random_module
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from simulation.calls import SENDER, Rules, SimulatedCall
from simulation.database import Server, SimulatedDatabase
from simulation.loop import SimulatedLoop
from simulation.twilio import Faults, Message, SimulatedTwilio
from sqlalchemy import insert, select, update

from twilio_component.durable.errors import RunStopped, StoreUnavailableError
from twilio_component.durable.sending import intents as states
from twilio_component.durable.sending.guard import Guard
from twilio_component.durable.sending.intent_store import IntentStore
from twilio_component.durable.sending.intents import CallIdentity
from twilio_component.durable.sending.rate_limiter import RateLimiter
from twilio_component.durable.sending.throttle import Throttle
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import schema
from twilio_component.durable.store.run_status import CANCELLED, RUNNING, SUCCEEDED
from twilio_component.durable.store.runs import RunStore

_LEASE = 5.0
"""Seconds for which a process may believe that it holds its lease after the server has heard from it."""
_TROUBLE = 60.0
_PEACE = 900.0


class DriverFailedError(AssertionError):
    """A driver ended with an exception, which would fail its run."""


@dataclass
class Run:
    """A run and its calls: what each sends, and what its driver was told became of it."""

    id: str
    texts: list[str]
    owner: str
    results: dict[int, Any] = field(default_factory=dict)
    is_ended: bool = False
    cancelled_at: float | None = None


class Process:
    """A process: a guard of its own, a lease, and the runs that it drives."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.world = world
        self.heard_at = world.loop.time()
        self.is_alive = True
        self.is_cut_off = False
        database = SimulatedDatabase(world.server)
        self.database = database
        settings = world.settings
        self.guard = Guard(
            IntentStore(database),
            settings,
            Throttle(settings.in_flight, database.clock),
            RateLimiter(
                database, settings.rates, most_seconds=2 * settings.claim + settings.timeout, clock=database.clock
            ),
            worker_id=name,
            is_dead=lambda _: False,
            may_write=self.may_write,
            conditions=world.rules.conditions(database),
            clock=database.clock,
        )

    def may_write(self) -> bool:
        """Whether the process may believe that its lease is valid."""
        return self.world.loop.time() - self.heard_at < _LEASE

    async def keep_lease(self) -> None:
        """Renew the lease every second, unless the server does not hear this process."""
        while True:
            asked_at = self.world.loop.time()
            await asyncio.sleep(self.world.random.uniform(0.0, 0.05))
            if not self.is_cut_off and not self.world.server.is_away:
                self.world.leases[self.name] = self.world.loop.time()  # one that had lost it joins again
                self.heard_at = asked_at
            await asyncio.sleep(1.0 if self.world.is_troubled else _LEASE / 2)

    async def _has_succeeded(self, run: Run) -> bool:
        succeeded = select(schema.runs.c.id).where(schema.runs.c.id == run.id, schema.runs.c.state == SUCCEEDED)
        found = await self.database.run_until_available(lambda connection: connection.execute(succeeded).all())
        return bool(found)

    async def drive(self, run: Run) -> None:
        """Carry out a run, and let no exception go unseen."""
        try:
            await self._drive(run)
        except Exception as error:  # noqa: BLE001 - it is a violation, raised by the next check
            self.world.failures.append(error)

    async def _drive(self, run: Run) -> None:
        for ordinal, text in enumerate(run.texts):
            key = f"{run.id}:{ordinal}"
            guarded = SimulatedCall(self.world.twilio, self.world.rules, key, text)
            call = CallIdentity(
                run=run.id,
                ordinal=ordinal,
                step_id="send",
                fingerprint=text,
                limit_keys=tuple(guarded.limit_keys.values()),
            )
            with suppress(RunStopped):
                await self.guard.perform(call, guarded)
                continue
            run.is_ended |= await self._has_succeeded(run)  # another driver may have died before it could say so
            return

        of_run = (schema.runs.c.id == run.id, schema.runs.c.state == RUNNING)

        def end(connection: Any) -> None:
            connection.execute(update(schema.runs).where(*of_run).values(state=SUCCEEDED))

        await self.database.run_until_available(end)
        run.is_ended = True  # another process that drives it finds that


class World:
    """Everything of one seed. ``check`` holds after every step; ``run`` ends when everything that can end has."""

    KINDS: tuple[str, ...] = (
        *("kill", "freeze", "away", "lease", "cut off", "loss", "start", "second driver", "step", "purge", "slow"),
        *("stop", "cancel"),
    )
    """The troubles that there are."""

    def __init__(self, seed: int) -> None:
        random_module.seed(seed)  # the jitter of the code under test
        # Every fourth seed is about races: few equal calls, each driven twice, and statements that take long.
        self.is_racing = seed % 4 == 3
        self.seed = seed
        self.random = random = Random(seed)  # noqa: S311 - a seed to replay, not a secret
        self.loop = SimulatedLoop(random, self.check)  # type: ignore[abstract]
        self.server = Server(self.loop, random)
        self.settings = Settings(
            resend=self.is_racing or random.random() < 0.6,
            lag_bound=2.0 if self.is_racing else random.choice((2.0, 10.0)),
            timeout=1.0 if self.is_racing else random.choice((1.0, 3.0)),
            in_flight=random.choice((1, 10)),
            rates={SENDER: 2.0} if random.random() < 0.3 else {},
        )
        self.twilio = SimulatedTwilio(
            loop=self.loop,
            random=random,
            lag_bound=self.settings.lag_bound * 0.9,
            within=self.settings.timeout,
            ahead=random.choice((0.0, 0.0, -20.0, 8.0, -3600.0, 900.0)),
            faults=self._faults(),
            blurred=0.2 if random.random() < 0.1 else 0.0,
            told=self.accept,
        )
        self.rules = Rules.drawn(random, self.server, self.settings.request_bound)
        # Drawn apart, so that what is recorded of other seeds stays true.
        more = Random(f"{seed} more")  # noqa: S311
        self.largest_step = 2.0 if self.is_racing else more.choice((2.0, 2.0, 2.0, 12.0))
        if more.random() < 0.1 and not self.is_racing:
            self.rules.expires_at = self.server.now() + more.choice((3.0, 15.0, 40.0))
        self.leases: dict[str, float] = {}
        self.processes: dict[str, Process] = {}
        self.log: list[str] = []
        texts = (
            ["one"] if self.is_racing else random.choice((["one", "two", "three"], ["one", "two", "three"], ["one"]))
        )
        count = random.randint(1, 2 if self.is_racing else 4)
        self.runs = [
            Run(f"r{number}", [random.choice(texts) for _ in range(random.randint(1, 2))], "")
            for number in range(count)
        ]
        self.callbacks = random.choice((0.0, 0.0, 0.5))  # how likely a message's status callback arrives
        self._calls = Counter(text for run in self.runs for text in run.texts)
        self._seen = 0
        self.is_troubled = True
        self.failures: list[Exception] = []
        self.broken: list[Exception] = []  # rules

    def _faults(self) -> Faults:
        random = self.random

        def maybe(probability: float) -> float:
            return random.choice((0.0, 0.0, 0.0, probability, 3 * probability))

        return Faults(
            throttled=maybe(0.3),
            retry_after=random.choice(((0.5,), (5.0,), (1.0, 20.0))),
            refused_connection=maybe(0.2),
            error_before=maybe(0.2),
            error_after=maybe(0.2),
            lost_response=maybe(0.2),
            no_name=maybe(0.2),
            slow=maybe(0.3),
            slowest=self.settings.timeout * 0.9,
            list_error=maybe(0.2),
        )

    # Invariants

    def check(self) -> None:
        """Hold after every step: of equal calls there are at most as many messages as calls.

        Nothing tells the messages of equal calls apart, so they are counted, as their recipient counts them.
        """
        if self.broken:
            raise self.broken[0]
        if self.failures:
            raise DriverFailedError(f"{self.failures[0]!r}") from self.failures[0]
        if len(self.twilio.messages) == self._seen:
            return
        self._seen = len(self.twilio.messages)
        messages = Counter(self.counted_as(message.text) for message in self.twilio.messages)
        twice = [text for text, count in messages.items() if count > self._calls[text]]
        assert not twice, f"sent twice: {twice}"

    def counted_as(self, text: str) -> str:
        """Return the text of the call that a message with this text is counted for."""
        return text

    def check_rate(self) -> None:
        """Hold at the end: in no second did more requests of a sender arrive than its rate allows."""
        rate = self.settings.rates.get(SENDER)
        times = sorted(self.twilio.arrivals)
        if rate is not None and not self.server.stepped:  # tokens are given back by the server's clock
            for first, last in zip(times, times[int(rate) :], strict=False):
                assert last - first >= 1.0 - 1e-6, f"more than {rate:g} requests within {last - first:.3f} s"

    def read_results(self, run: Run) -> None:
        """Remember what is stored of a run's calls, before it is purged or at the end."""
        with self.server.engine.connect() as connection:
            of_run = select(schema.intents).where(schema.intents.c.run == run.id)
            rows = {row.key: row for row in connection.execute(of_run)}
            of_run = select(schema.journal.c.ordinal).where(schema.journal.c.run == run.id)
            journaled = set(connection.execute(of_run).scalars())
        for ordinal in range(len(run.texts)):
            key = f"{run.id}:{ordinal}"
            assert key in rows, f"{key} has no intent, though its run has ended"
            row = rows[key]
            assert row.state in (states.SETTLED, states.UNKNOWN), f"{key} is {row.state}"
            assert ordinal in journaled, f"{key} has no journal entry"
            run.results[ordinal] = (row.state, row.resource_id)

    def check_ends(self) -> None:
        """Hold at the end: every call has succeeded or is unknown, and what is stored of it is true.

        Nothing that goes wrong here is a refusal for good, so no call may fail.
        """
        unnamed = {message.sid: message.text for message in self.twilio.messages}
        unknown = Counter[str]()
        # What a cancelled run has sent may be taken for another's, or be left to nobody.
        is_uncertain = any(run.cancelled_at for run in self.runs) or self.twilio.blurred > 0
        for run in self.runs:
            if run.cancelled_at is not None:
                unknown.update(run.texts)
                continue
            if not run.results:
                self.read_results(run)
            for ordinal, text in enumerate(run.texts):
                state, resource_id = run.results[ordinal]
                if state == states.UNKNOWN:
                    unknown[text] += 1
                    assert is_uncertain or not self.settings.resend, (
                        f"{run.id}:{ordinal} is unknown although resending is on"
                    )
                elif resource_id is not None or not self.rules.may_be_refused(text):
                    assert resource_id is not None, f"{run.id}:{ordinal} failed, though nothing refused it for good"
                    named = unnamed.pop(resource_id, None)
                    assert named == text, f"{run.id}:{ordinal} names no message, or another call's"
        for text, count in Counter(unnamed.values()).items():
            assert count <= unknown[text], (
                f"{count} messages of {text!r} belong to no call that succeeded or is unknown"
            )
        self.check_rate()
        with self.server.engine.connect() as connection:
            of_nobody = select(schema.intents.c.key).where(schema.intents.c.run.not_in(select(schema.runs.c.id)))
            left = connection.execute(of_nobody).scalars().all()
        assert not left, f"{left} were planned for a run that is gone"

    # What happens

    def start_process(self) -> Process:
        """Start one more process."""
        name = f"p{len(self.processes)}"
        process = self.processes[name] = Process(self, name)
        self.leases[name] = self.loop.time()
        with self.loop.process(name):
            self.loop.create_task(process.keep_lease())
        return process

    def give(self, run: Run, process: Process) -> None:
        """Let a process drive a run."""
        run.owner = process.name
        with self.loop.process(process.name):
            self.loop.create_task(process.drive(run))

    def accept(self, message: Message) -> None:
        """Hold what must hold of a message that Twilio accepts, and let its status callbacks arrive, perhaps."""
        try:
            self.rules.check(message)
            self._check_cancelled(message)
        except Exception as error:  # noqa: BLE001 - raised by the next check: here it would be lost
            self.broken.append(error)
        self._call_back(message)

    def _check_cancelled(self, message: Message) -> None:
        run = next(run for run in self.runs if run.id == message.call.partition(":")[0])
        if run.cancelled_at is not None:
            of_call = select(schema.intents.c.claimed_at).where(schema.intents.c.key == message.call)
            with self.server.engine.connect() as connection:
                claimed_at = connection.execute(of_call).scalar_one()
            late = claimed_at - run.cancelled_at - 2 * self.rules.largest_step
            assert late <= 0, f"{message.call} was claimed {late:.3f} s after its run was cancelled"

    def _call_back(self, message: Message) -> None:
        """Let the message's status callbacks arrive, perhaps: soon, late, or when its call has long been settled."""
        if self.random.random() < self.callbacks:
            for _ in range(self.random.choice((1, 1, 2))):  # a callback may be delivered twice
                delay = self.random.choice((0.05, 1.0, 20.0, 60.0)) * self.random.random()
                self.loop.call_later(delay, lambda: self.loop.create_task(self._confirm(message)))

    async def _confirm(self, message: Message) -> None:
        with suppress(StoreUnavailableError):  # then it is answered with 503
            await IntentStore(SimulatedDatabase(self.server)).confirm(message.call, message.sid)

    async def take_over(self) -> None:
        """Do what the living do for the dead: a process that the server has not heard of loses its runs."""
        while True:
            await asyncio.sleep(self.random.uniform(0.5, 2.0) * (1 if self.is_troubled else 4))
            if self.server.is_away:
                continue
            now = self.loop.time()
            for name, heard in list(self.leases.items()):
                if now - heard > _LEASE + 1.0:
                    del self.leases[name]
            for run in self.runs:
                if not run.is_ended and run.owner not in self.leases:
                    living = [one for one in self.processes.values() if one.name in self.leases]
                    if living:
                        self.note(f"{run.id} goes on in {living[0].name}")
                        self.give(run, self.random.choice(living))

    async def make_trouble(self) -> None:
        """Kill, freeze, cut off; take the database away; lose confirmations and leases; purge what has ended."""
        random = self.random
        # Each seed has its own temper: troubles that it prefers, and how often they come. Few runs are stopped: else
        # little would be sent.
        weights = [random.choice((0, 1, 1, 4)) * (0.2 if kind in ("stop", "cancel") else 1) for kind in self.KINDS]
        pause = random.choice((0.3, 1.0, 4.0))
        end = self.loop.time() + _TROUBLE
        lingers = random.random() < 0.3  # beyond the end of the runs, for those who come back late
        while self.loop.time() < end and any(weights) and (lingers or not self.is_over()):
            await asyncio.sleep(random.expovariate(1 / pause))
            living = [one for one in self.processes.values() if one.is_alive]
            victim = random.choice(living)
            kind = random.choices(self.KINDS, weights)[0]
            self.note(f"{kind}: {victim.name}")
            self._trouble(kind, victim, living)

    def _trouble(self, kind: str, victim: Process, living: list[Process]) -> None:
        random = self.random
        if kind == "kill" and len(living) > 1:
            self.loop.kill(victim.name)
            victim.is_alive = False
        elif kind == "freeze":
            self.loop.freeze(victim.name)
            self.loop.call_later(random.choice((0.3, 1.0, 4.0, 8.0, 30.0)), self.loop.thaw, victim.name)
        elif kind == "lease":
            self.leases.pop(victim.name, None)  # a lock lost while its process lives and writes
        elif kind == "cut off":
            victim.is_cut_off = not victim.is_cut_off
        elif kind == "start" and len(self.processes) < 5:
            self.start_process()
        elif kind == "second driver":
            self.drive_twice(victim)
        else:
            self._trouble_database(kind)

    def drive_twice(self, victim: Process) -> None:
        """Let a process drive a run that another one drives, too."""
        self.give(self.random.choice(self.runs), victim)

    def is_over(self) -> bool:
        """Whether every run has ended."""
        return all(run.is_ended for run in self.runs)

    def _trouble_database(self, kind: str) -> None:
        random = self.random
        if kind == "away":
            self.server.is_away = True
            self.loop.call_later(random.uniform(0.1, 12.0), self._come_back)
        elif kind == "slow":
            self.server.slow, self.server.slowest = random.choice(((0.0, 0.0), (0.05, 8.0), (0.2, 1.0), (0.02, 30.0)))
        elif kind == "loss":
            self.server.losses = random.choice((0.0, 0.2))
        elif kind == "step":
            most = self.largest_step
            stepped = self.server.stepped + random.uniform(-most, most)
            self.server.stepped = stepped if most == 2.0 else max(-most, min(most, stepped))
            self.rules.largest_step = max(self.rules.largest_step, abs(self.server.stepped))
        elif kind == "cancel":
            self.cancel(random.choice(self.runs))
        elif kind == "stop":
            self.rules.stop(random)
        elif kind == "purge":
            ended = [run for run in self.runs if run.is_ended and not run.results and run.cancelled_at is None]
            for run in ended[:1]:
                self.read_results(run)
                self.loop.create_task(self._purge(run.id))

    async def _purge(self, run: str) -> None:
        self.rules.note_turns()
        await RunStore(SimulatedDatabase(self.server)).forget([run], wait_for_database=True)

    def cancel(self, run: Run) -> None:
        """Cancel a run that has not ended: what is not claimed by now is never sent."""
        change = update(schema.runs).where(schema.runs.c.id == run.id, schema.runs.c.state == RUNNING)
        if self.server.transaction(lambda connection: connection.execute(change.values(state=CANCELLED))).rowcount:
            run.cancelled_at = self.server.now()
            run.is_ended = True

    def _come_back(self) -> None:
        self.server.is_away = False

    async def main(self) -> None:
        """Live through trouble, then through peace, until every run has ended."""
        with self.server.engine.begin() as connection:
            connection.execute(insert(schema.definitions).values(digest="d", file="f", text="t"))
            for run in self.runs:
                connection.execute(
                    insert(schema.runs).values(
                        id=run.id,
                        definition="d",
                        integration="i",
                        flow="f",
                        state=RUNNING,
                        created_at=self.server.now(),
                    )
                )
        for _ in range(self.random.randint(1, 3)):
            self.start_process()
        if self.is_racing:
            self.server.slow, self.server.slowest = self.random.choice(((0.1, 8.0), (0.1, 20.0), (0.04, 40.0)))
        drivers = 2 if self.is_racing else self.random.choice((1, 1, 2))  # after a failover, two may drive one run
        for run in self.runs:
            for _ in range(drivers):
                self.give(run, self.random.choice(list(self.processes.values())))
        self.loop.create_task(self.take_over())
        await self.make_trouble()
        self.make_peace()
        while not self.is_over():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(1.0)

    def make_peace(self) -> None:
        """From now on nothing goes wrong."""
        self.is_troubled = False
        self.server.losses = self.server.slow = 0.0
        self.twilio.faults = Faults()
        for process in self.processes.values():
            process.is_cut_off = False
        if not any(one.is_alive for one in self.processes.values()):
            self.start_process()

    def note(self, text: str) -> None:
        """Record what happened, for a replay of the seed."""
        self.log.append(f"{self.loop.time():9.3f} {text}")

    def run(self) -> None:
        """Run the seed; raises ``AssertionError`` for whatever does not hold."""
        try:
            self.loop.run(self.main(), within=_TROUBLE + _PEACE)
            self.check_ends()
            assert not self.loop.exceptions, f"nobody handled {self.loop.exceptions[0]}"
        finally:
            self.loop.close()
