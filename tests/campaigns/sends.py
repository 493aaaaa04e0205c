"""Campaigns against sends: processes are killed, Twilio fails, and every message is counted at the emulator.

Each campaign returns its figures. ``run.py`` runs them at full size and writes what was found into a document.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from support.crashing_serve import VARIABLE
from support.serve_processes import Deployment, inbound, killed, post
from support.waiting import PATIENCE, until

from twilio_component.durable import crash_points
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from support.forked_programs import ForkedProcess

ACCEPTED = "accepted by Twilio, the response not read"
PLACES = {
    crash_points.BEFORE_INTENT: "before the intent",
    crash_points.INTENT: "after the intent",
    crash_points.CLAIMED: "after the claim, before the request",
    ACCEPTED: ACCEPTED,
    crash_points.RESPONDED: "after the response",
    crash_points.SETTLED: "after the result was stored",
}
_BATCH = 8


@dataclass
class Figures:
    """What a campaign found. ``kills`` are processes, ``killed`` the sends that were under way in them."""

    events: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    doubled: int = 0
    missing: int = 0
    states: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def unknown(self) -> int:
        return self.states["unknown"]

    def count(self, emulator: Emulator, deployment: Deployment) -> None:
        """Hold what was sent against what should have been."""
        self.states.update(dict(deployment.ask("SELECT state, count(*) FROM flow_runs GROUP BY state")))
        sent = Counter(message.to for message in emulator.messages)
        self.messages = sent.total()
        self.doubled = sum(count - 1 for count in sent.values())
        self.missing = self.events - len(sent)


def killed_sends(folder: Path, *, least: int, lag: float, resend: bool, seed: int = 1) -> Figures:
    """Kill processes at every place of a send, and between, until ``least`` sends were under way in killed ones.

    The emulator's list lags by ``lag`` seconds, half of what the configuration says that it may.
    """
    chance, figures, begun = random.Random(seed), Figures(), time.monotonic()  # noqa: S311 - to be repeated
    emulator = Emulator()
    with emulator.serve_in_thread() as twilio, ThreadPoolExecutor(_BATCH) as pool:
        emulator.faults.lag_lists(lag)
        deployment = Deployment(folder, twilio.url, lag_bound=2 * lag, timeout=1, resend=str(resend).lower())
        waiting: list[int] = []
        places = list(PLACES)
        while figures.killed.total() < least or len(figures.kills) < len(places):
            place = places[figures.kills.total() % len(places)]
            waiting += range(figures.events, figures.events + _BATCH)
            figures.events += _BATCH
            process = _started(deployment, place, chance)
            if place == ACCEPTED:
                emulator.faults.slow(times=_BATCH, seconds=0.7, operation="messages.create")
            before = len(emulator.messages)
            posts = pool.map(lambda number: posted(deployment, number), waiting)
            if place == ACCEPTED:
                _kill_when(process, lambda before=before: len(emulator.messages) > before)  # type: ignore[misc]
            waiting = [number for number, accepted in zip(list(waiting), posts, strict=True) if not accepted]
            if not killed(process):
                raise AssertionError(deployment.log())
            emulator.faults.clear()
            emulator.faults.lag_lists(lag)
            figures.kills[place] += 1
            figures.killed[place] += under_way(deployment, place)
        with deployment.serving():
            for number in waiting:
                assert posted(deployment, number)
            until(lambda: deployment.running() == 0, "every run has ended", 4 * PATIENCE)
        figures.count(emulator, deployment)
    figures.seconds = time.monotonic() - begun
    return figures


def faults(folder: Path, *, sends: int, seed: int = 1) -> Figures:
    """Let every second send meet a fault of Twilio's, with a list that lags."""
    chance, figures, begun = random.Random(seed), Figures(events=sends), time.monotonic()  # noqa: S311 - as above
    emulator = Emulator()
    kinds = _kinds(emulator)
    with emulator.serve_in_thread() as twilio, ThreadPoolExecutor(_BATCH) as pool:
        emulator.faults.lag_lists(1.0)
        deployment = Deployment(folder, twilio.url, lag_bound=2, timeout=2, resend="true")
        for number in range(0, sends, 2):
            name = chance.choice(list(kinds))
            kinds[name](inbound(number)["From"])
            figures.kills[name] += 1
        with deployment.serving():
            accepted = list(pool.map(lambda number: posted(deployment, number), range(sends)))
            assert all(accepted)
            until(lambda: deployment.running() == 0, "every run has ended", 10 * PATIENCE)
        figures.count(emulator, deployment)
    figures.seconds = time.monotonic() - begun
    return figures


def _kinds(emulator: Emulator) -> dict[str, Callable[[str], object]]:
    faults_, create = emulator.faults, "messages.create"
    return {
        "429": lambda to: faults_.rate_limit(retry_after=0.1, operation=create, to=to),
        "500, not accepted": lambda to: faults_.server_error(operation=create, to=to),
        "500, accepted": lambda to: faults_.server_error(accepted=True, operation=create, to=to),
        "503, accepted": lambda to: faults_.server_error(status=503, accepted=True, operation=create, to=to),
        "a web page instead, accepted": lambda to: faults_.html(accepted=True, operation=create, to=to),
        "connection dropped, not accepted": lambda to: faults_.drop(operation=create, to=to),
        "connection dropped, accepted": lambda to: faults_.drop(accepted=True, operation=create, to=to),
        "response cut off": lambda to: faults_.cut_off(operation=create, to=to),
        "response after the timeout": lambda to: faults_.slow(seconds=3, operation=create, to=to),
        "list gets 500": lambda to: (
            faults_.drop(accepted=True, operation=create, to=to),
            faults_.server_error(operation="messages.list", to=to),
        ),
    }


def _started(deployment: Deployment, place: str, chance: random.Random) -> ForkedProcess:
    armed = {} if place == ACCEPTED else {VARIABLE: f"{place}:{chance.randint(1, _BATCH)}"}
    process = deployment.start(armed)
    # It may be killed while it goes on with what the one before left: then there is nothing to wait for.
    deployment.wait_until_ready(process, or_dead=True)
    return process


def posted(deployment: Deployment, number: int, process: int = 0) -> bool:
    """Post the ``number``-th event to a process; whether it took it."""
    try:
        return post(deployment.webhook(process), inbound(number)).status_code == httpx.codes.NO_CONTENT
    except httpx.TransportError:
        return False


def _kill_when(process: ForkedProcess, met: Callable[[], bool]) -> None:
    until(met, "Twilio has accepted a message")
    process.kill()


def under_way(deployment: Deployment, place: str) -> int:
    """How many sends were under way when the process died."""
    question = "SELECT count(*) FROM flow_runs r JOIN flow_intents i ON i.run = r.id WHERE r.state = 'running'"
    ((count,),) = deployment.ask(question)
    return int(count) + (1 if place == crash_points.BEFORE_INTENT else 0)


def table(rows: Iterable[tuple[object, ...]], head: tuple[str, ...]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
