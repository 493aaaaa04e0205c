"""Whatever is asked, the emulator responds, with JSON that says what is wrong."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twilio_component.emulator import Emulator, Request
from twilio_component.emulator.api.router import ROUTES
from twilio_component.emulator.control.api import _HANDLERS

ACCOUNT = "AC" + "a" * 32
PARAMETERS = (
    *("To", "From", "Body", "MediaUrl", "StatusCallback", "MessagingServiceSid", "ContentSid", "ContentVariables"),
    *("SendAt", "ScheduleType", "ValidityPeriod", "Status", "Outcome", "FriendlyName", "PhoneNumber", "SmsUrl"),
    *("PageSize", "Page", "PageToken", "DateSent", "DateSent>", "Channel", "Code", "VerificationSid", "RateLimits"),
    *("CustomCode", "CodeLength", "Max", "Interval", "UniqueName", "Fields", "CountryCode", "PhoneNumberSid"),
)
_values = st.one_of(
    st.sampled_from(
        [
            *("", "0", "-1", "true", "+15558675310", "whatsapp:US.1", "sms", "email", "a@b.cc", "123456", "{}", "[]"),
            *("2026-01-31", "http://x/", "http://[", "VA" + "a" * 32, "MG" + "a" * 32, "HX" + "a" * 32, "PAZ", "\x00"),
        ]
    ),
    st.text(max_size=12),
)
_names = st.one_of(
    st.sampled_from(
        [ACCOUNT, "AC1", "SM" + "a" * 32, "VA" + "a" * 32, "+15558675310", "a@b.cc", "%", "%00", "x" * 300]
    ),
    st.text(min_size=1, max_size=8).map(lambda text: quote(text, safe="")),
)
_credentials = st.sampled_from([f"{ACCOUNT}:token", "SK" + "b" * 32 + ":secret", "AC1:x", ":", "x", ""])


async def respond(emulator: Emulator, request: Request) -> tuple[int, Any]:
    response = await emulator.handle(request)
    return response.status, json.loads(response.body) if response.body else None


@settings(deadline=None, max_examples=300)
@given(
    route=st.sampled_from(ROUTES),
    account=st.one_of(st.just(ACCOUNT), _names),
    names=st.lists(_names, min_size=4, max_size=4),
    fields=st.dictionaries(st.sampled_from(PARAMETERS), _values, max_size=6),
    credentials=_credentials,
    body=st.sampled_from(
        [None, b"\xff\xfe", b'{"types": {"x": 1}}', b'{"types": {"twilio/text": {"body": 1}}}', b"[]"]
    ),
)
def test_no_request_to_the_api_crashes(
    *, route: Any, account: str, names: list[str], fields: dict[str, str], credentials: str, body: bytes | None
) -> None:
    path = route.path
    for key, value in zip(("account", "message", "media", "service"), [account, *names[1:]], strict=True):
        path = path.replace("{" + key + "}", value)
    for key in ("number", "template", "verification", "limit", "bucket", "phone"):
        path = path.replace("{" + key + "}", names[0])
    form = urlencode(fields, errors="replace")
    headers = {"authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}
    request = Request(route.method, path, form, headers, form.encode() if body is None else body)
    status, content = asyncio.run(respond(Emulator(), request))
    assert status < 500 or status == 501
    if status >= 400 and route.name != "media.file":
        assert content["message"]


_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.sampled_from(["", "x", "+15017122661"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("abto"), inner, max_size=2)),
    max_leaves=4,
)
_KEYS = (
    *("to", "from", "body", "media", "parameters", "accountSid", "button", "location", "referral", "advance", "queued"),
    *("sid", "authToken", "apiKeys", "parentSid", "number", "smsUrl", "sim_swap", "fault", "times", "seconds", "code"),
    *("ending", "delay", "url", "method", "eventType", "id", "secret", "limit", "after", "nth", "status", "records"),
)


@settings(deadline=None, max_examples=300)
@given(
    path=st.sampled_from([path for path in _HANDLERS if path not in {"events", "webhooks"}]),
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    given_values=st.dictionaries(st.sampled_from(_KEYS), _json, max_size=5),
    likely=st.sampled_from(
        [
            {},
            {"to": "+15017122661", "from": "whatsapp:+15558675310"},
            {"fault": "drop"},
            {"fault": "apiError"},
            {"ending": "failed"},
            {"number": "+15017122661"},
            {"authToken": "t"},
        ]
    ),
)
def test_no_request_to_the_control_api_crashes(
    path: str, method: str, given_values: dict[str, Any], likely: dict[str, str]
) -> None:
    wanted = {**given_values, **likely}
    query = urlencode({name: str(value) for name, value in wanted.items()})
    path = path.replace("{sid}", "SM1").replace("{number}", "1")
    headers = {"content-type": "application/json"}
    request = Request(method, f"/_emulator/{path}", query, headers, json.dumps(wanted).encode())
    status, content = asyncio.run(respond(Emulator(), request))
    assert status < 500
    if status >= 400:
        assert content["error"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"types": {"twilio/text": {"body": 1}}},
        {"types": {"twilio/media": {"media": "http://x/"}}},
        {"types": {"twilio/text": {"body": "Hi"}}, "variables": {"1": 2}},
        {"types": {"twilio/text": {"body": "Hi"}}, "variables": ["1"]},
    ],
)
def test_a_template_that_could_not_be_sent_is_refused(api: Any, wanted: dict[str, Any]) -> None:
    refused = api.request("POST", "https://content.twilio.com/v1/Content", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (400, 20001)


@pytest.mark.parametrize("sid", ["AC1", "AC" + "g" * 32, "SK" + "a" * 32, "me"])
def test_an_account_that_cannot_exist_is_not_authenticated(api: Any, sid: str) -> None:
    refused = api.request("GET", f"/2010-04-01/Accounts/{sid}/Messages.json")
    assert (refused.status_code, refused.json()["code"]) == (401, 20003)
