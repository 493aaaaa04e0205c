"""Webhook requests as Twilio makes and signs them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from twilio_component.emulator.connection import EMULATOR_TOKEN
from twilio_component.twilio.signatures.forms import FORM_TYPE
from twilio_component.twilio.signatures.verification import (
    BODY_HASH_PARAMETER,
    SIGNATURE_HEADER,
    body_sha256,
    sign,
    sign_with_shared_key,
)

WEBHOOK_URL = "https://hooks.example.com/trigger/flow-1"


def signed_payload(
    parameters: Mapping[str, str | Sequence[str]] | None = None,
    *,
    url: str = WEBHOOK_URL,
    method: str = "POST",
    json_body: Any = None,
    auth_token: str = EMULATOR_TOKEN,
    shared_key: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """Return a trigger payload with a signed request of Twilio's: ``parameters`` as a form, or in the query of a GET.

    A sequence is a repeated parameter. ``json_body`` is posted as JSON instead, covered by its hash in the URL.
    ``shared_key``, the id and secret of a webhook shared key, signs instead of the Auth Token.
    """
    pairs = [
        (name, one)
        for name, value in (parameters or {}).items()
        for one in ([value] if isinstance(value, str) else value)
    ]
    body, signed, content_type = urlencode(pairs).encode(), pairs, FORM_TYPE
    if json_body is not None:
        body, signed, content_type = json.dumps(json_body).encode(), [], "application/json"
        url = _with_query(url, f"{BODY_HASH_PARAMETER}={body_sha256(body)}")
    elif method == "GET":
        url, body, signed = _with_query(url, urlencode(pairs)), b"", []
    if shared_key is None:
        signature = {SIGNATURE_HEADER: sign(auth_token, url, signed)}
    else:
        signature = sign_with_shared_key(*shared_key, url, signed)
    headers = {
        "Content-Type": content_type,
        **signature,
        "I-Twilio-Idempotency-Token": "00000000-0000-4000-8000-000000000000",
        "User-Agent": "TwilioProxy/1.1",
    }
    return {"headers": headers, "rawBody": {"data": body}, "invokeUrl": url, "method": method}


def _with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url
