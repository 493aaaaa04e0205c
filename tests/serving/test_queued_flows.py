"""A queued flow that two processes serve from one database: in the order of acceptance, each event once, over kills."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from support.serve_processes import FLOW, Deployment, inbound, post
from support.waiting import until

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator

QUEUED = FLOW.replace("  - name: Reply\n", "  - name: Reply\n    queueConfig: {usesFifoQueue: true}\n")
EVENTS = 40


def test_events_are_carried_out_in_the_order_in_which_they_were_accepted(
    emulator: Emulator, twilio: str, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    deployment = Deployment(tmp_path, twilio, database=new_database(), flow=QUEUED, resend="true")
    chance = random.Random(1)  # noqa: S311 - to be repeated

    def deliver(number: int) -> bool:
        """Post an event until it is taken, to either process, as Twilio does with its fallback URL."""
        while True:
            with suppress(httpx.TransportError):  # the process was killed meanwhile
                if post(deployment.webhook(chance.randrange(2)), inbound(number)).is_success:
                    return True

    processes = [deployment.start(number=number) for number in range(2)]
    try:
        for number, process in enumerate(processes):
            deployment.wait_until_ready(process, number)
        with ThreadPoolExecutor(8) as pool:
            delivered = pool.map(deliver, range(1, EVENTS + 1))
            for number in (0, 1):
                until(lambda: emulator.messages, "something was sent")
                processes[number].kill()
                processes[number].wait()
                processes[number] = deployment.start(number=number)
                deployment.wait_until_ready(processes[number], number)
            assert all(delivered)
        waiting = "SELECT count(*) FROM flow_runs WHERE state IN ('queued', 'running')"
        until(lambda: deployment.ask(waiting) == [(0,)], "all have ended", 120)
    finally:
        for process in processes:
            process.terminate()
            process.wait(30)
    accepted = deployment.ask(
        "SELECT state, resource_id FROM (SELECT id, state, queue_number FROM flow_runs) AS r "
        "LEFT JOIN (SELECT run, resource_id FROM flow_intents) AS i ON run = r.id ORDER BY queue_number"
    )
    assert [state for state, _ in accepted] == ["succeeded"] * EVENTS
    assert [sid for _, sid in accepted] == [message.sid for message in emulator.messages]
