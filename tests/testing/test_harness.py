"""The bundled harness and its pytest plugin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from twilio_component.emulator import Response, WebhookRequest
from twilio_component.host import Action, Context, DataSource, Display, HostStateError, Trigger
from twilio_component.testing import (
    BlockingHarness,
    Harness,
    RecordingLogger,
    connection_from_variable,
    create_connection,
    default_trigger_payload,
    emulator_connection,
    invoke,
    invoke_data_source,
    invoke_trigger,
)
from twilio_component.twilio.errors import RateLimitedError

SMS = {"to": "+15558675310", "from": "+15017122661", "message": "Hi"}
SHOWN = Display(label="Shown")


async def test_the_async_harness_sends_to_its_own_emulator(twilio_harness: Harness) -> None:
    async with twilio_harness as harness:
        await harness.action("sendSMS", SMS)
        bodies = [message.body for message in harness.emulator.messages]

    assert bodies == ["Hi"]


def test_waiting_between_attempts_moves_the_emulators_clock_and_takes_no_time(
    twilio_harness_blocking: BlockingHarness,
) -> None:
    emulator = twilio_harness_blocking.emulator
    emulator.faults.rate_limit(retry_after=20)
    before = emulator.clock.now()

    assert twilio_harness_blocking.action("sendSMS", SMS)["data"]["status"] == "queued"
    assert emulator.clock.now() - before >= 20


def test_a_connection_of_the_tests_own_is_not_replaced(twilio_harness_blocking: BlockingHarness) -> None:
    sid = "AC" + "f" * 32
    connection = create_connection("basic", {"username": sid, "password": "x"})
    sent = twilio_harness_blocking.action("sendSMS", {**SMS, "twilioConnection": connection})
    assert sent["data"]["accountSid"] == sid


async def test_a_transport_of_the_tests_own_replaces_the_emulator_and_needs_a_connection(
    twilio_connection: dict[str, Any],
) -> None:
    transport = httpx.MockTransport(
        lambda _request: httpx.Response(429, json={"code": 20429}, headers={"Retry-After": "99"})
    )
    async with Harness(transport=transport) as harness:
        with pytest.raises(RateLimitedError):
            await harness.action("sendSMS", {**SMS, "twilioConnection": twilio_connection})


async def test_an_operation_of_no_component_is_invoked_alone() -> None:
    async def double(context: Context, inputs: dict[str, Any]) -> int:
        context.logger.info("doubling %s", inputs["n"])
        number: int = inputs["n"]
        return 2 * number

    async def take(_context: Context, payload: dict[str, Any], _inputs: dict[str, Any]) -> Any:
        return payload["body"]["data"]

    async def offer(_context: Context, _inputs: dict[str, Any]) -> list[str]:
        return ["a"]

    inputs = {"type": "object", "additionalProperties": False, "properties": {"n": {"type": "integer"}}}
    logger = RecordingLogger()
    envelopes = [
        await invoke(
            Action(key="double", display=SHOWN, perform=double, inputs=inputs),
            {"n": "4"},
            context=Context(logger=logger),
        ),
        await invoke_trigger(Trigger(key="take", display=SHOWN, perform=take), {"body": {"data": 1}}),
        await invoke_data_source(DataSource(key="offer", display=SHOWN, perform=offer)),
    ]

    assert envelopes == [{"data": 8}, {"payload": 1}, {"result": ["a"]}]
    assert logger.messages == ["doubling 4"]


def test_the_default_payload_has_every_key_that_a_host_gives() -> None:
    keys = "headers queryParameters rawBody body pathFragment webhookUrls webhookApiKeys invokeUrl executionId customer"
    assert [*default_trigger_payload()] == [
        *keys.split(),
        "instance",
        "user",
        "integration",
        "flow",
        "startedAt",
        "globalDebug",
    ]


def test_a_connection_comes_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRISMATIC_CONNECTION_VALUE", '{"key": "basic", "fields": {}}')
    assert connection_from_variable() == {"key": "basic", "fields": {}}
    monkeypatch.setenv("MINE", "[]")
    with pytest.raises(ValueError, match="MINE must hold a connection"):
        connection_from_variable("MINE")
    with pytest.raises(KeyError):
        connection_from_variable("NOT_SET_ANYWHERE")


def test_installing_the_package_activates_the_fixtures_and_loads_nothing_until_one_is_used(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        """
import sys

HEAVY = {"aiohttp", "httpx", "jsonschema", "phonenumbers", "yaml", "twilio_component.host.host"}

def test_nothing_heavy_is_loaded():
    assert not HEAVY & set(sys.modules)

def test_a_fixture_works(twilio_harness_blocking, twilio_emulator, twilio_connection):
    twilio_harness_blocking.action("listMessages", {"twilioConnection": twilio_connection})
    assert twilio_harness_blocking.emulator is twilio_emulator
"""
    )
    # Other plugins of this environment may load what they like: only ours and pytest's own are asked for.
    arguments = ["-q", "-p", "twilio_component.testing.pytest_plugin", "test_it.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


class TestTheBlockingHarness:
    def test_its_host_is_a_blocking_host_that_sends_to_the_emulator(self) -> None:
        with BlockingHarness() as harness:
            inputs = {"twilioConnection": emulator_connection(), "to": "+15558675310", "from": "X", "message": "Hi"}
            sid = harness.host.invoke_action("twilio", "sendSMS", inputs)["data"]["sid"]
            assert [message.sid for message in harness.emulator.messages] == [sid]

    def test_it_has_everything_that_the_asynchronous_one_has(self) -> None:
        public = {name for name in dir(Harness("twilio")) if not name.startswith("_")} - {"component"}
        assert public <= set(dir(BlockingHarness))

    def test_webhooks_set_after_the_start_reach_a_function(self) -> None:
        bodies: list[bytes] = []

        def take(request: WebhookRequest) -> Response:
            bodies.append(request.body)
            return Response(200, b"<Response/>", {"content-type": "text/xml"})

        with BlockingHarness() as harness:
            harness.emulator.add_number("+15017122661", sms_url="https://example.com/sms")
            harness.emulator.send_webhooks_to(take)
            harness.run(harness.emulator.receive(to="+15017122661", sender="+15558675310", body="Hi"))
        assert b"Body=Hi" in bodies[0]

    def test_after_its_end_it_refuses(self) -> None:
        with BlockingHarness() as harness:
            pass
        with pytest.raises(HostStateError, match="this host is closed"):
            harness.action("estimateMessage", {"message": "Hi"})
