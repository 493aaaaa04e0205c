"""Run the campaigns at full size and write what was found into a document; ``make campaign`` does."""

from __future__ import annotations

import datetime as dt
import os
import platform
import sys
import tempfile
from pathlib import Path

from lists import killed_lists
from rates import Arrivals, paced
from sends import PLACES, Figures, faults, killed_sends, table
from workers import Takeover, database_away, killed_beside_a_worker, rolling_restart, takeovers

LAG = 1.0
KILLED = 200
SENDS = 500
EVENTS = 1_000
AWAY = 20.0
PACED = 60.0
RECIPIENTS = 5_000
LISTS_KILLED = 20
TIMEOUT = 15.0  # the default


def main() -> None:
    """Run everything, then write the document."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        resending = killed_sends(_made(root / "resending"), least=KILLED, lag=LAG, resend=True)
        careful = killed_sends(_made(root / "careful"), least=KILLED, lag=LAG, resend=False)
        faulty = faults(_made(root / "faults"), sends=SENDS)
        beside = killed_beside_a_worker(_made(root / "beside"), least=KILLED, lag=LAG)
        rolling = rolling_restart(_made(root / "rolling"), events=EVENTS)
        taken_over = takeovers(_made(root / "takeovers"), timeout=TIMEOUT, lag_bound=LAG)
        away, refused = database_away(_made(root / "away"), seconds=AWAY)
        alone = killed_lists(_made(root / "list"), recipients=RECIPIENTS, least=LISTS_KILLED, lag=LAG, shared=False)
        shared = killed_lists(_made(root / "shared"), recipients=RECIPIENTS, least=LISTS_KILLED, lag=LAG, shared=True)
        paces = [
            paced(_made(root / "one"), senders=1, rate=10, seconds=PACED),
            paced(_made(root / "ten"), senders=10, rate=2, seconds=PACED / 3),
        ]
    text = document(resending, careful, faulty) + of_workers(beside, rolling, away, refused)
    text += of_takeovers(taken_over) + of_lists(alone, shared) + of_rates(paces)
    Path(sys.argv[1]).write_text(text, encoding="utf-8")
    complete = [resending, faulty, beside, rolling, away, alone, shared]
    if (
        careful.doubled
        or any(one.most > one.rate for one in paces)
        or any(figures.doubled or figures.missing or figures.unknown for figures in complete)
    ):
        sys.exit("a promise was broken; the document says which")


def document(resending: Figures, careful: Figures, faulty: Figures) -> str:
    """The figures, in words."""
    killed = table(
        (
            (words, resending.kills[place], resending.killed[place], careful.kills[place], careful.killed[place])
            for place, words in PLACES.items()
        ),
        ("killed", "processes", "sends under way", "processes", "sends under way"),
    )
    outcome = table(
        (
            ("events", resending.events, careful.events),
            ("sends under way in killed processes", resending.killed.total(), careful.killed.total()),
            ("messages at Twilio (the emulator)", resending.messages, careful.messages),
            ("messages that came twice", resending.doubled, careful.doubled),
            ("ended as unknown", resending.unknown, careful.unknown),
            ("not sent and not reported", _lost(resending), _lost(careful)),
            ("seconds", round(resending.seconds), round(careful.seconds)),
        ),
        ("", "`resend: true`", "`resend: false`"),
    )
    met = table(sorted(faulty.kills.items()), ("fault", "sends that met it"))
    return _TEXT.format(
        day=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        python=platform.python_version(),
        cores=os.cpu_count(),
        killed=killed,
        outcome=outcome,
        lag=LAG,
        bound=2 * LAG,
        met=met,
        sends=faulty.events,
        hit=faulty.kills.total(),
        messages=faulty.messages,
        doubled=faulty.doubled,
        unknown=faulty.unknown,
        lost=_lost(faulty),
        seconds=round(faulty.seconds),
    )


def of_workers(beside: Figures, rolling: Figures, away: Figures, refused: int) -> str:
    """The figures of processes that share a database, in words."""
    names = {
        "beside": beside,
        "rolling": rolling,
        "away": away,
    }
    outcome = table(
        (
            ("events", *(one.events for one in names.values())),
            ("messages at Twilio (the emulator)", *(one.messages for one in names.values())),
            ("messages that came twice", *(one.doubled for one in names.values())),
            ("ended as unknown", *(one.unknown for one in names.values())),
            ("not sent and not reported", *(_lost(one) for one in names.values())),
            ("seconds", *(round(one.seconds) for one in names.values())),
        ),
        ("", "killed", "restarted", "database away"),
    )
    killed = table(
        ((PLACES[place], beside.kills[place], beside.killed[place]) for place in PLACES if beside.kills[place]),
        ("killed", "processes", "sends under way"),
    )
    return _OF_WORKERS.format(
        killed=killed,
        kills=beside.kills.total(),
        under_way=beside.killed.total(),
        restarts=rolling.kills.total(),
        events=rolling.events,
        seconds=AWAY,
        refused=refused,
        outcome=outcome,
    )


def of_lists(alone: Figures, shared: Figures) -> str:
    """What became of the recipients of lists, in words."""
    outcome = table(
        (
            ("recipients", alone.events, shared.events),
            ("processes killed in a send", alone.kills.total(), shared.kills.total()),
            ("messages at Twilio (the emulator)", alone.messages, shared.messages),
            ("messages that came twice", alone.doubled, shared.doubled),
            ("ended as unknown", alone.unknown, shared.unknown),
            ("not sent and not reported", _lost(alone), _lost(shared)),
            ("seconds", round(alone.seconds), round(shared.seconds)),
        ),
        ("", "SQLite, restarted each time", "Postgres, beside one that lives"),
    )
    return f"\n## Long lists\n\nA loop over a file, 20 concurrent iterations, `resend: true`.\n\n{outcome}\n"


def of_takeovers(found: list[Takeover]) -> str:
    """How long it took until the run of a killed process had ended in another one."""
    rows = ((PLACES[one.place], one.state, f"{one.seconds:.0f}") for one in found)
    table_ = table(rows, ("killed", "the run ended", "seconds"))
    return _OF_TAKEOVERS.format(timeout=TIMEOUT, bound=TIMEOUT * 6 / 5, lag=LAG, table=table_)


def of_rates(paces: list[Arrivals]) -> str:
    """What arrived of senders with a rate."""
    rows = ((one.senders, f"{one.rate:g}", one.messages, f"{one.seconds:.0f}", one.most) for one in paces)
    head = ("senders", "rate of each, a second", "messages", "seconds", "most of one sender in any second")
    return f"\n## Rates\n\nTwo processes on Postgres, all messages requested at once.\n\n{table(rows, head)}\n"


def _lost(figures: Figures) -> int:
    return max(0, figures.missing - figures.unknown)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


_TEXT = """\
# Reliability

