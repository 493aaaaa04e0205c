"""The output of a running flow: a line a step on a terminal, JSON lines for a script."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any, Protocol

from twilio_component.cli.output import cell, write_line

if TYPE_CHECKING:
    from twilio_component.flows import Outcome


class View(Protocol):
    """Receives each event when it happens, and the outcome at the end."""

    def event(self, event: dict[str, Any]) -> None:
        """Show a step, a wait or a start."""

    def outcome(self, outcome: Outcome) -> None:
        """Show the outcome."""


def view_for(stream: IO[str]) -> View:
    """Return the view that suits ``stream``."""
    return TerminalView(stream) if stream.isatty() else JsonLines(stream)


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


class TerminalView:
    """One line a step, while it runs and when it has ended: its mark, id, action, duration and result."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def event(self, event: dict[str, Any]) -> None:
        """Show the event on a line, with its inputs on another if it has them."""
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
        for error in outcome.handled:
            self._line(f"!  {error['id']}: {cell(error['message'])} ({error['resolution']})")
        if outcome.error is None:
            print(f"\n{outcome.flow} succeeded:", file=self._stream)
            print(json.dumps(outcome.result, ensure_ascii=False, indent=2), file=self._stream)
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
