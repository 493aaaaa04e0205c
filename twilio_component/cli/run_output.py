"""The progress of a run: JSON lines for a script, a screen that changes on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

from twilio_component.cli.run_words import FinishedSteps


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


def _counts(loop: dict[str, Any]) -> tuple[Any, ...]:
    return loop["loop"], loop["taken"], loop["left"]
