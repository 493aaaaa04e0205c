"""The progress of a run: JSON lines for a script, a line that changes on a terminal."""

from __future__ import annotations

import json
from typing import IO, Any, Protocol

from twilio_component.cli.output import write_line


class Progress(Protocol):
    """Shows a run repeatedly, and its end."""

    def update(self, run: dict[str, Any]) -> None:
        """Show the run as it is now: what ``RunViews`` returns of it, with its ``loops``."""

    def end(self, run: dict[str, Any]) -> None:
        """Show the run at its end."""


def progress(stream: IO[str]) -> Progress:
    """Return the progress output that suits the stream."""
    return _Terminal(stream) if stream.isatty() else _Lines(stream)


class _FinishedSteps:
    """The steps of a run that have ended, each returned once."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        steps = [step for step in run["steps"] if "finished" in step]
        new = steps[self._count :]
        self._count = max(self._count, len(steps))
        return new


class _Lines:
    """A JSON line for each step that has ended, each loop that has progressed, and the end."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._steps = _FinishedSteps()
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


class _Terminal:
    """The steps that have ended, a line each, and below them the loop that is running."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._steps = _FinishedSteps()

    def update(self, run: dict[str, Any]) -> None:
        for step in self._steps.new(run):
            failed = step.get("error")
            line = f"{'✗' if failed else '✓'}  {step['step']}  {failed['code'] if failed else ''}"
            write_line(self._stream, line.rstrip())
        under_way = [loop for loop in run["loops"] if loop["left"] or not loop["isWhole"]]
        write_line(self._stream, f"…  {loop_summary(under_way[-1])}" if under_way else f"…  {run['state']}", end="")

    def end(self, run: dict[str, Any]) -> None:
        self.update(run)
        for loop in run["loops"]:
            write_line(self._stream, loop_summary(loop))
        error = run["error"]
        write_line(self._stream, f"{run['state']}{': ' + error['message'] if error else ''}")


def loop_summary(loop: dict[str, Any]) -> str:
    """Return ``everyone: 1,200 of 5,000, 1,190 succeeded, 21610: 8, unknown: 2, 9.8/s, until 12:30:05``."""
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
