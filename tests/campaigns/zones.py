"""A campaign against that of the fixtures: seven zones, nights, opt-outs and a cap, in processes that are killed.

Each process lives at a moment of two days: its clock is ahead of this machine's.
"""

from __future__ import annotations

import datetime as dt
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import httpx
from sends import PLACES
from support.crashing_serve import AHEAD, VARIABLE
from support.flow_runs import FIXTURES
from support.serve_processes import Deployment, killed
from support.waiting import PATIENCE, until

from twilio_component.durable import crash_points
from twilio_component.emulator import Emulator
from twilio_component.flows.number_zones import zones_of_number
from twilio_component.flows.parsing.reader import load_integration
from twilio_component.flows.quiet_hours import is_quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.forked_programs import ForkedProcess

    from twilio_component.flows.send_rules import QuietHours

CAMPAIGN = FIXTURES / "integrations" / "campaign.yaml"
AREAS = ("+1212555", "+1213555", "+44207946", "+4930555", "+8190555", "+6125550", "+9198555")
"""Beginnings of numbers in New York, Los Angeles, London, Berlin, Tokyo, Sydney and India."""
HOURS = (12, 24, 36, 48, 60, 72)
"""When processes live, in hours after midnight of a Monday in New York.

At noon there it is day from Los Angeles to Berlin, at midnight from India to Sydney; and so it is a day and more after
that.
"""
_DIGITS = 11
_PLACES = (crash_points.INTENT, crash_points.CLAIMED, crash_points.RESPONDED, crash_points.SETTLED)


@dataclass
class CampaignFigures:
    """What was found: messages at night (``asleep``), a second time within a day (``again``), after an opt-out."""

    recipients: int
    kills: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    missing: int = 0
    doubled: int = 0
    asleep: int = 0
    again: int = 0
    unwanted: int = 0
    state: str = ""
    seconds: float = 0.0