`make campaign` kills processes, lets Twilio fail, and writes this page. Measured on {day} with Python {python}, {cores}
cores, SQLite on a local disk, and the emulator as Twilio.

It kills where we know that something can go wrong. [How the promise is tested](simulation.md) has what looks for the
rest: a simulation, and a campaign that kills, freezes and restarts at random moments, with the figures of both.

## Killed processes

We kill a serving process with SIGKILL, again and again, at every point of a send, with eight sends under way at a time.
The next process continues the work and may be killed while it does; a send counts once for each process that it dies
with. Twilio's list shows a message {lag:g} s after Twilio accepted it; the configuration says `lagBound: {bound:g}`.

The first pair of columns is with `resend: true`, the second with `resend: false`, the default.

{killed}

{outcome}

## Twilio's faults

Of {sends} sends, {hit} met a fault. The list lagged by 1 s throughout, with `resend: true`.

{met}

{messages} messages at Twilio, {doubled} of them twice; {unknown} sends ended as unknown, {lost} were lost unreported.
It took {seconds} s.
"""

_OF_WORKERS = """
## Two processes on Postgres

**Killed**: {kills} serving processes were killed in a send, one after the other, while another one lived and continued
their work, {under_way} sends included. **Restarted**: {events:,} events arrived while both processes were restarted in
turn, {restarts} restarts in all; an event that one did not accept went to the other. **Database away**: Postgres was
stopped for {seconds:g} s while events arrived; {refused} requests got 503, all others 204.

{outcome}

Where the processes were killed:

{killed}
"""

_OF_TAKEOVERS = """
A process with the default `timeout: {timeout:g}` was killed at each point of a send, and only then another one started,
which continues its run. It waits for a request that may be under way, {bound:g} s from its claim. A message that is not
found is unknown after `lagBound`, here {lag:g} s (60 by default), or sent then with `resend: true`. The seconds are
from the kill to the end of the run and include the start of the other process.

{table}
"""

if __name__ == "__main__":
    main()
