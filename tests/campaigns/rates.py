"""A campaign for rates: how many requests of a sender arrive at Twilio in any second, from two processes."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from support.postgres import Postgres
from support.serve_processes import Deployment, inbound, post
from support.waiting import PATIENCE, until

from twilio_component.emulator import Emulator


@dataclass(frozen=True)
class Arrivals:
    """What arrived: in all, from how many senders, the most of one sender in any second, and in how many seconds."""

    messages: int
    senders: int
    rate: float
    most: int
    seconds: float


def paced(folder: Path, *, senders: int, rate: float, seconds: float) -> Arrivals:
    """Send as many messages as ``senders`` with this rate can in ``seconds``, all at once, to two processes."""
    numbers = [f"+1501771{number:04d}" for number in range(senders)]
    count = int(senders * rate * seconds)
    emulator = Emulator()
    with Postgres() as postgres, emulator.serve_in_thread() as twilio, ThreadPoolExecutor(8) as pool:
        rates = json.dumps(dict.fromkeys(numbers, rate))
        deployment = Deployment(
            folder, twilio.url, database=postgres.new_database("runs"), timeout=5, resend="true", rates=rates
        )
        with deployment.serving(), deployment.serving(number=1):
            begun = time.monotonic()
            events = (inbound(number, to=numbers[number % senders]) for number in range(count))
            posts = pool.map(lambda pair: post(deployment.webhook(pair[0] % 2), pair[1]).status_code, enumerate(events))
            assert set(posts) == {204}
            until(lambda: deployment.running() == 0, "every run has ended", 3 * seconds + PATIENCE)
            took = time.monotonic() - begun
    times: dict[str, list[float]] = {}
    for record in emulator.request_log.requests:
        if record.operation == "messages.create":
            (sender,) = parse_qs(record.request.body.decode())["From"]
            times.setdefault(sender, []).append(record.at)
    assert len(emulator.messages) == count
    return Arrivals(count, len(times), rate, max(_most(sorted(at)) for at in times.values()), took)


def _most(at: list[float]) -> int:
    """The most of these times that lie within one second."""
    return max(sum(1 for other in at if time_ <= other < time_ + 1) for time_ in at)
