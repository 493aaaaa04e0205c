"""What happens to runs, in one place: the log lines of a run, and the observer that counts and traces.

Nothing here repeats what people wrote: runs are named by their ids, failures by their codes.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from twilio_component.durable.store.default_database import database_option
from twilio_component.host.trace_context import continue_trace

if TYPE_CHECKING:
    from twilio_component.durable.store.run_rows import Run
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.host.model import Operation

_LOGGER = logging.getLogger("twilio_component.runs")
_SUCCEEDED = "succeeded"
_WORDS = {"unknown": "is unknown", "partly-failed": "partly failed", "stopped": "stopped by itself"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended. ``step``, ``code`` and ``reason`` (the service's own code) say why it failed, else empty.

    ``detail`` is what can be told of the error without its message, which may repeat what people wrote.
    ``by_code`` counts the iterations of its loops that failed. ``seconds`` have passed since it was stored.
    """

    run: str
    flow: str
    state: str
    seconds: float
    step: str = ""
    code: str = ""
    reason: str = ""
    by_code: Mapping[str, int] = field(default_factory=dict)
    detail: str = ""


class _Begun(Protocol):
    """What is known of a run from its beginning."""

    @property
    def id(self) -> str: ...

    @property
    def flow(self) -> str: ...

    @property
    def created_at(self) -> float: ...


Finish = Callable[[Mapping[str, Any]], None]


def _ignore(_result: Mapping[str, Any]) -> None:
    """Ignore the result."""


class Observer:
    """Receives events of runs and sends. Every method does nothing here; none may raise or block."""

    def run_began(self, run: Run) -> None:
        """A run begins in this process, or continues in it."""

    def run_ended(self, end: RunEnd) -> None:
        """A run has ended."""

    def request_begins(self, run: str) -> None:
        """A request of a send of the run is written now."""

    def send_ended(self, sender: str, outcome: str, code: str) -> None:
        """A send has ended. ``sender`` is its name in the configuration.

        ``outcome``: ``sent``; ``found``, when it was looked for; ``failed`` with a ``code``; ``throttled``, when it
        comes again; ``unknown``.
        """

    def send_waited(self, reason: str, seconds: float) -> None:
        """A send has waited, for its turn or a hold, for this reason."""

    def webhook_received(self, flow: str, outcome: str, reason: str) -> None:
        """A webhook was ``accepted``, ``repeated``, or ``refused`` for this reason; ``flow`` is empty where none is."""

    def database_failed(self, kind: str) -> None:
        """The database was ``unavailable`` or ``busy``."""

    # Each block belongs to a trace, which `trace_context` hands on.

    def webhook_span(self, flow: str, traceparent: object) -> AbstractContextManager[object]:  # noqa: ARG002 - see above
        """Handle a webhook in the block; ``traceparent`` is its header of that name, or None."""
        return continue_trace(traceparent)

    def run_span(self, run: Run) -> AbstractContextManager[object]:
        """Execute a run, or an iteration of one, in the block."""
        return continue_trace(run.trace)

    def step_span(self, call: Call, operation: Operation | None) -> AbstractContextManager[Finish]:  # noqa: ARG002
        """Make a step's call in the block, which calls what it gets with the result: an envelope or a failure."""
        return nullcontext(_ignore)


def log_begin(run: Run, *, goes_on: bool) -> None:
    """Log that a run begins, or continues after it was interrupted or resumed."""
    verb = "continues" if goes_on else "begins"
    _LOGGER.info("run %s of %s %s", run.id, run.flow, verb, extra={"run": run.id, "flow": run.flow, "state": "running"})


def log_stop(run: Run) -> None:
    """Log that a run stops, because an operator has paused or cancelled it."""
    extra = {"run": run.id, "flow": run.flow, "state": "stopped"}
    _LOGGER.info("run %s of %s stops: it was paused or cancelled, or its list stopped", run.id, run.flow, extra=extra)


def log_end(end: RunEnd, database: str) -> None:
    """Log how a run ended, and of one that did not succeed which command says more, of the database with this URL."""
    extra = {
        "run": end.run,
        "flow": end.flow,
        "state": end.state,
        "step": end.step,
        "code": end.code,
        "reason": end.reason,
        "seconds": round(end.seconds, 3),
    }
    if end.state == _SUCCEEDED:
        _LOGGER.info("run %s of %s succeeded after %.1f s", end.run, end.flow, end.seconds, extra=extra)
        return
    state = _WORDS.get(end.state, end.state)
    where = f" at {end.step}" if end.step else ""
    counts = ", ".join(f"{code}: {count:,}" for code, count in end.by_code.items())
    why = (
        " ".join(part for part in (end.code, end.reason, f"({counts})" if counts else "", end.detail) if part)
        or "no code"
    )
    _LOGGER.warning(
        "run %s of %s %s%s after %.1f s: %s; `twilio-component runs show %s%s` says more",
        end.run,
        end.flow,
        state,
        where,
        end.seconds,
        why,
        end.run,
        database_option(database),
        extra=extra,
    )


def run_end(run: _Begun, state: str, error: Mapping[str, Any] | None, now: float) -> RunEnd:
    """Return the end of a run with the error that is stored with it."""
    known = error or {}
    return RunEnd(
        run=run.id,
        flow=run.flow,
        state=state,
        seconds=max(0.0, now - run.created_at),
        step=known.get("id", ""),
        code=known.get("code", ""),
        reason=known.get("reason", ""),
        by_code=known.get("byCode", {}),
        detail=_detail(known),
    )


def _detail(error: Mapping[str, Any]) -> str:
    """The part of an error's message that comes from the flow's definition: the reference, or the inputs' names."""
    message = str(error.get("message", ""))
    if error.get("code") == "flow-evaluation" and " has no value: " in message:
        return f"({message.partition(': ')[0]})"
    if error.get("code") == "input-invalid":
        names = dict.fromkeys(re.findall(r"\$\.inputs\.\w+", message))
        return f"({', '.join(names)})" if names else ""
    return ""
