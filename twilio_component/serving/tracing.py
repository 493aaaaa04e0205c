"""Traces, by OpenTelemetry's API alone (the extra ``otel``): users install and configure an SDK.

A span for each webhook, run, step and request. A run keeps the trace of its webhook wherever it continues. Attributes
follow OpenTelemetry's conventions for messaging and HTTP; none holds what people wrote, an address or a URL's path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry import propagate, trace
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode

from twilio_component.durable.observation import Finish, Observer
from twilio_component.host.http.messages import NotWrittenError, ResponseLostError
from twilio_component.host.trace_context import HEADER, continue_trace, current_trace

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from twilio_component.durable.store.run_rows import Run
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.host.http.messages import HttpTransport, Request, Response
    from twilio_component.host.model import Operation

_NAME = "twilio_component"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Tracing(Observer):
    """Makes the spans. The tracer is that of the provider which the process has set, if it has."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(_NAME)

    @contextmanager
    def webhook_span(self, flow: str, traceparent: object) -> Iterator[None]:
        """A request for the flow is handled, in the trace that its sender has begun."""
        with self._span(f"webhook {flow}", SpanKind.SERVER, {"twilio_component.flow": flow}, traceparent):
            yield

    @contextmanager
    def run_span(self, run: Run) -> Iterator[None]:
        """The run is executed in this process, in the trace of its webhook."""
        attributes = {"twilio_component.flow": run.flow, "twilio_component.run": run.id}
        with self._span(f"run {run.flow}", SpanKind.CONSUMER, attributes, run.trace):
            yield

    @contextmanager
    def step_span(self, call: Call, operation: Operation | None) -> Iterator[Finish]:
        """A step of the current run, or of the iteration that belongs to this trace."""
        attributes = {"twilio_component.step": call.id}
        creates = operation is not None and operation.reconciliation is not None
        if creates:
            attributes |= {
                "messaging.system": call.component,
                "messaging.operation.name": call.action,
                "messaging.operation.type": "send",
            }
        kind = SpanKind.PRODUCER if creates else SpanKind.INTERNAL
        with self._span(f"{call.component}.{call.action}", kind, attributes, None) as span:
            yield lambda value: _finish(span, value, operation)

    def trace_requests(self, transport: HttpTransport) -> HttpTransport:
        """Return the transport with a span for each request."""
        return _TracedTransport(transport, self._tracer)

    @contextmanager
    def _span(self, name: str, kind: SpanKind, attributes: Mapping[str, str], traceparent: object) -> Iterator[Span]:
        """A span below ``traceparent``, or below the current one for None."""
        if not _has_provider():  # the trace that others have begun is handed on
            with continue_trace(current_trace() if traceparent is None else traceparent):
                yield INVALID_SPAN
            return
        parent = None
        if traceparent is not None:
            with continue_trace(traceparent) as valid:
                parent = propagate.extract({HEADER: valid}) if valid else None
        with self._tracer.start_as_current_span(
            name, parent, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            headers: dict[str, str] = {}
            propagate.inject(headers)
            with continue_trace(headers.get(HEADER, "")):
                yield span


def _has_provider() -> bool:
    """Whether the process has set a provider; without one a span would do nothing, and cost as much as a step."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _finish(span: Span, value: Mapping[str, Any], operation: Operation | None) -> None:
    failure = value.get("failure")
    if failure is not None:
        span.set_attribute("error.type", failure.get("reason") or failure["code"])
        span.set_status(StatusCode.ERROR)
        return
    data = value.get("envelope", {}).get("data")
    if operation is not None and operation.reconciliation is not None and isinstance(data, Mapping):
        created = data.get(operation.reconciliation.identified_by)
        if isinstance(created, str):
            span.set_attribute("messaging.message.id", created)


class _TracedTransport:
    """A transport that makes a span for each request: its method, host and status."""

    def __init__(self, transport: HttpTransport, tracer: trace.Tracer) -> None:
        self._transport = transport
        self._tracer = tracer

    async def send(self, request: Request) -> Response:
        """Send the request; raises what the transport raises."""
        if not _has_provider():
            return await self._transport.send(request)
        method = request.method if request.method in _METHODS else "_OTHER"
        attributes = {"http.request.method": method, "server.address": urlsplit(request.url).hostname or ""}
        with self._tracer.start_as_current_span(
            method, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                response = await self._transport.send(request)
            except (NotWrittenError, ResponseLostError) as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 400:  # noqa: PLR2004 - HTTP's errors
                span.set_attribute("error.type", str(response.status))
                span.set_status(StatusCode.ERROR)
            return response

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()
