"""What logs and errors never show, over a whole run: secrets, message texts, phone numbers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx

from twilio_component.emulator import Emulator
from twilio_component.host import Host
from twilio_component.host.errors import IntegrationError
from twilio_component.testing import create_connection, signed_payload

if TYPE_CHECKING:
    import pytest

SID, KEY = "AC" + "a" * 32, "SK" + "b" * 32
SECRETS = ["Zq7-auth+token/of=mine", "Kp4-api+secret", "Vb2-webhook-token", "Hn5-shared=secret"]
TEXTS = ["Your diagnosis is ready, Mrs Lovelace", "Geheimnis"]
NUMBERS = ["6502530173", "5017122661", "5005550001", "5005550004"]
BASIC = create_connection("basic", {"username": SID, "password": SECRETS[0]})
API_KEY = create_connection(
    "apiKeySecret",
    {
        "accountSid": SID,
        "apiKey": KEY,
        "apiSecret": SECRETS[1],
        "authToken": SECRETS[2],
        "sharedKeys": f"k1={SECRETS[3]}",
    },
)
SMS = {"to": "+1 (650) 253-0173", "from": "+15017122661", "message": TEXTS[0]}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("sendSMS", SMS),
    ("sendSMS", {**SMS, "to": "+15005550001"}),
    ("sendSMS", {**SMS, "to": "+15005550004"}),
    ("sendSMS", {**SMS, "to": "650-253-01", "riskCheck": TEXTS[0], "validityPeriod": "6502530173"}),
    ("sendSMS", {**SMS, "message": TEXTS[0] * 100, "mediaUrl": ["not a url " + TEXTS[1]], "sendAt": TEXTS[1]}),
    ("getSMS", {"sid": "SM" + "0" * 32}),
    ("getSMS", {"sid": "+16502530173"}),
    ("listMessages", {"to": "+16502530173", "limit": 5}),
    ("deleteMessage", {"sid": "SM" + "0" * 32}),
    ("rawRequest", {"method": "GET", "url": "/Accounts.json"}),
    (
        "rawRequest",
        {
            "method": "POST",
            "url": f"/Accounts/{SID}/Messages.json",
            "formData": {"To": "+15005550001", "Body": TEXTS[1]},
        },
    ),
    ("rawRequest", {"method": "GET", "url": "https://elsewhere.example/+16502530173"}),
    ("rawRequest", {"method": "GET", "url": "/x", "headers": {"Authorization": SECRETS[0]}}),
]


def repeating(request: httpx.Request) -> httpx.Response:
    """A service whose words repeat what it was sent."""
    words = f"The 'To' number +16502530173 is wrong. '{TEXTS[0]}' \"{TEXTS[1]} for you\""
    if request.method == "GET":
        return httpx.Response(500, text=words)
    return httpx.Response(400, json={"code": 21211, "message": words, "status": 400})


def losing(_request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError(f"cut off after To=+16502530173&Body=…{SECRETS[0][:3]}")


async def _no_time(_seconds: float) -> None:
    return


async def run(*, debug: bool) -> list[str]:
    """Every call with both connections over several transports; the texts of the errors."""
    errors: list[str] = []

    async def call(transport: httpx.AsyncBaseTransport) -> None:
        async with Host.discover(transport=transport, sleep=_no_time, debug=debug) as host:
            for connection in (BASIC, API_KEY):
                for action, inputs in CALLS:
                    try:
                        await host.invoke_action("twilio", action, {"twilioConnection": connection, **inputs})
                    except IntegrationError as error:
                        errors.extend([str(error), repr(error)])
            said = {"From": "+16502530173", "Body": TEXTS[0]}
            requests = [signed_payload(said, auth_token=token) for token in (SECRETS[2], "another")]
            requests += [signed_payload(said, shared_key=key) for key in (("k1", "another"), ("k2", SECRETS[3]))]
            for payload in requests:
                try:
                    await host.invoke_trigger("twilio", "webhook", payload, {"twilioConnection": API_KEY})
                except IntegrationError as error:
                    errors.append(str(error))

    emulator = Emulator()
    emulator.accounts.declare(SID, SECRETS[0], api_keys={KEY: SECRETS[1]})
    for transport in (emulator.transport, httpx.MockTransport(repeating), httpx.MockTransport(losing)):
        await call(transport)
    return errors


async def test_no_error_and_no_log_record_shows_a_secret_a_text_or_a_number(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        shown = "\n".join([*await run(debug=False), caplog.text])

    assert len(shown) > 10_000
    for private in (*SECRETS, *TEXTS, *NUMBERS):
        assert private not in shown


async def test_debug_mode_shows_requests_and_answers_and_still_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="twilio_component"):
        await run(debug=True)

    shown = caplog.text
    assert f"→ POST https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json To=%2B16502530173" in shown
    assert "← HTTP 201 application/json" in shown
    assert TEXTS[0] in shown
    assert '"auth_token":"[hidden]"' in shown.replace('": "', '":"')
    for secret in SECRETS:
        assert secret not in shown
    assert BASIC_HEADER not in shown


BASIC_HEADER = httpx.BasicAuth(SID, SECRETS[0])._auth_header.removeprefix("Basic ")
