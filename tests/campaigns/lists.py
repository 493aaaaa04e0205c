"""A campaign against long lists: processes that carry a loop out side by side are killed, again and again."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sends import PLACES, Figures
from support.crashing_serve import VARIABLE
from support.postgres import Postgres
from support.serve_processes import HEAD, Deployment, inbound, killed, post
from support.waiting import PATIENCE, until

from twilio_component.durable import crash_points
from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from support.forked_programs import ForkedProcess

FLOW = (
    HEAD
    + """\
      - name: Everyone
        action: loop.loopOverItems
        concurrency: 20
        itemsFrom: {file: people.csv}
        steps:
          - name: Send
            action: twilio.sendSMS
            inputs:
              twilioConnection: Twilio
              to: "{{$everyone.currentItem.phone}}"
              from: "{{$trigger.results.body.data.To}}"
              message: "Hi {{$everyone.currentItem.name}}"
"""
)
_PLACES = (crash_points.INTENT, crash_points.CLAIMED, crash_points.RESPONDED, crash_points.SETTLED)


def killed_lists(folder: Path, *, recipients: int, least: int, lag: float, shared: bool, seed: int = 1) -> Figures:
    """Send to a list while processes are killed ``least`` times, in a send; ``shared``: beside one that lives."""
    chance, figures, begun = random.Random(seed), Figures(events=recipients), time.monotonic()  # noqa: S311 - to be repeated
    people = "".join(f"P{number},+1555{number:07d}\n" for number in range(recipients))
    (folder / "people.csv").write_text("name,phone\n" + people, encoding="utf-8")
    emulator = Emulator()
    with ExitStack() as stack:
        twilio = stack.enter_context(emulator.serve_in_thread())
        emulator.faults.lag_lists(lag)
        database = stack.enter_context(Postgres()).new_database("runs") if shared else ""
        deployment = Deployment(
            folder, twilio.url, database=database, flow=FLOW, lag_bound=2 * lag, timeout=1, resend="true"
        )
        if shared:
            stack.enter_context(deployment.serving(number=1))
        while figures.kills.total() < least:
            place = _PLACES[figures.kills.total() % len(_PLACES)]
            often = chance.randint(1, max(1, recipients // (2 * least)))
            process = deployment.start({VARIABLE: f"{place}:{often}"})
            deployment.wait_until_ready(process, or_dead=True)
            if not figures.kills:
                assert post(deployment.webhook(), inbound(0)).is_success
            _wait(process, deployment)
            if process.poll() is None:
                # The list has come to its end before the process met its fate.
                process.terminate()
                process.wait(PATIENCE)
                break
            assert killed(process), deployment.log()
            figures.kills[PLACES[place]] += 1
        if not shared:
            stack.enter_context(deployment.serving())
        until(lambda: deployment.running() == 0, "the run has ended", 20 * PATIENCE)
        figures.count(emulator, deployment)
        ((figures.states["unknown"],),) = deployment.ask("SELECT count(*) FROM flow_items WHERE state = 'unknown'")
    figures.seconds = time.monotonic() - begun
    return figures


def _wait(process: ForkedProcess, deployment: Deployment) -> None:
    until(lambda: process.poll() is not None or not deployment.running(), "the process is killed", 4 * PATIENCE)
