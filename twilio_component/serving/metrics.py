"""Metrics for Prometheus, from what the observer is told and from the database. Needs the extra ``metrics``.

A label has few values: names of flows and senders come from files of the deployment, and codes are numbers or short
words. Whatever else something is called counts as ``other``, so that neither a person nor a flood becomes a label.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.observation import Observer
from twilio_component.durable.operator.gauges import read_gauges

if TYPE_CHECKING:
    from twilio_component.durable.engine import Engine
    from twilio_component.durable.observation import RunEnd
    from twilio_component.durable.store.run_rows import Run

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_PREFIX = "twilio_component"
_OTHER = "other"
_MOST_VALUES = 100
_SAMPLE_SECONDS = 5.0
_MOST_STARTED = 10_000
_CODE = re.compile(r"\d{1,5}|[a-z][a-z-]{0,39}", re.ASCII)  # a phone number has more digits
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 14400, 86400)


class Metrics(Observer):
    """Counts what happens in this process. ``exposition`` reads what the database says of all of them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._flows, self._codes, self._senders = _Values(), _Values(_CODE), _Values()
        self._started: dict[str, tuple[str, float]] = {}
        self._sampled_at = float("-inf")
        self._ended = self._counter("runs_ended", "Runs that ended in this process", "flow", "state")
        self._seconds = self._histogram("run_seconds", "From when a run was stored to its end", "flow")
        self._first = self._histogram(
            "webhook_to_request_seconds", "From when a run was stored to the first request that it sends", "flow"
        )
        self._sends = self._counter("sends", "Requests that send, by how they ended", "sender", "outcome", "code")
        self._waits = self._histogram("send_wait_seconds", "What sends waited for", "reason")
        self._webhooks = self._counter("webhooks", "Webhooks received", "flow", "outcome", "reason")
        self._failures = self._counter("database_errors", "Times that the database could not be used", "kind")
        self._open = self._gauge("open_runs", "Runs of all processes that are not over", "flow", "state")
        self._waiting = self._gauge("waiting_runs", "Open runs that wait, without a process, for something", "reason")
        self._held = self._gauge("held_iterations", "Iterations of lists that wait until they may send", "flow")
        self._ages = self._gauge(
            "queue_age_seconds", "How long the oldest work waits that no process has taken yet", "queue"
        )
        self._up = self._gauge("database_up", "Whether the database could be read for this response")
        self._lease = self._gauge("lease_age_seconds", "Since the database confirmed this process's lease")

    def run_began(self, run: Run) -> None:
        """Remember when the run was stored, until its first request."""
        if len(self._started) < _MOST_STARTED:
            self._started[run.id] = (run.flow, run.created_at)

    def run_ended(self, end: RunEnd) -> None:
        """Count the run."""
        self._started.pop(end.run, None)
        flow = self._flows.bound(end.flow)
        self._ended.labels(flow, end.state).inc()
        self._seconds.labels(flow).observe(end.seconds)

    def request_begins(self, run: str) -> None:
        """Measure how long the run's first request took to be written."""
        started = self._started.pop(run, None)
        if started is not None:
            flow, created_at = started
            self._first.labels(self._flows.bound(flow)).observe(max(0.0, time.time() - created_at))

    def send_ended(self, sender: str, outcome: str, code: str) -> None:
        """Count the send."""
        self._sends.labels(self._senders.bound(sender), outcome, self._codes.bound(code) if code else "").inc()

    def send_waited(self, reason: str, seconds: float) -> None:
        """Measure what sends wait for."""
        self._waits.labels(self._codes.bound(reason)).observe(seconds)

    def webhook_received(self, flow: str, outcome: str, reason: str) -> None:
        """Count the webhook."""
        name = self._flows.bound(flow) if flow else ""
        self._webhooks.labels(name, outcome, self._codes.bound(reason) if reason else "").inc()

    def database_failed(self, kind: str) -> None:
        """Count the failure."""
        self._failures.labels(kind).inc()

    async def exposition(self, engine: Engine) -> bytes:
        """Return all metrics in Prometheus's text format."""
        now = time.monotonic()
        if now - self._sampled_at > _SAMPLE_SECONDS:
            await self._sample(engine)
            self._sampled_at = now
        if engine.lease_age is not None:
            self._lease.set(engine.lease_age)
        return generate_latest(self._registry)

    async def _sample(self, engine: Engine) -> None:
        try:
            gauges = await read_gauges(engine.database)
        except StoreUnavailableError:
            # What was true a while ago must not be shown as if it were true now.
            self._up.set(0)
            self._clear()
            return
        self._up.set(1)
        self._clear()
        for (flow, state), count in gauges.open_runs.items():
            self._open.labels(self._flows.bound(flow), state).inc(count)
        for reason, count in gauges.waiting_runs.items():
            self._waiting.labels(reason).set(count)
        for flow, count in gauges.held_iterations.items():
            self._held.labels(self._flows.bound(flow)).inc(count)
        for queue, age in gauges.queue_ages.items():
            self._ages.labels(queue).set(age)

    def _clear(self) -> None:
        for gauge in (self._open, self._waiting, self._held, self._ages):
            gauge.clear()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", text, labels, registry=self._registry, buckets=_SECONDS)


class _Values:
    """The values of a label: at most a hundred, and only those that match."""

    def __init__(self, pattern: re.Pattern[str] | None = None) -> None:
        self._pattern = pattern
        self._known: set[str] = set()

    def bound(self, value: str) -> str:
        """Return the value, or ``other`` for one that is too many or does not match."""
        if value in self._known:
            return value
        if len(self._known) >= _MOST_VALUES or (self._pattern and not self._pattern.fullmatch(value)):
            return _OTHER
        self._known.add(value)
        return value
