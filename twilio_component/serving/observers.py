"""The observer of a process: what counts and what traces, each where its extra is installed."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from twilio_component.durable.observation import Finish, Observer, RunEnd

if TYPE_CHECKING:
    from twilio_component.durable.store.run_rows import Run
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.host import Host
    from twilio_component.host.model import Operation


class CombinedObserver(Observer):
    """Tells ``counting`` what is counted, and lets ``tracing`` make the spans."""

    def __init__(self, counting: Observer, tracing: Observer) -> None:
        self._counting = counting
        self._tracing = tracing

    def run_began(self, run: Run) -> None:
        """Tell what counts."""
        self._counting.run_began(run)

    def run_ended(self, end: RunEnd) -> None:
        """Tell what counts."""
        self._counting.run_ended(end)

    def request_begins(self, run: str) -> None:
        """Tell what counts."""
        self._counting.request_begins(run)

    def send_ended(self, sender: str, outcome: str, code: str) -> None:
        """Tell what counts."""
        self._counting.send_ended(sender, outcome, code)

    def send_waited(self, reason: str, seconds: float) -> None:
        """Tell what counts."""
        self._counting.send_waited(reason, seconds)

    def webhook_received(self, flow: str, outcome: str, reason: str) -> None:
        """Tell what counts."""
        self._counting.webhook_received(flow, outcome, reason)

    def database_failed(self, kind: str) -> None:
        """Tell what counts."""
        self._counting.database_failed(kind)

    def webhook_span(self, flow: str, traceparent: object) -> AbstractContextManager[object]:
        """Let what traces make the span."""
        return self._tracing.webhook_span(flow, traceparent)

    def run_span(self, run: Run) -> AbstractContextManager[object]:
        """Let what traces make the span."""
        return self._tracing.run_span(run)

    def step_span(self, call: Call, operation: Operation | None) -> AbstractContextManager[Finish]:
        """Let what traces make the span."""
        return self._tracing.step_span(call, operation)


def trace_host(host: Host, counting: Observer) -> Observer:
    """Return an observer that counts, and with the extra ``otel`` makes spans too, also for requests of the host."""
    tracing = Observer()
    with suppress(ModuleNotFoundError):
        from twilio_component.serving.tracing import Tracing  # of an extra

        spans = tracing = Tracing()
        host.wrap_transport(spans.trace_requests)
    return CombinedObserver(counting, tracing)
