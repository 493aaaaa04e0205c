"""A run under way, as it is shown: lines of JSON for a script, a line that changes for a person at a terminal."""

from __future__ import annotations

import json
import shutil
from typing import IO, Any, Protocol


class Progress(Protocol):
    """Is told of a run again and again, and of its end."""

    def looked(self, run: dict[str, Any]) -> None:
        """The run as it is now: ``RunViews.shown`` with its ``loops``."""

    def ended(self, run: dict[str, Any]) -> None:
        """The run at its end."""


def progress(stream: IO[str]) -> Progress:
    """What suits the stream."""
    return _Terminal(stream) if stream.isatty() else _Lines(stream)


class _Lines:
    """A line for each step when it has ended, for each loop when it has moved, and for the end."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._told = 0
        self._loops: list[dict[str, Any]] = []

    def looked(self, run: dict[str, Any]) -> None:
        steps = _ended_steps(run)
        for step in steps[self._told :]:
            self._print(step)
        self._told = max(self._told, len(steps))
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
        self._told = 0

    def looked(self, run: dict[str, Any]) -> None:
        steps = _ended_steps(run)
        for step in steps[self._told :]:
            failed = step.get("error")
            self._line(f"{'✗' if failed else '✓'}  {step['step']}  {failed['code'] if failed else ''}".rstrip(), "\n")
        self._told = max(self._told, len(steps))
        under_way = [loop for loop in run["loops"] if loop["left"] or not loop["isWhole"]]
        self._line(f"…  {in_words(under_way[-1])}" if under_way else f"…  {run['state']}", "")

    def ended(self, run: dict[str, Any]) -> None:
        self.looked(run)
        for loop in run["loops"]:
            self._line(in_words(loop), "\n")
        error = run["error"]
        self._line(f"{run['state']}{': ' + error['message'] if error else ''}", "\n")

    def _line(self, text: str, end: str) -> None:
        # What is under way stands on a line that the next one writes over.
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[K{text[:width]}", end=end, file=self._stream, flush=True)


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


def _ended_steps(run: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for step in run["steps"] if "finished" in step]


def _counts(loop: dict[str, Any]) -> tuple[Any, ...]:
    return loop["loop"], loop["taken"], loop["left"]
