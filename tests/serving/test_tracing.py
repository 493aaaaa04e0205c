"""Traces over two processes, read from the SDK's own exporter: one trace for a webhook and all that follows from it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.engine import TO

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.engine import Engine
from twilio_component.durable.observation import Observer
from twilio_component.durable.settings import Settings
from twilio_component.emulator import Emulator
from twilio_component.flows import Configuration
from twilio_component.host import Host
from twilio_component.host.trace_context import continue_trace, current_trace
from twilio_component.serving.endpoints import endpoints
from twilio_component.serving.observers import trace_host
from twilio_component.serving.webhook_handler import IncomingRequest, WebhookHandler
from twilio_component.testing import emulator_connection

if TYPE_CHECKING:
    from twilio_component.serving.endpoints import Endpoint

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
TEXT = "the words of the message"
FLOW = f"""\
name: Traced
requiredConfigVars:
  - {{key: Twilio, dataType: connection, connection: {{component: twilio, key: basic}}}}
flows:
  - name: Main
    steps:
      - {{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}}
      - {{name: Sleep, action: sleep.sleep, inputs: {{ms: {{type: value, value: 1500}}}}}}
      - name: Send
        action: twilio.sendSMS
        inputs:
          twilioConnection: {{type: configVar, value: Twilio}}
          to: {{type: reference, value: trigger.results.body.data.to}}
          from: {{type: value, value: "+15017122661"}}
          message: {{type: value, value: {TEXT}}}
      - name: Tell
        action: http.httpPost
        inputs: {{url: {{type: value, value: "https://crm.test/people/15558675310"}}}}
"""


class Wire(httpx.AsyncBaseTransport):
    """The emulator, and a CRM beside it that remembers the headers of its requests."""

    def __init__(self) -> None:
        self.emulator = Emulator()
        self.headers: list[httpx.Headers] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "crm.test":
            self.headers.append(request.headers)
            return httpx.Response(200, json={})
        return await self.emulator.transport.handle_async_request(request)


@pytest.fixture
def spans() -> Iterator[Any]:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER = provider  # it can be set once in a process, and tests are many
    yield exporter
    trace._TRACER_PROVIDER = before


@asynccontextmanager
async def process(folder: Path, wire: Wire) -> AsyncIterator[tuple[Engine, WebhookHandler, Endpoint]]:
    """What a serving process consists of; the database stays behind."""
    async with Host.discover(transport=wire) as host:
        observer = trace_host(host, Observer())
        configuration = Configuration(config_vars={"Twilio": emulator_connection()}, http_hosts=("crm.test",))
        deployment = Deployment(host, configuration, {}, public_url="http://flows.test")
        definition = deployment.load("flow.yaml", FLOW)
        url = f"sqlite:///{folder / 'runs.sqlite'}"
        async with Engine.open(deployment, url, Settings(), observer=observer) as engine:
            await engine.runs.define(definition.file, definition.text)
            (endpoint,) = endpoints(deployment, [definition]).values()
            yield engine, WebhookHandler(deployment, engine, observer=observer), endpoint


async def receive(folder: Path, wire: Wire, headers: dict[str, str]) -> str:
    """A process takes a webhook, and ends while its run sleeps."""
    async with process(folder, wire) as (_, handler, endpoint):
        body = f'{{"to": "{TO}"}}'.encode()
        request = IncomingRequest(
            "POST", endpoint.url_for_twilio, {"content-type": "application/json", **headers}, body
        )
        response = await handler.receive(endpoint, request)
        await asyncio.sleep(0.5)
        return response.headers["Execution-Id"]


async def go_on(folder: Path, wire: Wire, run: str) -> str:
    async with process(folder, wire) as (engine, _, _endpoint):
        ended = await engine.wait_for_outcome(run, 30)
        assert ended is not None
        return str(ended["state"])


def test_a_run_keeps_the_trace_of_its_webhook_when_another_process_continues_it(spans: Any, tmp_path: Path) -> None:
    wire = Wire()
    run = asyncio.run(receive(tmp_path, wire, {"traceparent": TRACEPARENT}))
    first = spans.get_finished_spans()
    assert "webhook Main" in {span.name for span in first}
    assert not wire.emulator.messages
    assert asyncio.run(go_on(tmp_path, wire, run)) == "succeeded"
    made = spans.get_finished_spans()
    assert {f"{span.context.trace_id:032x}" for span in made} == {TRACE}
    by_name = {span.name: span for span in made[len(first) :]}
    assert {"run Main", "twilio.sendSMS", "http.httpPost", "POST"} <= set(by_name)
    # Steps below the run, requests below their steps, and the run below the webhook, as far apart as they were.
    webhook = next(span for span in first if span.name == "webhook Main")
    assert f"{webhook.parent.span_id:016x}" == TRACEPARENT.split("-")[2]
    assert by_name["run Main"].parent.span_id == webhook.context.span_id
    send, posts = by_name["twilio.sendSMS"], [span for span in made if span.name == "POST"]
    assert send.parent.span_id == by_name["run Main"].context.span_id
    assert {span.parent.span_id for span in posts} == {
        send.context.span_id,
        by_name["http.httpPost"].context.span_id,
    }
    assert send.attributes["messaging.system"] == "twilio"
    assert send.attributes["messaging.operation.name"] == "sendSMS"
    assert send.attributes["messaging.message.id"] == wire.emulator.messages[0].sid
    assert {span.attributes["server.address"] for span in posts} == {"api.twilio.com", "crm.test"}
    (headers,) = wire.headers
    span_id = f"{by_name['http.httpPost'].context.span_id:016x}"
    assert headers["traceparent"] == f"00-{TRACE}-{span_id}-01"
    said = "\n".join(span.to_json() for span in made)
    for secret in (TO[1:], "15017122661", TEXT, "emulated-auth-token", "/people"):
        assert secret not in said


def test_a_failure_is_told_by_its_code(spans: Any, tmp_path: Path) -> None:
    wire = Wire()
    wire.emulator.faults.api_error(21610, operation="messages.create")
    run = asyncio.run(receive(tmp_path, wire, {}))
    assert asyncio.run(go_on(tmp_path, wire, run)) == "failed"
    send = next(span for span in spans.get_finished_spans() if span.name == "twilio.sendSMS")
    assert send.attributes["error.type"] == "21610"
    assert not send.status.is_ok
    assert not send.events  # exceptions say what people wrote


def test_without_a_library_for_traces_steps_hand_on_the_trace_of_the_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "twilio_component.serving.tracing", None)
    wire = Wire()
    run = asyncio.run(receive(tmp_path, wire, {"traceparent": TRACEPARENT}))
    assert asyncio.run(go_on(tmp_path, wire, run)) == "succeeded"
    (headers,) = wire.headers
    assert headers["traceparent"] == TRACEPARENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        TRACEPARENT.upper(),
        f"{TRACEPARENT}-more",
        f"ff{TRACEPARENT[2:]}",
        TRACEPARENT.replace(TRACE, "0" * 32),
    ],
)
def test_what_is_no_traceparent_is_none(text: str) -> None:
    with continue_trace(TRACEPARENT):
        with continue_trace(text):
            assert current_trace() == ""
        assert current_trace() == TRACEPARENT
