"""The output of a running flow: a line a step on a terminal, JSON lines for a script."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, Protocol

from twilio_component.cli import exit_codes
from twilio_component.cli.formats import print_json
from twilio_component.cli.output import cell, write_line

if TYPE_CHECKING:
    import argparse

    from twilio_component.flows import Outcome


class View(Protocol):
    """Receives each event when it happens, and the outcome at the end."""

    def event(self, event: dict[str, Any]) -> None:
        """Show a step, a wait or a start."""

    def outcome(self, outcome: Outcome) -> None:
        """Show the outcome."""


def view_for(stream: IO[str], options: argparse.Namespace) -> View:
    """Return the view that suits the stream and the options of ``flow run``."""
    if options.json:
        return JsonDocument(stream)
    if options.jsonl or not stream.isatty():
        return JsonLines(stream)
    return TerminalView(stream, folds=not options.trace)


def exit_code_of_outcome(outcome: Outcome) -> int:
    """Return the exit code for an outcome together with those of the flows that it started."""
    if outcome.outcome_unknown:
        return exit_codes.OUTCOME_UNKNOWN
    states = {one.state for one in _with_started(outcome)} - {"succeeded"}
    return exit_codes.exit_code_of_state("succeeded" if not states else states.pop() if len(states) == 1 else "failed")


def _with_started(outcome: Outcome) -> Iterator[Outcome]:
    yield outcome
    for other in outcome.started:
        yield from _with_started(other)


class JsonLines:
    """One JSON document a line; the last one is ``{"event": "outcome", …}``."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def event(self, event: dict[str, Any]) -> None:
        """Print the event immediately; that a step begins is left out, since its end says the same and more."""
        if event["event"] != "begin":
            self._print(event)

    def _print(self, event: dict[str, Any]) -> None:
        print(json.dumps(event, ensure_ascii=False), file=self._stream, flush=True)

    def outcome(self, outcome: Outcome) -> None:
        """Print the outcome."""
        self._print({"event": "outcome", **outcome.as_json()})


class JsonDocument:
    """The outcome as one document, with the ``events`` that led to it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._events: list[dict[str, Any]] = []

    def event(self, event: dict[str, Any]) -> None:
        """Keep the event, as ``JsonLines`` prints it."""
        if event["event"] != "begin":
            self._events.append(event)

    def outcome(self, outcome: Outcome) -> None:
        """Print everything."""
        document = {**outcome.as_json(), "events": self._events}
        print_json(document, self._stream)


class TerminalView:
    """One line a step, while it runs and when it has ended: its mark, id, action, duration and result.

    With ``folds`` the rounds of a loop share a line, but for the first that fail.
    """

    def __init__(self, stream: IO[str], *, folds: bool = True) -> None:
        self._stream = stream
        self._folds = folds
        self._rounds: Rounds | None = None

    def event(self, event: dict[str, Any]) -> None:
        """Show the event on a line, with its inputs on another if it has them."""
        place = loop_round(event.get("id", "")) if self._folds else None
        if self._rounds is not None and (place is None or place[0] != self._rounds.loop):
            self._end_rounds()
        if place is None:
            self._show(event)
            return
        if self._rounds is None:
            self._rounds = Rounds(place[0])
        if self._rounds.add(place[1], event):
            self._show(event)
        self._line(f"…  {self._rounds.summary()}", end="")

    def _end_rounds(self) -> None:
        if self._rounds is not None:
            self._line(f"{'✗' if self._rounds.failures else '✓'}  {self._rounds.summary()}")
            self._rounds = None

    def _show(self, event: dict[str, Any]) -> None:
        if event["event"] == "begin":
            self._line(f"…  {event['id']}  {event['action']}", end="")
        elif event["event"] == "wait":
            self._line(f"…  {event['id']}: waits {event['seconds']:g} s ({event['reason']})")
        elif event["event"] == "start":
            self._line(f"→  {event['step']}: starts {event['starts']}")
        else:
            failed = event.get("error")
            said = failed["message"] if failed else event["result"]
            mark = "✗" if failed else "✓"
            self._line(f"{mark}  {event['id']}  {event['action']}  {event['milliseconds']:g} ms  {cell(said)}")
            if "inputs" in event:
                self._line(f"     {cell(event['inputs'])}")

    def outcome(self, outcome: Outcome) -> None:
        """Show the outcome in words, and the result as JSON."""
        self._end_rounds()
        for error in outcome.handled:
            self._line(f"!  {error['id']}: {cell(error['message'])} ({error['resolution']})")
        if outcome.error is None:
            print(f"\n{outcome.flow} succeeded:", file=self._stream)
            print_json(outcome.result, self._stream)
        else:
            failed = "partly failed" if outcome.state == "partly-failed" else "failed"
            print(f"\n{outcome.flow} {failed} at {outcome.error['id']}: {outcome.error['message']}", file=self._stream)
        if outcome.response is not None:
            print(f"HTTP response: {outcome.response['statusCode']}: {outcome.response['body']}", file=self._stream)
        if outcome.outcome_unknown:
            print("Something may or may not have happened: check before you run it again.", file=self._stream)
        for started in outcome.started:
            self.outcome(started)

    def _line(self, text: str, end: str = "\n") -> None:
        write_line(self._stream, text, end)


_ROUND = re.compile(r"(.+?)\[(\d+)\]\.")
_MOST_FAILURES = 5


def loop_round(step: str) -> tuple[str, int] | None:
    """Return the outermost loop of a step and the number of its round; None for a step outside of loops."""
    found = _ROUND.match(step)
    return (found[1], int(found[2])) if found else None


class Rounds:
    """The rounds of a loop so far: how many have begun, and how steps failed, by code."""

    def __init__(self, loop: str) -> None:
        self.loop = loop
        self.failures: Counter[str] = Counter()
        self._begun: set[int] = set()

    def add(self, number: int, event: dict[str, Any]) -> bool:
        """Take note of an event of a round; whether it is one of the first failures, which are shown themselves."""
        self._begun.add(number)
        if event["event"] == "step" and "error" in event:
            self.failures[event["error"].get("reason") or event["error"]["code"]] += 1
            return self.failures.total() <= _MOST_FAILURES
        return False

    def summary(self) -> str:
        """Return ``everyone: 500 iterations, 3 steps failed (21211: 2, 21610: 1)``."""
        count = self.failures.total()
        codes = ", ".join(f"{code}: {number:,}" for code, number in self.failures.most_common())
        failed = f", {count:,} step{'s' * (count != 1)} failed ({codes})" if count else ""
        return f"{self.loop}: {len(self._begun):,} iteration{'s' * (len(self._begun) != 1)}{failed}"
