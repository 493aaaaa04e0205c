"""The progress of a run: JSON lines for a script, a screen that changes on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Protocol

from twilio_component.flows.interpreter.ends import ITEMS_FAILED


class Progress(Protocol):
    """Shows a run repeatedly, and its end."""

    def update(self, run: dict[str, Any]) -> None:
        """Show the run as it is now: what ``RunViews`` returns of it, with its ``loops``."""

    def end(self, run: dict[str, Any]) -> None:
        """Show the run at its end."""


@contextmanager
def progress(stream: IO[str]) -> Iterator[Progress]:
    """The progress output that suits the stream."""
    if not stream.isatty():
        yield _Lines(stream)
        return
    from twilio_component.cli.run_progress import ProgressScreen

    with ProgressScreen(stream) as screen:
        yield screen


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


class _Lines:
    """A JSON line for each step that has ended, each loop that has progressed, and the end."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._steps = FinishedSteps()
        self._loops: list[dict[str, Any]] = []

    def update(self, run: dict[str, Any]) -> None:
        for step in self._steps.new(run):
            self._print(step)
        moved = [loop for loop in run["loops"] if all(_counts(loop) != _counts(other) for other in self._loops)]
        for loop in moved:
            self._print(loop)
        self._loops = run["loops"]

    def end(self, run: dict[str, Any]) -> None:
        self.update(run)
        self._print({key: run[key] for key in ("id", "state", "finished", "error")})

    def _print(self, value: dict[str, Any]) -> None:
        print(json.dumps(value, ensure_ascii=False), file=self._stream, flush=True)


def error_codes(error: Mapping[str, Any]) -> str:
    """Return what an operator looks for: ``20003``, or ``20003: 9, 21610: 2`` of a list; else our own code."""
    if error["code"] == ITEMS_FAILED and error.get("byCode"):
        return ", ".join(f"{code}: {count:,}" for code, count in error["byCode"].items())
    return str(error.get("reason") or error["code"])


def loop_summary(loop: dict[str, Any]) -> str:
    """Return ``everyone: 1,200 of 5,000, 1,190 succeeded, 21610: 8, unknown: 2, 9.8/s, until 12:30:05``."""
    return f"{loop['loop']}: {counts_of_loop(loop)}"


def counts_of_loop(loop: dict[str, Any]) -> str:
    """Return ``1,200 of 5,000, 1,190 succeeded, 21610: 8, unknown: 2, 9.8/s, until 12:30:05 UTC``."""
    done = loop["taken"] - loop["left"]
    whole = f"{loop['taken']:,}{'' if loop['isWhole'] else '+'}"
    parts = [f"{done:,} of {whole}", f"{loop['succeeded']:,} succeeded"]
    parts += [f"{code}: {count:,}" for code, count in loop["failed"].items()]
    if loop["unknown"]:
        parts.append(f"unknown: {loop['unknown']:,}")
    if loop["left"]:
        parts.append(f"{loop['perSecond']:g}/s")
    if loop["expectedEnd"]:
        parts.append(f"until {loop['expectedEnd'][11:19]} UTC")
    return ", ".join(parts)


def _counts(loop: dict[str, Any]) -> tuple[Any, ...]:
    return loop["loop"], loop["taken"], loop["left"]
