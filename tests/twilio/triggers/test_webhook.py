"""The ``webhook`` trigger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest

from twilio_component.host.context import Context
from twilio_component.twilio.signatures.verification import WebhookRefusedError, body_sha256, sign
from twilio_component.twilio.triggers.webhook import receive

ROOT = Path(__file__).parents[3]
EXAMPLE = json.loads((ROOT / "fixtures/payloads/webhook.json").read_text())
SCHEMA = json.loads((ROOT / "schemas/payload.schema.json").read_text())

URL = "https://hooks.example.com/trigger/flow-1"
TOKEN = "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f"
OTHER = "2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e"
FORM_TYPE = "application/x-www-form-urlencoded"
MESSAGE = [("From", "+15558675310"), ("Body", " Hi "), ("FromCity", ""), ("Tag", "a"), ("Tag", "b"), ("Tag", "c")]


async def received(
    payload: dict[str, Any], inputs: dict[str, Any] | None = None, context: Context | None = None
) -> Any:
    return await receive(context or Context(), payload, {"authToken": TOKEN} if inputs is None else inputs)


async def refusal(payload: dict[str, Any], inputs: dict[str, Any] | None = None) -> str:
    with pytest.raises(WebhookRefusedError) as caught:
        await received(payload, inputs)
    return str(caught.value)


def posted(params: list[tuple[str, str]], *, token: str = TOKEN, url: str = URL, **more: Any) -> dict[str, Any]:
    return {
        "headers": {"X-Twilio-Signature": sign(token, url, params), "Content-Type": FORM_TYPE},
        "rawBody": {"data": urlencode(params).encode()},
        "invokeUrl": url,
        **more,
    }


async def test_a_form_becomes_parameters_with_blanks_kept_and_repeated_ones_as_lists() -> None:
    payload = await received(posted(MESSAGE))
    assert payload["body"] == {
        "data": {"From": "+15558675310", "Body": " Hi ", "FromCity": "", "Tag": ["a", "b", "c"]},
        "contentType": FORM_TYPE,
    }
    assert payload["rawBody"] == {"data": urlencode(MESSAGE).encode()}


async def test_the_raw_body_may_be_bytes_a_buffer_object_or_text() -> None:
    raw = urlencode(MESSAGE)
    buffer = {"type": "Buffer", "data": list(raw.encode())}
    for data in (raw.encode(), bytearray(raw.encode()), buffer, raw):
        payload = posted(MESSAGE)
        payload["rawBody"] = {"data": data, "contentType": FORM_TYPE}
        assert (await received(payload))["rawBody"] == {"data": raw.encode(), "contentType": FORM_TYPE}


async def test_the_type_of_the_raw_body_stands_in_for_a_missing_header() -> None:
    payload = posted([], url=f"{URL}?bodySHA256={body_sha256(b'[1]')}")
    del payload["headers"]["Content-Type"]
    payload["rawBody"] = {"data": b"[1]", "contentType": "application/json"}
    assert (await received(payload))["body"] == {"data": [1], "contentType": "application/json"}


async def test_only_headers_raw_body_and_invoke_url_are_needed_and_the_rest_comes_from_the_context() -> None:
    context = Context(
        webhook_urls={"Flow 1": URL},
        webhook_api_keys={"Flow 1": ["abc-123"]},
        customer={"name": "John Doe"},
        execution_id="e-1",
        started_at="2026-01-01T00:00:00.000Z",
        flow={"name": "Flow 1"},
    )
    payload = await received(posted(MESSAGE), context=context)
    assert list(payload)[:7] == list(EXAMPLE["payload"])
    assert payload["webhookUrls"] == {"Flow 1": URL}
    assert payload["webhookApiKeys"] == {"Flow 1": ["abc-123"]}
    assert payload["customer"] == {"name": "John Doe"}
    assert (payload["method"], payload["executionId"], payload["invokeUrl"]) == ("POST", "e-1", URL)
    assert payload["queryParameters"] is None
    assert set(payload) == set(SCHEMA["properties"])


async def test_what_the_payload_brings_wins_over_the_context_and_null_does_not() -> None:
    brought: dict[str, Any] = {
        "customer": {"name": "Ours"},
        "method": "POST",
        "queryParameters": {"a": "1"},
        "flow": None,
    }
    payload = await received(
        posted(MESSAGE, **brought), context=Context(customer={"name": "Theirs"}, flow={"name": "F"})
    )
    assert payload["customer"] == {"name": "Ours"}
    assert payload["queryParameters"] == {"a": "1"}
    assert payload["flow"] == {"name": "F"}


async def test_a_body_that_the_payload_brings_is_not_believed() -> None:
    payload = await received(posted(MESSAGE, body={"data": {"Body": "forged"}}))
    assert payload["body"]["data"]["Body"] == " Hi "


async def test_a_get_has_its_parameters_in_the_query() -> None:
    url = f"{URL}?{urlencode(MESSAGE)}#rc=3"
    payload = {
        "headers": {"x-twilio-signature": sign(TOKEN, url)},
        "rawBody": {},
        "invokeUrl": url,
        "method": "GET",
    }
    result = await received(payload)
    assert result["queryParameters"]["Tag"] == ["a", "b", "c"]
    assert result["queryParameters"]["FromCity"] == ""
    assert result["body"] == {}


async def test_json_is_read_once_its_hash_is_verified() -> None:
    body = b'{"text": "Hi", "n": [1.5]}'
    url = f"{URL}?bodySHA256={body_sha256(body)}"
    headers = {"X-Twilio-Signature": sign(TOKEN, url), "Content-Type": "application/json; charset=utf-8"}
    payload = {"headers": headers, "rawBody": {"data": body}, "invokeUrl": url}
    assert (await received(payload))["body"]["data"] == {"text": "Hi", "n": [1.5]}
    assert "bodySHA256" in await refusal({**payload, "rawBody": {"data": body + b" "}})
    assert "no signature covers" in await refusal({**payload, "invokeUrl": URL})


@pytest.mark.parametrize("body", [b"Example", b"[NaN]", b"[1e999]", b"\xff", b"[" * 100_000], ids=repr)
async def test_a_body_that_is_not_json_stays_raw(body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    payload = await received(
        {"headers": headers, "rawBody": {"data": body}, "invokeUrl": URL}, {"validateSignature": False}
    )
    assert payload["body"] == {}
    assert payload["rawBody"]["data"] == body


async def test_a_body_of_another_type_stays_raw() -> None:
    payload = {"headers": {"Content-Type": "text/plain"}, "rawBody": {"data": "Hi"}, "invokeUrl": URL}
    assert (await received(payload, {"validateSignature": False}))["body"] == {}


async def test_bytes_that_are_no_text_become_text_that_json_can_say() -> None:
    payload = {
        "headers": {"Content-Type": FORM_TYPE},
        "rawBody": {"data": b"a=%FF&\xff=1"},
        "invokeUrl": f"{URL}?q=%FF",
    }
    result = await received(payload, {"validateSignature": False})
    assert result["body"]["data"] == {"a": "\ufffd", "\ufffd": "1"}
    assert result["queryParameters"] == {"q": "\ufffd"}


async def test_the_documented_example_comes_out_as_it_is_documented() -> None:
    request = {**EXAMPLE["payload"], "invokeUrl": URL}
    payload = await received(request, {"validateSignature": False})
    payload["rawBody"]["data"] = {"type": "Buffer", "data": list(payload["rawBody"]["data"])}
    documented = {key: payload[key] for key in EXAMPLE["payload"]}
    assert json.dumps(documented) == json.dumps(EXAMPLE["payload"])
    jsonschema.validate(payload, SCHEMA)
    jsonschema.validate(EXAMPLE["payload"], SCHEMA)


@pytest.mark.parametrize(
    "inputs",
    [
        {"authToken": TOKEN},
        {"authToken": OTHER, "secondaryAuthToken": TOKEN},
        {"authToken": TOKEN, "secondaryAuthToken": OTHER},
        {"secondaryAuthToken": TOKEN},
        {"twilioConnection": {"key": "basic", "fields": {"username": "AC1", "password": TOKEN}}},
        {"twilioConnection": {"key": "apiKeySecret", "fields": {"apiSecret": OTHER, "authToken": TOKEN}}},
        {"twilioConnection": {"key": "basic", "fields": {"password": TOKEN}}, "authToken": OTHER},
    ],
)
async def test_any_of_the_given_auth_tokens_verifies(inputs: dict[str, Any]) -> None:
    assert (await received(posted(MESSAGE), inputs))["body"]["data"]["Tag"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"validateSignature": True},
        {"validateSignature": None},
        {"validateSignature": 0},
        {"authToken": " ", "secondaryAuthToken": ""},
        {"twilioConnection": None},
        {"twilioConnection": {"key": "apiKeySecret", "fields": {"apiKey": "SK1", "apiSecret": TOKEN}}},
    ],
)
async def test_without_an_auth_token_everything_is_refused_and_the_refusal_names_the_input(
    inputs: dict[str, Any],
) -> None:
    text = await refusal(posted(MESSAGE), inputs)
    assert "Set the input authToken" in text
    assert "validateSignature: false" in text


async def test_a_signature_by_another_token_is_refused() -> None:
    assert "does not match" in await refusal(posted(MESSAGE, token=OTHER))


async def test_only_an_explicit_false_skips_the_check() -> None:
    payload = await received(posted(MESSAGE, token=OTHER), {"validateSignature": False})
    assert payload["body"]["data"]["Body"] == " Hi "


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"headers": None}, "It needs headers and rawBody"),
        ({"headers": "x"}, "It needs headers and rawBody"),
        ({"rawBody": None}, "It needs headers and rawBody"),
        ({"rawBody": b"a=1"}, "It needs headers and rawBody"),
        ({"invokeUrl": None}, "It needs headers and rawBody"),
        ({"invokeUrl": 7}, "It needs headers and rawBody"),
        ({"method": ["POST"]}, "method is not text"),
        ({"method": "BREW"}, "neither GET nor POST"),
        ({"rawBody": {"data": 10**12}}, "neither bytes nor text"),
        ({"rawBody": {"data": {"type": "Buffer", "data": [256]}}}, "neither bytes nor text"),
        ({"rawBody": {"data": {"type": "Buffer", "data": [True]}}}, "neither bytes nor text"),
        ({"rawBody": {"data": {"type": "Buffer", "data": "ab"}}}, "neither bytes nor text"),
        ({"rawBody": {"data": {"type": "Blob", "data": [1]}}}, "neither bytes nor text"),
        ({"rawBody": {"data": "\ud800"}}, "does not match"),
    ],
)
async def test_a_payload_that_is_not_a_request_is_refused(change: dict[str, Any], words: str) -> None:
    assert words in await refusal(posted(MESSAGE, **change))
