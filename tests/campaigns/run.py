"""Run the campaigns at full size and write what was found into a document; ``make campaign`` does."""

from __future__ import annotations

import datetime as dt
import os
import platform
import sys
import tempfile
from pathlib import Path

from sends import PLACES, Figures, faults, killed_sends, table

LAG = 1.0
KILLED = 200
SENDS = 500


def main() -> None:
    """Run everything, then write the document."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        resending = killed_sends(_made(root / "resending"), least=KILLED, lag=LAG, resend=True)
        careful = killed_sends(_made(root / "careful"), least=KILLED, lag=LAG, resend=False)
        faulty = faults(_made(root / "faults"), sends=SENDS)
    Path(sys.argv[1]).write_text(document(resending, careful, faulty), encoding="utf-8")
    broken = [figures for figures in (resending, careful, faulty) if figures.doubled]
    if broken or resending.missing or resending.unknown or faulty.missing:
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


def _lost(figures: Figures) -> int:
    return max(0, figures.missing - figures.unknown)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


_TEXT = """\
# Reliability, measured

`make campaign` writes this page. {day}, Python {python}, {cores} cores, SQLite on a local disk, the emulator as Twilio.

## Processes that are killed

A serving process is killed with SIGKILL, again and again, at every place of a send, with eight sends at a time under
way. The next process goes on with what it left, and may be killed while it does: a send counts for each process that it
dies with. Twilio's list shows a message
{lag:g} s after it was accepted; the configuration says `lagBound: {bound:g}`.

The first pair of columns is with `resend: true`, the second with `resend: false`, the default.

{killed}

{outcome}

## Twilio's faults

Of {sends} sends, {hit} met a fault; the list lagged by 1 s throughout, and `resend: true` was set.

{met}

{messages} messages at Twilio, {doubled} of them twice; {unknown} sends ended as unknown, {lost} were lost unreported.
It took {seconds} s.
"""


if __name__ == "__main__":
    main()
