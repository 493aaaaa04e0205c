"""A flow's call as the guard sees it: what makes two calls one and the same to Twilio's list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from support.engine import HEAD, SEND

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.sending.guarded_call import GuardedFlowCall
from twilio_component.flows import Configuration
from twilio_component.flows.interpreter.effects import Call
from twilio_component.flows.interpreter.state import STORED_STATES
from twilio_component.host import Host
from twilio_component.host.errors import PerformError
from twilio_component.host.inputs.form import InputForm
from twilio_component.testing import emulator_connection

INPUTS = {"to": "+15558675310", "from": "+15017122661", "message": "hi"}


@asynccontextmanager
async def calls(transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[Any]:
    """Yields what makes a guarded send of some inputs."""
    async with Host.discover(transport=transport) as host:
        configuration = Configuration(config_vars={"Twilio": emulator_connection()})
        deployment = Deployment(host, configuration, {}, public_url="http://flows.test")
        definition = deployment.load("test.yaml", HEAD + SEND)
        flow = definition.integration.flows[0]
        payload = deployment.payload({}, definition, flow, "run", "2026-01-01T00:00:00.000Z")

        def guarded(inputs: dict[str, Any]) -> GuardedFlowCall:
            call = Call(
                id="send",
                name="Send",
                component="twilio",
                action="sendSMS",
                inputs={"twilioConnection": definition.values.by_name["Twilio"], **inputs},
                stored_state={name: {} for name in STORED_STATES},
            )
            operation = definition.invoker.operation(call)
            assert operation is not None
            return GuardedFlowCall(
                invoker=definition.invoker, flow=flow, call=call, payload=payload, operation=operation
            )

        yield guarded


@pytest.mark.parametrize(
    "inputs",
    [
        {**INPUTS, "to": "+1 (555) 867-5310"},
        {**INPUTS, "from": "+1 501 712 2661"},
        {**INPUTS, "statusCallback": "https://example.com/status"},
    ],
)
async def test_calls_that_the_list_cannot_tell_apart_have_one_fingerprint(inputs: dict[str, Any]) -> None:
    async with calls() as guarded:
        assert guarded(inputs).fingerprint == guarded(INPUTS).fingerprint


@pytest.mark.parametrize(
    "inputs",
    [
        {**INPUTS, "to": "+15558675311"},
        {**INPUTS, "from": "+15017122662"},
        {**INPUTS, "message": "ho"},
        {**INPUTS, "mediaUrl": ["https://example.com/a.png"]},
        {"to": INPUTS["to"], "messagingServiceSid": "MG" + "0" * 32, "message": "hi"},
    ],
)
async def test_calls_that_the_list_tells_apart_have_different_fingerprints(inputs: dict[str, Any]) -> None:
    async with calls() as guarded:
        assert guarded(inputs).fingerprint != guarded(INPUTS).fingerprint


async def test_media_count_by_their_number_and_a_service_counts_whatever_its_sender() -> None:
    service = {"to": INPUTS["to"], "messagingServiceSid": "MG" + "0" * 32, "message": "hi"}
    async with calls() as guarded:
        one, other = ({**INPUTS, "mediaUrl": [f"https://example.com/{name}.png"]} for name in "ab")
        assert guarded(one).fingerprint == guarded(other).fingerprint
        assert guarded({**service, "from": "+15017122661"}).fingerprint == guarded(service).fingerprint


async def test_one_attempt_is_one_request_however_long_twilio_asks_to_wait() -> None:
    requests: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(429, headers={"Retry-After": "1"}, json={"code": 20429, "message": "m", "status": 429})

    async with calls(httpx.MockTransport(refuse)) as guarded:
        with pytest.raises(PerformError) as error:
            await guarded(INPUTS).perform_once(5.0)
    assert (error.value.throttled, error.value.retry_after, len(requests)) == ("connection", 1.0, 1)


async def test_a_connection_that_was_never_made_was_not_sent() -> None:
    requests: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        raise httpx.ConnectError("refused", request=request)

    async with calls(httpx.MockTransport(refuse)) as guarded:
        with pytest.raises(PerformError) as error:
            await guarded(INPUTS).perform_once(5.0)
    assert (error.value.not_sent, error.value.retryable, error.value.may_have_happened) == (True, True, False)
    assert len(requests) == 1


@pytest.mark.parametrize("callback", ["", "https://flows.test/callbacks/send"])
async def test_the_inputs_of_a_call_are_checked_once(callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    def respond(request: httpx.Request) -> httpx.Response:
        written.append(request.content)
        return httpx.Response(201, json={"sid": "SM" + "0" * 32})

    checks: list[object] = []
    check = InputForm.collect

    def collect(form: InputForm, inputs: Any, problems: Any) -> dict[str, Any]:
        checks.append(form.place)
        return check(form, inputs, problems)

    monkeypatch.setattr(InputForm, "collect", collect)
    async with calls(httpx.MockTransport(respond)) as guarded:
        call = replace(guarded({**INPUTS, "to": "+1 (555) 867-5310"}), callback=callback)
        assert call.fingerprint == guarded(INPUTS).fingerprint
        checks.clear()
        call = replace(guarded({**INPUTS, "to": "+1 (555) 867-5310"}), callback=callback)
        assert call.contact is not None
        assert await call.perform_once(5.0)
    assert checks == [("inputs",)]
    assert b"To=%2B15558675310" in written[0]
    assert (b"StatusCallback=" in written[0]) == bool(callback)
