"""Campaigns against processes that share a Postgres: killed, restarted in turn, and without their database."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from sends import ACCEPTED, PLACES, Figures, posted, under_way
from support.crashing_serve import VARIABLE
from support.postgres import Postgres
from support.serve_processes import Deployment, inbound, killed, post
from support.waiting import PATIENCE, until

from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from support.forked_programs import ForkedProcess

    from twilio_component.emulator.faults import Fault

_BATCH = 8


def killed_beside_a_worker(folder: Path, *, least: int, lag: float, seed: int = 1) -> Figures:
    """Kill serving processes at every place of a send; a worker that lives goes on with what they leave."""
    chance, figures, begun = random.Random(seed), Figures(), time.monotonic()  # noqa: S311 - to be repeated
    emulator = Emulator()
    with Postgres() as postgres, emulator.serve_in_thread() as twilio:
        emulator.faults.lag_lists(lag)
        database = postgres.new_database("runs")
        deployment = Deployment(folder, twilio.url, database=database, lag_bound=2 * lag, timeout=2, resend="true")
        with deployment.serving(number=1), ThreadPoolExecutor(_BATCH) as pool:
            ((living,),) = deployment.ask("SELECT worker_id FROM flow_workers")
            places = list(PLACES)
            while figures.killed.total() < least or len(figures.kills) < len(places):
                place = places[figures.kills.total() % len(places)]
                armed = {} if place == ACCEPTED else {VARIABLE: f"{place}:{chance.randint(1, 3)}"}
                process = deployment.start(armed)
                deployment.wait_until_ready(process, or_dead=True)
                slow = _slow(emulator) if place == ACCEPTED else None
                deadline = time.monotonic() + 2 * PATIENCE
                while process.poll() is None:
                    assert time.monotonic() < deadline, f"no process came to this place: {place}"
                    # The living one takes its share of the runs: more come until the other one has met its fate.
                    _deliver(deployment, pool, figures)
                    if slow is not None and _awaits_an_answer(emulator, deployment, living):
                        process.kill()
                        process.wait()
                assert killed(process), deployment.log()
                if slow is not None:
                    emulator.faults.remove(slow)
                figures.kills[place] += 1
                figures.killed[place] += under_way(deployment, place)
            until(lambda: deployment.running() == 0, "every run has ended", 4 * PATIENCE)
        figures.count(emulator, deployment)
    figures.seconds = time.monotonic() - begun
    return figures


@dataclass(frozen=True)
class Takeover:
    """Where a process was killed, and after how many seconds another one had ended its run."""

    place: str
    seconds: float
    state: str


def takeovers(folder: Path, *, timeout: float, lag_bound: float) -> list[Takeover]:
    """Kill a process at every place of a send, with this ``timeout``, and only then start the one that ends its run."""
    found = []
    emulator = Emulator()
    with Postgres() as postgres, emulator.serve_in_thread() as twilio:
        deployment = Deployment(
            folder, twilio.url, database=postgres.new_database("runs"), lag_bound=lag_bound, timeout=timeout
        )
        for number, place in enumerate(place for place in PLACES if place != ACCEPTED):
            process = deployment.start({VARIABLE: place})
            deployment.wait_until_ready(process)
            assert posted(deployment, number)
            assert killed(process), deployment.log()
            begun = time.monotonic()
            other = deployment.start_worker()
            until(lambda: deployment.running() == 0, "the run has ended", 10 * timeout + 2 * lag_bound + PATIENCE)
            ((state,),) = deployment.ask("SELECT state FROM flow_runs ORDER BY created_at DESC LIMIT 1")
            found.append(Takeover(place, time.monotonic() - begun, state))
            other.terminate()
            other.wait(PATIENCE)
    assert len(emulator.messages) == sum(one.state == "succeeded" for one in found)
    return found


def rolling_restart(folder: Path, *, events: int) -> Figures:
    """Deliver events to two processes that are restarted in turn; what one does not take, the other gets."""
    figures, begun = Figures(events=events), time.monotonic()
    emulator = Emulator()
    with Postgres() as postgres, emulator.serve_in_thread() as twilio, ThreadPoolExecutor(9) as pool:
        deployment = Deployment(folder, twilio.url, database=postgres.new_database("runs"), resend="true")
        processes = [deployment.start(number=number) for number in (0, 1)]
        for number, process in enumerate(processes):
            deployment.wait_until_ready(process, number)
        over = threading.Event()
        # Before the events, which would keep every thread until the last of them is delivered.
        restarting = pool.submit(_restart_in_turn, deployment, processes, over, figures)
        delivered = pool.map(lambda number: _delivered(deployment, number), range(events))
        assert all(delivered)
        over.set()
        restarting.result()
        until(lambda: deployment.running() == 0, "every run has ended", 4 * PATIENCE)
        for process in processes:
            process.terminate()
            process.wait(PATIENCE)
        figures.count(emulator, deployment)
    figures.seconds = time.monotonic() - begun
    return figures


def database_away(folder: Path, *, seconds: float) -> tuple[Figures, int]:
    """Take the database away for so long while events come; the figures, and how many were answered with 503."""
    figures, begun, refused = Figures(), time.monotonic(), 0
    emulator = Emulator()
    with Postgres() as postgres, emulator.serve_in_thread() as twilio, ExitStack() as stack:
        deployment = Deployment(folder, twilio.url, database=postgres.new_database("runs"), resend="true")
        for number in (0, 1):
            stack.enter_context(deployment.serving(number=number))
        going_away = stack.enter_context(ThreadPoolExecutor(1)).submit(_take_away, postgres, seconds)
        while not going_away.done():
            status = post(deployment.webhook(refused % 2), inbound(figures.events)).status_code
            if status == httpx.codes.NO_CONTENT:
                figures.events += 1
            else:
                assert status == httpx.codes.SERVICE_UNAVAILABLE
                refused += 1
            time.sleep(0.05)
        going_away.result()
        until(lambda: deployment.running() == 0, "every run has ended", 4 * PATIENCE)
        figures.count(emulator, deployment)
    figures.seconds = time.monotonic() - begun
    return figures, refused


def _deliver(deployment: Deployment, pool: ThreadPoolExecutor, figures: Figures) -> None:
    """Give a batch of events to the process that is to die, and what it does not take to the one that lives."""
    numbers = range(figures.events, figures.events + _BATCH)
    figures.events += _BATCH
    taken = pool.map(lambda number: posted(deployment, number), numbers)
    waiting = [number for number, accepted in zip(numbers, taken, strict=True) if not accepted]
    assert all(pool.map(lambda number: posted(deployment, number, 1), waiting))


def _slow(emulator: Emulator) -> Fault:
    """Let Twilio accept messages and take its time to answer, less than the timeout."""
    return emulator.faults.slow(times=None, seconds=0.7, operation="messages.create")


def _awaits_an_answer(emulator: Emulator, deployment: Deployment, living: str) -> bool:
    """Whether Twilio has accepted a message whose answer another process than the living one waits for."""
    claimed = deployment.ask(
        "SELECT i.claimed_by, v.value FROM flow_intents i JOIN flow_journal v ON v.run = i.run AND v.ordinal = 0 "
        "WHERE i.state = 'claimed'"
    )
    waited_for = [trigger for worker_id, trigger in claimed if worker_id != living]
    return any(message.to in trigger for message in emulator.messages for trigger in waited_for)


def _take_away(postgres: Postgres, seconds: float) -> None:
    time.sleep(1)
    postgres.stop()
    time.sleep(seconds)
    postgres.start()
    time.sleep(2)


def _delivered(deployment: Deployment, number: int) -> bool:
    """As Twilio with ``#rc`` and a fallback URL: again until somebody takes it."""
    for attempt in range(200):
        if posted(deployment, number, (number + attempt) % 2):
            return True
        time.sleep(0.05)
    return False


def _restart_in_turn(
    deployment: Deployment, processes: list[ForkedProcess], over: threading.Event, figures: Figures
) -> None:
    while not over.is_set() or not figures.kills["restarted"]:
        for number in (0, 1):
            processes[number].terminate()
            processes[number].wait(PATIENCE)
            processes[number] = deployment.start(number=number)
            deployment.wait_until_ready(processes[number], number)
            figures.kills["restarted"] += 1
