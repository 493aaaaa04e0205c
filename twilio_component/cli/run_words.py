"""What is said of runs, on a terminal and in scripts alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twilio_component.cli.output import cell
from twilio_component.host.errors import join_names

_HOLDS = {"quiet-hours": "quiet hours", "cap": "a frequency cap"}


def error_codes(error: Mapping[str, Any]) -> str:
    """Return what an operator looks for: ``20003``, or ``20003: 9, 21610: 2`` of a list; else our own code."""
    from twilio_component.flows.interpreter.ends import ITEMS_FAILED  # loads the expressions

    if error["code"] == ITEMS_FAILED and error.get("byCode"):
        return ", ".join(f"{code}: {count:,}" for code, count in error["byCode"].items())
    return str(error.get("reason") or error["code"])


def loop_summary(loop: dict[str, Any]) -> str:
    """Return ``everyone: 1,200 of 5,000, 1,190 succeeded, 21610: 8, unknown: 2, 9.8/s, ETA 12:30:05 UTC``."""
    return f"{loop['loop']}: {counts_of_loop(loop)}"


def item_line(item: Mapping[str, Any]) -> str:
    """Return ``everyone 79  failed  20003  2026-11-26 03:01:13 UTC  SM…`` of an item as ``LoopViews`` returns it."""
    ended = moment_text(item["finished"])
    parts = (f"{item['loop']} {item['index']}", item["state"], item["code"] or "", ended, " ".join(item["effects"]))
    line = "  ".join(part for part in parts if part)
    return f"{line}  {cell(item['item'])}" if "item" in item else line


def count_words(count: int, noun: str) -> str:
    """Return ``1 message`` or ``1,200 messages``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def moment_text(time: str | None) -> str:
    """Return ``2026-11-26 03:01:11 UTC`` of an ISO 8601 time; nothing of none."""
    return f"{time[:10]} {time[11:19]} UTC" if time else ""


def counts_of_loop(loop: dict[str, Any]) -> str:
    """Return ``1,200 of 5,000, 1,190 succeeded, 21610: 8, unknown: 2, 9.8/s, ETA 12:30:05 UTC``."""
    done = loop["taken"] - loop["left"]
    whole = f"{loop['taken']:,}{'' if loop['isWhole'] else '+'}"
    parts = [f"{done:,} of {whole}", f"{loop['succeeded']:,} succeeded"]
    parts += [f"{code}: {count:,}" for code, count in loop["failed"].items()]
    if loop["unknown"]:
        parts.append(f"unknown: {loop['unknown']:,}")
    if loop.get("inDoubt"):
        parts.append(f"{loop['inDoubt']:,} being looked for")
    if loop.get("held"):
        holds = join_names(_HOLDS.get(kind, kind) for kind in loop.get("heldBy", ()) or ("a rule",))
        parts.append(f"{loop['held']:,} held by {holds} until {moment_text(loop['heldUntil'])}")
    if loop["left"]:
        parts.append(f"{loop['perSecond']:g}/s")
    if loop["expectedEnd"]:
        # Of what is held until tomorrow the time alone would be taken for today's.
        expected = loop["expectedEnd"]
        parts.append(f"ETA {moment_text(expected) if loop.get('held') else f'{expected[11:19]} UTC'}")
    return ", ".join(parts)


class FinishedSteps:
    """The steps of a run that have ended, each returned once."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        """Return those that have ended since the last call."""
        steps = [step for step in run["steps"] if "finished" in step]
        new = steps[self._count :]
        self._count = max(self._count, len(steps))
        return new
