"""A host asks for status callbacks only where it silences nobody's and can verify them."""

from __future__ import annotations

from typing import Any

import pytest

from twilio_component.testing import Harness
from twilio_component.twilio.callbacks import may_ask_for_callback
from twilio_component.twilio.signatures import WebhookRefusedError

ACCOUNT, CHILD = "AC" + "1" * 32, "AC" + "2" * 32
BASIC = {"username": ACCOUNT, "password": "token"}
KEY = {"accountSid": ACCOUNT, "apiKey": "SK" + "3" * 32, "apiSecret": "secret"}


@pytest.mark.parametrize(
    ("key", "fields", "more", "asks"),
    [
        ("basic", BASIC, {}, True),
        ("basic", BASIC, {"from": "+15017122661"}, True),
        ("basic", BASIC | {"accountSid": ACCOUNT}, {}, True),
        ("basic", BASIC | {"accountSid": CHILD}, {}, False),
        ("basic", BASIC | {"accountSid": CHILD, "authToken": "the child's"}, {}, True),
        ("basic", BASIC | {"accountSid": CHILD, "sharedKeys": "id=secret"}, {}, True),
        ("basic", BASIC, {"messagingServiceSid": "MG" + "1" * 32}, False),
        ("basic", BASIC, {"applicationSid": "AP" + "1" * 32}, False),
        ("basic", BASIC, {"messagingServiceSid": "", "applicationSid": None}, True),
        ("apiKeySecret", KEY, {}, False),
        ("apiKeySecret", KEY | {"authToken": "token"}, {}, True),
        ("apiKeySecret", KEY | {"sharedKeys": "id=secret"}, {}, True),
    ],
)
def test_where_a_callback_is_asked_for(key: str, fields: dict[str, Any], more: dict[str, Any], *, asks: bool) -> None:
    assert may_ask_for_callback({"twilioConnection": {"key": key, "fields": fields}, **more}) is asks


def test_without_a_connection_nothing_is_asked_for() -> None:
    assert not may_ask_for_callback({"to": "+15558675310"})


@pytest.mark.anyio
async def test_the_sub_accounts_own_token_verifies_its_webhooks() -> None:
    connection = {"key": "basic", "fields": BASIC | {"accountSid": CHILD, "authToken": "the child's own"}}
    async with Harness() as harness:
        for token in ("the child's own", "token"):
            await harness.webhook({"MessageSid": "SM1"}, auth_token=token, params={"twilioConnection": connection})
        with pytest.raises(WebhookRefusedError):
            await harness.webhook({"MessageSid": "SM1"}, auth_token="x", params={"twilioConnection": connection})
