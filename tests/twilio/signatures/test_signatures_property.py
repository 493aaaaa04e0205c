"""The verifier against the official SDK's, and against garbage."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.signed_requests import MultiDict, Pairs, any_text, pairs_of_parameters, signed_and_seen
from twilio.request_validator import RequestValidator  # type: ignore[attr-defined, unused-ignore]

from twilio_component.twilio.signatures.verification import WebhookRefusedError, body_sha256, sign, verify

TOKEN = "12345678901234567890123456789012"
OTHER_TOKEN = "abcdefabcdefabcdefabcdefabcdefab"
FORM_TYPE = "application/x-www-form-urlencoded"


def accepts(url: str, signature: str, body: bytes, content_type: str, method: str = "POST") -> bool:
    headers = {"X-Twilio-Signature": signature, "Content-Type": content_type}
    try:
        verify(url, headers, body, auth_tokens=[TOKEN], method=method)
    except WebhookRefusedError:
        return False
    return True


@given(
    urls=signed_and_seen(),
    signed_pairs=pairs_of_parameters,
    other_pairs=st.one_of(st.none(), st.none(), pairs_of_parameters),
    token=st.sampled_from([TOKEN, TOKEN, TOKEN, OTHER_TOKEN]),
)
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_verdict_on_a_form_equals_the_official_sdk_s(
    urls: tuple[str, str], signed_pairs: Pairs, other_pairs: Pairs | None, token: str
) -> None:
    signed_url, seen_url = urls
    signature = sign(token, signed_url, signed_pairs)
    seen_pairs = signed_pairs if other_pairs is None else other_pairs
    expected = RequestValidator(TOKEN).validate(seen_url, MultiDict(seen_pairs), signature)
    assert accepts(seen_url, signature, urlencode(seen_pairs).encode(), FORM_TYPE) == expected
    if not seen_pairs:
        assert accepts(seen_url, signature, b"", FORM_TYPE, method="GET") == expected


@given(urls=signed_and_seen(), body=any_text, added=st.sampled_from(["", "", " "]))
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_verdict_on_json_equals_the_official_sdk_s(urls: tuple[str, str], body: str, added: str) -> None:
    digest = body_sha256(body.encode())
    signed, seen = (f"{url}{'&' if '?' in url else '?'}bodySHA256={digest}" for url in urls)
    signature = sign(TOKEN, signed)
    seen_body = body + added
    expected = RequestValidator(TOKEN).validate(seen, seen_body, signature)
    assert accepts(seen, signature, seen_body.encode(), "application/json") == expected


@given(st.text(max_size=30), pairs_of_parameters)
@settings(max_examples=300, deadline=None)
def test_signing_equals_the_official_sdk_s(path: str, pairs: Pairs) -> None:
    url = f"https://example.com/{path}"
    assume("#" not in url)
    assume(not any("\ud800" <= character <= "\udfff" for character in url))
    assert sign(TOKEN, url, pairs) == RequestValidator(TOKEN).compute_signature(url, MultiDict(pairs))


def _garbage(rng: random.Random, longest: int) -> bytes:
    alphabets = (b"&=%+;a'", bytes(range(256)), b"%0123456789abcdefg", b'{}[]":,\\u0')
    return bytes(rng.choices(rng.choice(alphabets), k=rng.randrange(longest)))


def _garbage_text(rng: random.Random, longest: int) -> str:
    ranges = ((0, 0x80), (0x20, 0x7F), (0, 0x110000), (0xD800, 0xE000))
    low, high = rng.choice(ranges)
    return "".join(chr(rng.randrange(low, high)) for _ in range(rng.randrange(longest)))


def _fuzzed_url(rng: random.Random) -> str:
    start = rng.choice(("https://", "http://", "HTTPS://", "https://example.com", "https://[", "https://u:p@h:", ""))
    return start + _garbage_text(rng, 40) + rng.choice(("", "?", "?bodySHA256=", "?a=%27'", "#x"))


def _fuzzed_headers(rng: random.Random) -> dict[str, Any]:
    types = (
        FORM_TYPE,
        "application/json",
        "text/plain",
        "multipart/form-data",
        _garbage_text(rng, 20),
        "",
        None,
        ["a", "b"],
    )
    headers: dict[str, Any] = {_garbage_text(rng, 10): _garbage_text(rng, 10) for _ in range(rng.randrange(3))}
    if rng.random() < 0.9:
        headers[rng.choice(("X-Twilio-Signature", "x-twilio-signature"))] = rng.choice(
            (_garbage_text(rng, 40), sign(OTHER_TOKEN, "https://example.com"), "", "=" * 28, None, b"bytes", 7)
        )
    if rng.random() < 0.9:
        headers["Content-Type"] = f"{rng.choice(types)}{rng.choice(('', '; charset=' + _garbage_text(rng, 8)))}"
    if rng.random() < 0.2:
        headers["Host"] = _garbage_text(rng, 12)
        headers["Authorization"] = "Basic " + _garbage_text(rng, 12)
    return headers


def test_8000_requests_of_garbage_are_refused_without_a_crash() -> None:
    rng = random.Random(20261124)  # noqa: S311  # idempotent, not secret
    for number in range(8000):
        longest = 1_000_000 if number % 1000 == 0 else 60
        with pytest.raises(WebhookRefusedError) as caught:
            verify(
                _fuzzed_url(rng),
                _fuzzed_headers(rng),
                _garbage(rng, longest),
                auth_tokens=rng.choice(([TOKEN], [TOKEN, OTHER_TOKEN[::-1]], [_garbage_text(rng, 8)], [], ["", None])),
                method=rng.choice(("POST", "POST", "GET", "PUT", _garbage_text(rng, 5))),
            )
        assert caught.value.explanation.isprintable()


def _meaning(body: bytes) -> set[tuple[str, str]]:
    """What a form says, by another parser: two bodies with one meaning have one signature."""
    return set(parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1"))


def test_2500_genuine_requests_are_accepted_and_refused_as_soon_as_a_byte_changes_their_meaning() -> None:
    rng = random.Random(42)  # noqa: S311  # idempotent, not secret
    for _ in range(2500):
        text = _garbage_text(rng, 30).encode("utf-8", "replace").decode()
        pairs = [("Body", text), ("From", "+15551234567"), ("Blank", "")]
        url = f"https://example.com/hook?x={rng.randrange(1000)}"
        signature = sign(TOKEN, url, pairs)
        body = bytearray(urlencode(pairs).encode())
        original = _meaning(bytes(body))
        assert accepts(url, signature, bytes(body), FORM_TYPE)
        assert not accepts(url + rng.choice(("1", "&", "&a=b")), signature, bytes(body), FORM_TYPE)
        body[rng.randrange(len(body))] = rng.randrange(256)
        assert accepts(url, signature, bytes(body), FORM_TYPE) == (_meaning(bytes(body)) == original)