class KilledCampaign:
    """In its list every hundredth is twice, every fiftieth has opted out, and every fortieth does so later."""

    def __init__(self, folder: Path, twilio: str, emulator: Emulator, recipients: int, lag: float) -> None:
        self.numbers = [_number(AREAS[place % len(AREAS)], place) for place in range(recipients)]
        self.twice, self.out, self.later = self.numbers[7::100], self.numbers[::50], self.numbers[11::40]
        rows = "".join(f"P{place},{phone}\n" for place, phone in enumerate([*self.numbers, *self.twice]))
        (folder / "people.csv").write_text("name,phone\n" + rows, encoding="utf-8")
        text = CAMPAIGN.read_text(encoding="utf-8").replace("Twilio Connection", "Twilio")
        text = text.replace("twilio.apiKeySecret", "twilio.basic").replace("concurrency: 5", "concurrency: 20")
        self.deployment = Deployment(folder, twilio, flow=text, lag_bound=2 * lag, timeout=1, resend="true")
        self.emulator = emulator
        self.rule: QuietHours = _rule()
        self.sent: list[tuple[str, float]] = []
        self.figures = CampaignFigures(recipients)

    def opt_out(self, numbers: list[str]) -> None:
        """Add people to the register, with the command for it."""
        file = self.deployment.folder / "out.csv"
        file.write_text("person\n" + "\n".join(numbers) + "\n", encoding="utf-8")
        program = "import sys; from twilio_component.cli.main import main; sys.exit(main(sys.argv[1:]))"
        command = ["opt-outs", "import", str(file), "--database", self.deployment.database]
        subprocess.run([sys.executable, "-c", program, *command], check=True, capture_output=True)

    def live(self, moment: float, kills: int, chance: random.Random, *, is_last: bool = False) -> None:
        """Go on at a moment until who can be written to then has been, in processes of which so many are killed."""
        for number in range(kills + 1):
            ahead = moment - time.time()
            armed = {} if number == kills else self._fate(chance)
            process = self.deployment.start({AHEAD: str(ahead), **armed})
            self.deployment.wait_until_ready(process, or_dead=True)
            if not self.deployment.ask("SELECT 1 FROM flow_runs"):
                self.opt_out(self.out)
                httpx.post(f"{self.deployment.url()}/campaign/announce", json={})

            def is_over(process: ForkedProcess = process, ahead: float = ahead) -> bool:
                rests = not self.deployment.running() if is_last else self._rests(ahead)
                return process.poll() is not None or rests

            until(is_over, "it rests", 40 * PATIENCE)
            self._look(ahead)
            if process.poll() is None:
                process.terminate()
                self.deployment.wait_until_ended(process)
            else:
                assert killed(process), self.deployment.log()
                self.figures.kills[PLACES[armed[VARIABLE].partition(":")[0]]] += 1

    def _fate(self, chance: random.Random) -> dict[str, str]:
        place = _PLACES[self.figures.kills.total() % len(_PLACES)]
        return {VARIABLE: f"{place}:{chance.randint(1, max(1, len(self.numbers) // 40))}"}

    def _rests(self, ahead: float) -> bool:
        """Whether everybody who can be written to has been: the others are held until later."""
        whole = self.deployment.ask("SELECT 1 FROM flow_loops WHERE is_whole")
        now = time.time() + ahead
        free = f"state = 'pending' AND (held_until IS NULL OR held_until <= {now!r})"
        ((left,),) = self.deployment.ask(f"SELECT count(*) FROM flow_items WHERE {free}")  # noqa: S608 - a number of ours
        return bool(whole) and not left

    def _look(self, ahead: float) -> None:
        """Hold what has been sent against the clocks of its recipients."""
        now = time.time() + ahead
        for message in list(self.emulator.messages)[len(self.sent) :]:
            self.sent.append((message.to, now))
            zones = zones_of_number(message.to, self.rule.otherwise)
            self.figures.asleep += any(is_quiet(self.rule, now, zone) for zone in zones)

    def count(self) -> None:
        """Hold all messages against the list."""
        figures, wanted = self.figures, Counter([*self.numbers, *self.twice])
        for number in {*self.out, *self.later}:
            wanted.pop(number, None)
        sent = Counter(to for to, _ in self.sent)
        figures.messages = sent.total()
        figures.unwanted = sum(sent[number] for number in {*self.out, *self.later})
        figures.missing = (wanted - sent).total()
        figures.doubled = sum((sent - wanted)[number] for number in wanted)
        for number in sent.keys() & {*self.twice}:
            first, *others = sorted(at for to, at in self.sent if to == number)
            figures.again += sum(at - first < 24 * 3600 - PATIENCE for at in others)
        ((figures.state,),) = self.deployment.ask("SELECT state FROM flow_runs")


def killed_campaign(
    folder: Path, *, recipients: int, kills: Sequence[int], lag: float, hours: Sequence[int] = HOURS, seed: int = 1
) -> CampaignFigures:
    """Send the campaign's message to so many while processes are killed, so many at each of the hours."""
    chance, begun = random.Random(seed), time.monotonic()  # noqa: S311 - to be repeated
    emulator = Emulator()
    with emulator.serve_in_thread() as twilio:
        emulator.faults.lag_lists(lag)
        campaign = KilledCampaign(folder, twilio.url, emulator, recipients, lag)
        midnight = dt.datetime(2026, 5, 4, 0, 5, tzinfo=ZoneInfo("America/New_York")).timestamp()
        for place, hour in enumerate(hours):
            campaign.live(midnight + hour * 3600, kills[place], chance, is_last=place == len(hours) - 1)
            if place == 0:
                reached = {to for to, _ in campaign.sent}
                campaign.later = [number for number in campaign.later if number not in reached]
                campaign.opt_out(campaign.later)
        campaign.count()
    campaign.figures.seconds = time.monotonic() - begun
    return campaign.figures


def _rule() -> QuietHours:
    found = load_integration(CAMPAIGN).flows[0].quiet_hours
    assert found is not None
    return found


def _number(area: str, place: int) -> str:
    length = {"+1": 12, "+4": 13, "+8": 13, "+6": 12, "+9": 13}[area[:2]]
    return area + str(place).zfill(length - len(area))


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as made:
        each = [int(sys.argv[2])] * (len(HOURS) - 1)
        figures = killed_campaign(Path(made), recipients=int(sys.argv[1]), kills=[*each, 0], lag=0.5)
        sys.stdout.write(f"{figures}\n")
