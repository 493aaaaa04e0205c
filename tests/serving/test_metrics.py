"""Metrics: true numbers in Prometheus's format, few values for each label, and nobody's number among them."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.ports import reserve_port
from support.serve_processes import AUTH_TOKEN, FLOW, SENDER, Deployment, inbound, post
from support.waiting import PATIENCE, until

from twilio_component.cli import exit_codes
from twilio_component.cli.main import main
from twilio_component.durable.observation import RunEnd
from twilio_component.host.manifest.documents import read_document
from twilio_component.serving import health_server
from twilio_component.serving.health_server import HealthServer

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
PREFIX = "twilio_component_"


@pytest.fixture(autouse=True)
def _the_extra_is_there() -> None:
    pytest.importorskip("prometheus_client")


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The values by name and labels, as Prometheus's own client reads them."""
    from prometheus_client.parser import text_string_to_metric_families  # of an extra

    return {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Scraped:
    """The metrics of a process, read again each time."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def text(self) -> str:
        response = httpx.get(f"{self.url}/metrics", timeout=20)
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return response.text

    def value(self, name: str, **labels: str) -> float | None:
        return samples(self.text()).get((name, frozenset(labels.items())))


def test_a_serving_process_counts_what_happened_and_names_nobody(
    emulator: Emulator, twilio: str, tmp_path: Path
) -> None:
    port = reserve_port()
    deployment = Deployment(tmp_path, twilio, timeout=8, options=["--health-port", str(port)])
    with deployment.configuration.open("a", encoding="utf-8") as configuration:
        configuration.write(f'senders: {{Marketing: "{SENDER}"}}\n')
    scraped = Scraped(port)
    with deployment.serving():
        assert httpx.get(f"{scraped.url}/readyz").json() == {"status": "ready"}
        for number in (1, 2, 1):
            post(deployment.webhook(), inbound(number, "the words"))
        until(lambda: scraped.value("runs_ended_total", flow="Reply", state="succeeded") == 2, "both have ended", 60)
        emulator.faults.api_error(21610, operation="messages.create")
        post(deployment.webhook(), inbound(3))
        until(lambda: scraped.value("runs_ended_total", flow="Reply", state="failed") == 1, "it has failed")
        emulator.faults.server_error(operation="messages.create", status=500)
        post(deployment.webhook(), inbound(4))
        until(lambda: scraped.value("runs_ended_total", flow="Reply", state="unknown") == 1, "it is unknown", 60)
        post(deployment.webhook(), inbound(5), token="another")
        httpx.get(f"{deployment.url()}/nowhere/{SENDER}")
        until(lambda: scraped.value("open_runs", flow="Reply", state="unknown") == 1, "the database says so too")
        assert httpx.get(f"{deployment.url()}/metrics").status_code == 404  # not where strangers are
        said = scraped.text()
    found = samples(said)

    def value(name: str, **labels: str) -> float | None:
        return found.get((name, frozenset(labels.items())))

    assert value("webhooks_total", flow="Reply", outcome="accepted", reason="") == 4
    assert value("webhooks_total", flow="Reply", outcome="repeated", reason="") == 1
    assert value("webhooks_total", flow="Reply", outcome="refused", reason="webhook-refused") == 1
    assert value("webhooks_total", flow="", outcome="refused", reason="no-flow") == 2
    assert value("sends_total", sender="Marketing", outcome="sent", code="") == 2
    assert value("sends_total", sender="Marketing", outcome="failed", code="21610") == 1
    assert value("sends_total", sender="Marketing", outcome="unknown", code="outcome-unknown") == 1
    assert value("webhook_to_request_seconds_count", flow="Reply") == 4
    assert (value("send_wait_seconds_count", reason="rate") or 0) >= 4
    assert value("queue_age_seconds", queue="runs") == 0
    assert value("database_up") == 1
    assert not re.search(r"\d{7,}", re.sub(r"_created\S* \S+|le=\S+|\} \S+", "", said))
    for secret in ("555867", SENDER[1:], "the words", AUTH_TOKEN):
        assert secret not in said


def test_a_worker_has_a_port_for_its_health_and_metrics(
    emulator: Emulator, twilio: str, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    port = reserve_port()
    deployment = Deployment(tmp_path, twilio, database=new_database())
    with deployment.serving():
        pass
    arguments = ["worker", "--config", str(deployment.configuration), "--database", deployment.database]
    worker = deployment._program([*arguments, "--health-port", str(port)], None)
    try:
        scraped = Scraped(port)

        def ready() -> bool:
            try:
                return httpx.get(f"{scraped.url}/readyz").is_success
            except httpx.TransportError:
                return False

        until(ready, "the worker is ready")
        age = scraped.value("lease_age_seconds")
        assert age is not None
        assert 0 <= age < 5
    finally:
        worker.terminate()
        assert worker.wait(PATIENCE) == 0
    assert f"health and metrics: {scraped.url}" in deployment.log()
    assert not emulator.messages


def test_labels_have_few_values_and_no_number_is_a_code() -> None:
    from twilio_component.serving.metrics import Metrics  # of an extra

    metrics = Metrics()
    for number in range(300):
        metrics.run_ended(RunEnd(run="r", flow=f"Flow {number}", state="failed", seconds=1.0))
        metrics.webhook_received("Reply", "refused", f"reason-{'x' * (number % 150)}")
    for code in ("+15558675310", "15558675310", "what somebody wrote", "Robert'); DROP TABLE", "21610"):
        metrics.send_ended("unnamed", "failed", code)
    from prometheus_client import generate_latest  # of an extra

    found = samples(generate_latest(metrics._registry).decode())
    flows = {dict(labels)["flow"] for name, labels in found if name == "runs_ended_total"}
    assert len(flows) <= 101
    assert "other" in flows
    codes = {dict(labels)["code"] for name, labels in found if name == "sends_total"}
    assert codes == {"other", "21610"}
    reasons = {dict(labels)["reason"] for name, labels in found if name == "webhooks_total"}
    assert len(reasons) <= 101


async def test_without_the_extra_the_port_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "twilio_component.serving.metrics", None)
    async with HealthServer(port=0).serving() as url, httpx.AsyncClient() as client:
        response = await client.get(f"{url}/metrics")
        assert (response.status_code, response.text) == (501, health_server.NO_METRICS)
        assert (await client.get(f"{url}/healthz")).json() == {"status": "up"}
        assert (await client.get(f"{url}/readyz")).status_code == 503


def test_a_health_port_in_use_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(FLOW, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(file), "--port", "0", "--health-port", str(port)]) == exit_codes.BAD_INPUT
    assert f"--health-port: cannot listen on port {port}" in capsys.readouterr().err


def families() -> dict[str, set[str]]:
    """The names that queries may use, with their labels."""
    from twilio_component.serving.metrics import Metrics  # of an extra

    found: dict[str, set[str]] = {}
    collectors: list[Any] = [*Metrics()._registry._collector_to_names]
    for collector in collectors:
        name, kind, labels = collector._name, collector._type, set(collector._labelnames)
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(kind, ("",))
        for suffix in suffixes:
            found[f"{name}{suffix}"] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def expressions() -> Iterator[str]:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for rule in rules():
        yield rule["expr"]


def rules() -> list[dict[str, Any]]:
    (group,) = read_document(MONITORING / "alerts.yaml").data["groups"]
    return list(group["rules"])


def test_the_dashboard_and_the_alerts_use_names_and_labels_that_exist() -> None:
    known = families()
    used: set[str] = set()
    for expression in expressions():
        for name, condition in re.findall(rf"({PREFIX}\w+)(?:{{([^}}]*)}})?", expression):
            assert name in known, expression
            used.add(name)
            assert set(re.findall(r"(\w+)\s*(?:=~|!=|=)", condition)) <= known[name], expression
        names = re.findall(rf"{PREFIX}\w+", expression)
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            grouped = {label.strip() for label in labels.split(",")} - {"instance", "job"}
            assert any(grouped <= known[name] for name in names), expression
    # Each metric is looked at somewhere.
    looked_at = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    all_names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in known}
    assert all_names - looked_at <= {f"{PREFIX}run_seconds"}


def test_each_alert_says_what_it_means_and_what_to_do() -> None:
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in ("warning", "critical")
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_the_page_of_the_metrics_lists_exactly_those_that_exist() -> None:
    page = (MONITORING.parent / "how-to" / "observe.md").read_text(encoding="utf-8")
    listed = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(rf"^\| `({PREFIX}\w+)` \| ([^|]*)\|", page, re.MULTILINE)
    }
    known = {re.sub(r"_(bucket|sum|count)$", "", name): labels - {"le"} for name, labels in families().items()}
    assert listed == known
