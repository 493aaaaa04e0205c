"""A run under way, as it is shown: lines of JSON for a script, a line that changes for a person at a terminal."""

from __future__ import annotations

import json
from typing import IO, Any, Protocol

from twilio_component.cli.output import write_line


class Progress(Protocol):
    """Is told of a run again and again, and of its end."""

    def looked(self, run: dict[str, Any]) -> None:
        """The run as it is now: ``RunViews.shown`` with its ``loops``."""

    def ended(self, run: dict[str, Any]) -> None:
        """The run at its end."""


def progress(stream: IO[str]) -> Progress:
    """What suits the stream."""
    return _Terminal(stream) if stream.isatty() else _Lines(stream)


class _EndedSteps:
    """The steps of a run that have ended, each given once."""

    def __init__(self) -> None:
        self._told = 0

    def new(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        steps = [step for step in run["steps"] if "finished" in step]
        new = steps[self._told :]
        self._told = max(self._told, len(steps))
        return new


class _Lines:
    """A line for each step when it has ended, for each loop when it has moved, and for the end."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._steps = _EndedSteps()
        self._loops: list[dict[str, Any]] = []

    def looked(self, run: dict[str, Any]) -> None:
        for step in self._steps.new(run):
            self._print(step)
        moved = [loop for loop in run["loops"] if all(_counts(loop) != _counts(other) for other in self._loops)]
        for loop in moved:
            self._print(loop)
        self._loops = run["loops"]

    def ended(self, run: dict[str, Any]) -> None:
        self.looked(run)
        self._print({key: run[key] for key in ("id", "state", "finished", "error")})

    def _print(self, value: dict[str, Any]) -> None:
        print(json.dumps(value, ensure_ascii=False), file=self._stream, flush=True)


class _Terminal:
    """The steps that have ended, each on a line, and below them the loop that is under way."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._steps = _EndedSteps()

    def looked(self, run: dict[str, Any]) -> None:
        for step in self._steps.new(run):
            failed = step.get("error")
            line = f"{'✗' if failed else '✓'}  {step['step']}  {failed['code'] if failed else ''}"
            write_line(self._stream, line.rstrip())
        under_way = [loop for loop in run["loops"] if loop["left"] or not loop["isWhole"]]
        write_line(self._stream, f"…  {in_words(under_way[-1])}" if under_way else f"…  {run['state']}", end="")

    def ended(self, run: dict[str, Any]) -> None:
        self.looked(run)
        for loop in run["loops"]:
            write_line(self._stream, in_words(loop))
        error = run["error"]
        write_line(self._stream, f"{run['state']}{': ' + error['message'] if error else ''}")


def in_words(loop: dict[str, Any]) -> str:
    """``everyone: 1,200 of 5,000, 1,190 succeeded, 21610: 8, unknown: 2, 9.8/s, until 12:30:05``."""
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
    return f"{loop['loop']}: {', '.join(parts)}"


def _counts(loop: dict[str, Any]) -> tuple[Any, ...]:
    return loop["loop"], loop["taken"], loop["left"]
