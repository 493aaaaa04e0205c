"""Traces, read from the SDK's own exporters: a webhook and all that follows from it are one, in whichever process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import httpx
import pytest
from support.engine import TO
from support.http_inbox import http_inbox
from support.serve_processes import Deployment as Processes
from support.waiting import until

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
TRACED_SERVE = "support.traced_serve"
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


def spans_in(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_webhook_of_a_killed_process_and_its_run_in_the_next_one_are_one_trace(
    emulator: Emulator, twilio: str, tmp_path: Path
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    with http_inbox() as crm:
        flow = FLOW.replace("https://crm.test", crm.url)
        deployment = Processes(tmp_path, twilio, flow=flow, program=TRACED_SERVE)
        with deployment.configuration.open("a", encoding="utf-8") as configuration:
            configuration.write("httpHosts: [127.0.0.1]\n")
        first = deployment.start({"SPANS": str(files[0])})
        deployment.wait_until_ready(first)
        url = f"{deployment.url()}/traced/main"
        assert httpx.post(url, json={"to": TO}, headers={"traceparent": TRACEPARENT}, timeout=20).is_success
        first.kill()
        first.wait()
        assert not emulator.messages
        with deployment.serving({"SPANS": str(files[1])}):
            until(lambda: not deployment.running(), "the run has ended")
        ((headers, _),) = crm.got
    (webhook,), made = spans_in(files[0]), spans_in(files[1])
    assert (webhook["name"], webhook["parent_id"]) == ("webhook Main", f"0x{TRACEPARENT.split('-')[2]}")
    assert {span["context"]["trace_id"] for span in (webhook, *made)} == {f"0x{TRACE}"}
    by_name = {span["name"]: span for span in made}
    # Requests below their steps, steps below the run, and the run below the webhook of the process that is gone.
    run, send, tell = (by_name[name] for name in ("run Main", "twilio.sendSMS", "http.httpPost"))
    assert run["parent_id"] == webhook["context"]["span_id"]
    assert {send["parent_id"], tell["parent_id"]} == {run["context"]["span_id"]}
    posts = {span["parent_id"]: span["attributes"] for span in made if span["name"] == "POST"}
    assert posts.keys() == {send["context"]["span_id"], tell["context"]["span_id"]}
    assert {attributes["http.response.status_code"] for attributes in posts.values()} == {201, 204}
    about = {name.removeprefix("messaging."): value for name, value in send["attributes"].items()}
    assert (about["system"], about["operation.name"], about["message.id"]) == (
        "twilio",
        "sendSMS",
        emulator.messages[0].sid,
    )
    assert headers["traceparent"] == f"00-{TRACE}-{tell['context']['span_id'][2:]}-01"
    said = "".join(file.read_text(encoding="utf-8") for file in files)
    for secret in (TO[1:], "15017122661", TEXT, "emulated-auth-token", "/people"):
        assert secret not in said


def test_a_failure_is_reported_by_its_code(spans: Any, tmp_path: Path) -> None:
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


def test_without_a_provider_no_span_is_made_and_the_trace_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = pytest.importorskip("opentelemetry.trace")
    from twilio_component.serving.tracing import Tracing

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.delenv("OTEL_PYTHON_TRACER_PROVIDER", raising=False)
    monkeypatch.setattr(trace.ProxyTracer, "start_as_current_span", None)  # to call it fails
    tracing, run, step = Tracing(), Mock(flow="Main", trace=None), Mock()
    with tracing.webhook_span("Main", TRACEPARENT), tracing.run_span(run), tracing.step_span(step, None) as finish:
        finish({"failure": {"code": "x"}})
        assert current_trace() == TRACEPARENT
    with tracing.webhook_span("Main", "no traceparent"):
        assert current_trace() == ""


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
def test_what_is_not_a_traceparent_is_none(text: str) -> None:
    with continue_trace(TRACEPARENT):
        with continue_trace(text):
            assert current_trace() == ""
        assert current_trace() == TRACEPARENT
