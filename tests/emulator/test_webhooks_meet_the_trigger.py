"""What the emulator signs, the official validator and the trigger accept; what was tampered with, neither does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from twilio.request_validator import RequestValidator, get_signature_algorithm

from twilio_component.emulator import Emulator
from twilio_component.emulator.http import Response
from twilio_component.twilio.signatures.verification import WebhookRefusedError

if TYPE_CHECKING:
    from twilio_component.emulator.webhooks.transports import WebhookRequest
    from twilio_component.testing.blocking import BlockingHarness

TO, FROM = "+15558675310", "+15017122661"
HOOK = "https://hooks.example.com/trigger/flow-1?tenant=it's%20a&b="
AUTH_TOKEN = "emulated-auth-token"


def webhooks(kind: str) -> list[WebhookRequest]:
    """What the emulator sends: an inbound message by POST or by GET, or the status callbacks of a message."""
    seen: list[WebhookRequest] = []

    def application(webhook: WebhookRequest) -> Response:
        seen.append(webhook)
        return Response(204)

    emulator = Emulator(webhooks=application)
    if kind == "status":
        emulator.add_service("S", [emulator.add_number(FROM, sms_url=HOOK)], status_callback=HOOK)
        asyncio.run(emulator.receive(to=FROM, sender=TO, body="HELP"))
        asyncio.run(emulator.clock.advance(5))
    else:
        emulator.add_number(FROM, sms_url=HOOK + "#rc=2", sms_method=kind)
        asyncio.run(emulator.receive(to=FROM, sender=TO, body="Grüße & ♥ = 1+1 ", media=[("image/png", b"x")]))
    return seen


def official(webhook: WebhookRequest) -> bool:
    signature = webhook.headers["X-Twilio-Signature"]
    accepted: bool = RequestValidator(AUTH_TOKEN).validate(webhook.url, dict(webhook.form), signature)
    return accepted


def trigger(harness: BlockingHarness, webhook: WebhookRequest, inputs: dict[str, Any] | None = None) -> Any:
    payload = {
        "method": webhook.method,
        "headers": webhook.all_headers,
        "rawBody": {"data": webhook.body},
        "invokeUrl": webhook.url,
    }
    return harness.trigger("webhook", payload, inputs)["payload"]


@pytest.mark.parametrize("kind", ["POST", "GET", "status"])
def test_a_signed_webhook_is_accepted_by_both(kind: str, twilio_harness_blocking: BlockingHarness) -> None:
    sent = webhooks(kind)
    assert sent
    for webhook in sent:
        assert official(webhook)
        payload = trigger(twilio_harness_blocking, webhook)
        if webhook.method == "POST":
            assert payload["body"]["data"] == dict(webhook.form)
        assert payload["queryParameters"]["tenant"] == "it's a"


def test_an_account_may_sign_with_a_shared_key_and_with_its_auth_token_again(
    twilio_harness_blocking: BlockingHarness,
) -> None:
    seen: list[WebhookRequest] = []

    def application(webhook: WebhookRequest) -> Response:
        seen.append(webhook)
        return Response(204)

    emulator = Emulator(webhooks=application)
    account = emulator.accounts.default_account()
    emulator.add_number(FROM, sms_url=HOOK)
    key_id, secret = account.sign_with_shared_key()
    asyncio.run(emulator.receive(to=FROM, sender=TO, body="Hi"))
    account.sign_with_auth_token()
    asyncio.run(emulator.receive(to=FROM, sender=TO, body="Hi"))

    with_key, with_token = seen
    settings = with_key.headers["X-Twilio-Webhooks-Signature-Settings"]
    assert settings == f"key={key_id},algorithm=HMAC_SHA256"
    signature = with_key.headers["X-Twilio-Signature"]
    algorithm = get_signature_algorithm(settings)
    assert RequestValidator(secret).validate(with_key.url, dict(with_key.form), signature, algorithm)
    inputs = {"sharedKeys": f"{key_id}={secret}"}
    assert trigger(twilio_harness_blocking, with_key, inputs)
    with pytest.raises(WebhookRefusedError):
        trigger(twilio_harness_blocking, with_key)
    assert "X-Twilio-Webhooks-Signature-Settings" not in with_token.headers
    assert official(with_token)
    assert trigger(twilio_harness_blocking, with_token, inputs)


def with_signature(webhook: WebhookRequest, signature: str) -> WebhookRequest:
    return replace(webhook, headers={**webhook.headers, "X-Twilio-Signature": signature})


@pytest.mark.parametrize(
    "tamper",
    [
        lambda webhook: replace(webhook, form=(*webhook.form, ("More", ""))),
        lambda webhook: replace(webhook, form=tuple((name, value or "x") for name, value in webhook.form)),
        lambda webhook: replace(webhook, form=webhook.form[1:]),
        lambda webhook: replace(webhook, url=webhook.url + "x"),
        lambda webhook: with_signature(webhook, webhook.headers["X-Twilio-Signature"][:-4] + "AAA="),
        lambda webhook: with_signature(webhook, ""),
    ],
    ids=["a parameter more", "a blank filled in", "a parameter less", "another URL", "another signature", "none"],
)
def test_a_tampered_webhook_is_accepted_by_neither(
    tamper: Callable[[WebhookRequest], WebhookRequest], twilio_harness_blocking: BlockingHarness
) -> None:
    (webhook,) = webhooks("POST")
    tampered = tamper(webhook)
    assert not official(tampered)
    with pytest.raises(WebhookRefusedError):
        trigger(twilio_harness_blocking, tampered)
