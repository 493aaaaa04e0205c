"""Nothing that people wrote, or by which they are reached, is in what is shown to operators and machines."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.conversations import US, conversing

from twilio_component.cli.log_output import JsonFormatter, TextFormatter
from twilio_component.cli.main import main
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.store.reader import Reader
from twilio_component.serving.observers import trace_host
from twilio_component.serving.operations.access import Access
from twilio_component.serving.operations.api import Api
from twilio_component.serving.operations.app import OperationsApp
from twilio_component.serving.operations.retries import Retries

if TYPE_CHECKING:
    from support.conversations import Phone

    from twilio_component.durable.engine import Engine
    from twilio_component.durable.observation import Observer

PATIENT, WRONG, LOST = "+15550004710", "+15550004711", "+15550004712"
TEXTS = ("lovelace", "your biopsy", "can you come", "my child is ill", "no answer of that kind")
SECRETS = ("emulated-auth-token", "hunter2-password")
DIGITS = tuple(number[-7:] for number in (PATIENT, US, WRONG, LOST))
FLOW = """\
name: Practice
requiredConfigVars:
  - {key: Twilio Connection, dataType: connection, connection: twilio.basic}
  - {key: Password, dataType: string}
flows:
  - name: Results
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Patients
        action: loop.loopOverItems
        concurrency: 2
        itemsFrom: {file: people.csv}
        steps:
          - name: Tell
            action: twilio.sendSMS
            inputs:
              twilioConnection: Twilio Connection
              to: "{{$patients.currentItem.phone}}"
              from: "+15017122661"
              message: "Dear {{$patients.currentItem.name}}, your biopsy is back"
      - name: Ask
        action: twilio.sendAndWait
        inputs:
          twilioConnection: Twilio Connection
          to: "{{$trigger.results.body.data.to}}"
          from: "+15017122661"
          message: Can you come on Friday?
          answerType: anything
          deadline: 60s
      - name: Report
        action: http.httpPost
        inputs: {url: "https://crm.test/{{#Password}}", data: "{{$ask.results.reply.body}}"}
  - name: Inbound
    steps:
      - {name: Trigger, isTrigger: true, action: twilio.inboundMessage, inputs: {twilioConnection: Twilio Connection}}
      - name: Wrong
        action: twilio.sendSMS
        inputs:
          twilioConnection: Twilio Connection
          to: "+15550004711"
          from: "+15017122661"
          message: "{{$trigger.results.message.body}}"
"""


@contextmanager
def spans() -> Iterator[Any]:
    """OpenTelemetry's own exporter, in memory."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, before = InMemorySpanExporter(), trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER = TracerProvider()
    trace._TRACER_PROVIDER.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    trace._TRACER_PROVIDER = before


async def happen(phone: Phone) -> list[str]:
    """A morning at the practice: messages that arrive, are refused or lost, a question, and a stranger."""
    for to in (WRONG, LOST):  # Twilio quotes what it was sent
        phone.emulator.faults.api_error(21211, message=f"'{to}' is wrong: 'your biopsy is back'", times=None, to=to)
    phone.emulator.add_number(US, sms_url=phone.urls["Inbound"])
    results = await phone.start("Results", {"to": PATIENT, "note": "Lovelace"})
    await phone.rests()
    await phone.write("my child is ill", them=PATIENT)
    await phone.ends(results)
    await phone.write("no answer of that kind", them=PATIENT)
    forged = await phone.client.post(phone.urls["Inbound"], data={"From": PATIENT, "Body": "my child is ill"})
    assert forged.status_code in (400, 401, 403)
    found = await RunViews(phone.engine.database).find(RunFilter())
    for run in found:
        await phone.ends(run["id"])
    return [run["id"] for run in found]


async def pages(engine: Engine, runs: list[str]) -> str:
    """Everything that the page reads."""
    reader = Reader(engine.database)
    operations = Operations(engine.database)
    api = Api(reader, operations, Retries(engine.database, operations), database="", version="")
    views = ("runs", "counts", "flows", "workers", "senders", "schedules", "webhooks", "session")
    of_run = ("run?id={}", "picture?id={}", "result?id={}&ordinal=0", "result?id={}&ordinal=8")
    items = [f"items?id={{}}&loop=1&state={state}" for state in ("failed", "succeeded", "unknown")]
    paths = [*views, *(path.format(run) for run in runs for path in (*of_run, *items))]
    transport = httpx.ASGITransport(app=OperationsApp(Access("127.0.0.1"), api).application())
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        read = [(await client.get(f"/api/{path}")).text for path in paths]
    reader.close()
    assert "What it means" not in "".join(read)
    assert '"21211"' in "".join(read)
    return "\n".join(read)


def commands(folder: Path, runs: list[str]) -> str:
    """What the command line prints of runs, and the errors of slips with a number or a text in them."""
    output = io.StringIO()
    words = [["list"], ["list", "--jsonl"], ["doctor"], ["show", "web-none"], ["retry", "--state", "failed"]]
    words += [[verb, run] for verb in ("show", "items", "follow", "resume") for run in runs]
    words += [["retry", run, "--resend"] for run in runs]
    with redirect_stdout(output), redirect_stderr(output):
        for one in words:
            main(["runs", *one, "--database", str(folder / "runs.sqlite")])
    assert "21211" in output.getvalue()
    return output.getvalue()


def test_logs_metrics_traces_page_and_commands_show_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    metrics_module = pytest.importorskip("twilio_component.serving.metrics", exc_type=ImportError)
    pytest.importorskip("opentelemetry.sdk")
    (tmp_path / "people.csv").write_text(f"name,phone\nAda Lovelace,{PATIENT}\nBo Lovelace,{WRONG}\nCy,{LOST}\n")
    file = tmp_path / "practice.yaml"
    file.write_text(FLOW, encoding="utf-8")
    metrics = metrics_module.Metrics()

    def observer_of(host: Any) -> Observer:
        return trace_host(host, metrics)

    caplog.set_level(logging.WARNING)
    caplog.set_level(logging.DEBUG, "twilio_component")

    async def play() -> tuple[list[str], dict[str, str]]:
        async with conversing(tmp_path, file, observer_of=observer_of, Password=SECRETS[1]) as phone:
            runs = await happen(phone)
            exposed = await metrics.exposition(phone.engine)
            return runs, {"metrics": exposed.decode(), "pages": await pages(phone.engine, runs)}

    with spans() as exporter:
        runs, shown = asyncio.run(play())
    shown["commands"] = commands(tmp_path, runs)
    shown["traces"] = "\n".join(span.to_json() for span in exporter.get_finished_spans())
    formatters = (TextFormatter(), JsonFormatter())
    shown["logs"] = "\n".join(one.format(record) for one in formatters for record in caplog.records)
    assert len(runs) == 2
    for what, text in shown.items():
        assert len(text) > 500, what
        found = [private for private in (*TEXTS, *SECRETS, *DIGITS) if private in text.casefold()]
        assert found == [], f"{what}: {found}\n{text}"
    assert json.loads(shown["logs"].splitlines()[-1])
