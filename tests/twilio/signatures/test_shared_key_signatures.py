"""Webhook shared keys against the official SDK's validator, and against senders that would choose key and algorithm."""

from __future__ import annotations

import base64
import hmac
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.signed_requests import MultiDict, Pairs, any_text, pairs_of_parameters, signed_and_seen
from twilio.request_validator import RequestValidator, get_signature_algorithm

from twilio_component.twilio.signatures.verification import (
    WebhookRefusedError,
    body_sha256,
    sign,
    sign_with_shared_key,
    verify,
)

TOKEN = "12345678901234567890123456789012"
OLD, NEW = "webhooks_sharedkey_01old", "webhooks_sharedkey_02new"
SHARED = {OLD: "the-old-secret", NEW: "the/new+secret=="}
SETTINGS = "X-Twilio-Webhooks-Signature-Settings"
FORM_TYPE = "application/x-www-form-urlencoded"
URL = "https://example.com/hook"
FORM: Pairs = [("Body", "Yes"), ("From", "+15558675310")]
BODY = urlencode(FORM).encode()


def accepts(
    url: str, headers: dict[str, str], body: bytes, content_type: str = FORM_TYPE, keys: Any = None, **options: Any
) -> bool:
    given_keys = {"auth_tokens": [TOKEN], "shared_keys": SHARED} if keys is None else keys
    try:
        verify(url, {**headers, "Content-Type": content_type}, body, **given_keys, **options)
    except WebhookRefusedError:
        return False
    return True


def refusal(headers: Any, *, url: str = URL, body: bytes = BODY, **keys: Any) -> str:
    with pytest.raises(WebhookRefusedError) as caught:
        verify(url, headers, body, **{"auth_tokens": TOKEN, "shared_keys": SHARED, **keys})
    return str(caught.value)


def signed_by(secret: str, digest: str, url: str, pairs: Pairs) -> str:
    """A signature that need not be one of Twilio's: any secret with any digest; the names are in order already."""
    text = url + "".join(name + value for name, value in pairs)
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), digest)).decode()


_header = st.sampled_from(
    [
        None,
        "",
        f"key={OLD},algorithm=HMAC_SHA256",
        f" algorithm = HMAC_SHA256 , key = {NEW} ",
        f"key={NEW},algorithm=hmac_sha256,version=2",
        f"key={OLD},algorithm=HMAC_SHA1",
        f"key={NEW},algorithm=HMAC_SHA512",
        f"key={OLD}",
        "key=webhooks_sharedkey_unknown,algorithm=HMAC_SHA256",
        "algorithm=HMAC_SHA256",
        "algorithm=HMAC_SHA1",
    ]
)
_secrets = st.sampled_from([TOKEN, *SHARED.values(), "a-stranger-s"])


def official(header: str | None, url: str, parameters: Any, signature: str) -> bool:
    """The SDK's verdict with the secret that its user would look up, and False where ours has to be stricter."""
    named = next((key for key in SHARED if header is not None and key in header), None)
    algorithm = get_signature_algorithm(header)
    if (algorithm.upper() == "HMAC_SHA256") != (named is not None) or (header and "unknown" in header):
        return False
    accepted: bool = RequestValidator(SHARED[named] if named else TOKEN).validate(url, parameters, signature, algorithm)
    return accepted


@given(
    urls=signed_and_seen(),
    signed_pairs=pairs_of_parameters,
    other_pairs=st.one_of(st.none(), st.none(), pairs_of_parameters),
    signer=st.tuples(_secrets, st.sampled_from(["HMAC_SHA256", "HMAC_SHA256", "HMAC_SHA1"])),
    header=_header,
)
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_verdict_on_a_form_equals_the_official_sdk_s_with_the_configured_key(
    urls: tuple[str, str],
    signed_pairs: Pairs,
    other_pairs: Pairs | None,
    signer: tuple[str, str],
    header: str | None,
) -> None:
    (signed_url, seen_url), (secret, algorithm) = urls, signer
    signature = RequestValidator(secret).compute_signature(signed_url, MultiDict(signed_pairs), algorithm)
    seen = signed_pairs if other_pairs is None else other_pairs
    headers = {"X-Twilio-Signature": signature} | ({} if header is None else {SETTINGS: header})
    expected = official(header, seen_url, MultiDict(seen), signature)
    assert accepts(seen_url, headers, urlencode(seen).encode()) == expected
    if not seen:
        assert accepts(seen_url, headers, b"", method="GET") == expected


@given(urls=signed_and_seen(), body=any_text, added=st.sampled_from(["", "", " "]), key=st.sampled_from([OLD, NEW]))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_verdict_on_json_equals_the_official_sdk_s_with_the_configured_key(
    urls: tuple[str, str], body: str, added: str, key: str
) -> None:
    digest = body_sha256(body.encode())
    signed, seen = (f"{url}{'&' if '?' in url else '?'}bodySHA256={digest}" for url in urls)
    headers = sign_with_shared_key(key, SHARED[key], signed)
    expected = RequestValidator(SHARED[key]).validate(seen, body + added, headers["X-Twilio-Signature"], "HMAC_SHA256")
    assert accepts(seen, headers, (body + added).encode(), "application/json") == expected


@given(st.text(max_size=30), pairs_of_parameters)
@settings(max_examples=300, deadline=None)
def test_signing_with_a_shared_key_equals_the_official_sdk_s(path: str, pairs: Pairs) -> None:
    url = f"https://example.com/{path}"
    assume("#" not in url)
    assume(not any("\ud800" <= character <= "\udfff" for character in url))
    headers = sign_with_shared_key(NEW, SHARED[NEW], url, pairs)
    expected = RequestValidator(SHARED[NEW]).compute_signature(url, MultiDict(pairs), "HMAC_SHA256")
    assert headers == {"X-Twilio-Signature": expected, SETTINGS: f"key={NEW},algorithm=HMAC_SHA256"}
    assert get_signature_algorithm(headers[SETTINGS]) == "HMAC_SHA256"


def test_both_keys_are_accepted_while_one_is_rotated_and_a_removed_one_no_more() -> None:
    by_old, by_new = (sign_with_shared_key(key, SHARED[key], URL, FORM) for key in (OLD, NEW))
    assert accepts(URL, by_old, BODY)
    assert accepts(URL, by_new, BODY)

    only_new = {"shared_keys": {NEW: SHARED[NEW]}}
    assert accepts(URL, by_new, BODY, keys=only_new)
    assert not accepts(URL, by_old, BODY, keys=only_new)


def test_shared_keys_alone_are_enough_and_then_no_request_of_the_auth_token_s_is_accepted() -> None:
    assert accepts(URL, sign_with_shared_key(OLD, SHARED[OLD], URL, FORM), BODY, keys={"shared_keys": SHARED})
    text = refusal({"X-Twilio-Signature": sign(TOKEN, URL, FORM)}, auth_tokens=())
    assert "has no X-Twilio-Webhooks-Signature-Settings header" in text
    assert "only shared keys are" in text


@pytest.mark.parametrize("blank", ["", " ", "\t\n", None])
def test_a_blank_secret_is_not_a_key(blank: Any) -> None:
    headers = {"X-Twilio-Signature": signed_by(blank or "", "sha256", URL, FORM)}
    headers[SETTINGS] = f"key={OLD},algorithm=HMAC_SHA256"
    assert "not among" in refusal(headers, shared_keys={OLD: blank})
    assert "no Auth Token to check" in refusal(headers, auth_tokens=(), shared_keys={OLD: blank})
    assert "no Auth Token to check" in refusal(headers, auth_tokens=(), shared_keys=None)


@pytest.mark.parametrize(
    ("header", "secret", "digest"),
    [
        (f"key={OLD},algorithm=HMAC_SHA1", SHARED[OLD], "sha1"),
        (f"key={OLD},algorithm=HMAC_MD5", SHARED[OLD], "md5"),
        (f"key={OLD}", SHARED[OLD], "sha1"),
        (None, SHARED[OLD], "sha1"),
        (None, TOKEN, "sha256"),
        ("algorithm=HMAC_SHA256", TOKEN, "sha256"),
        (f"key={OLD},algorithm=HMAC_SHA256", TOKEN, "sha256"),
        (f"key={OLD},algorithm=HMAC_SHA256", TOKEN, "sha1"),
        (f"key={OLD},algorithm=HMAC_SHA256", SHARED[NEW], "sha256"),
        ("key=,algorithm=HMAC_SHA256", "", "sha256"),
        ("key=mine,algorithm=HMAC_SHA256", "mine", "sha256"),
        (f"key={OLD},key={NEW},algorithm=HMAC_SHA256", SHARED[OLD], "sha256"),
        (f"key={OLD},algorithm=HMAC_SHA1,algorithm=HMAC_SHA256", SHARED[OLD], "sha256"),
    ],
)
def test_a_request_gains_nothing_by_naming_another_key_or_algorithm(
    header: str | None, secret: str, digest: str
) -> None:
    headers = {"X-Twilio-Signature": signed_by(secret, digest, URL, FORM)}
    assert not accepts(URL, headers if header is None else {**headers, SETTINGS: header}, BODY)


def test_a_repeated_settings_header_is_refused_even_when_both_are_right() -> None:
    headers = [*sign_with_shared_key(OLD, SHARED[OLD], URL, FORM).items()]
    assert "there is more than one" in refusal([*headers, headers[1]])


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (
            {"X-Twilio-Signature": sign_with_shared_key(NEW, SHARED[NEW], URL, FORM)["X-Twilio-Signature"]},
            f"it matches the shared key {NEW}, but something on the way has removed the {SETTINGS} header",
        ),
        (
            {**sign_with_shared_key(NEW, SHARED[NEW], URL, FORM), SETTINGS: f"key={OLD},algorithm=HMAC_SHA256"},
            f"it matches the shared key {NEW}, and not the key that the",
        ),
        (
            {**sign_with_shared_key(NEW, "x", URL, FORM), "X-Twilio-Signature": sign(TOKEN, URL, FORM)},
            "it matches the Auth Token, and not the key that the",
        ),
        (
            {**sign_with_shared_key(NEW, "x", URL), "X-Twilio-Signature": sign(SHARED[NEW], URL, FORM)},
            f"it matches the shared key {NEW} by an algorithm that this key is not used with",
        ),
        (sign_with_shared_key(NEW, SHARED[NEW], URL), "it matches this URL without parameters"),
        (
            sign_with_shared_key(NEW, SHARED[NEW], f"{URL}/", FORM),
            "it matches with a trailing slash: https://example.com/hook/",
        ),
        (sign_with_shared_key(NEW, "another", URL, FORM), f"the secret of the shared key {NEW} is probably not this"),
        (
            sign_with_shared_key("unknown", "x", URL, FORM),
            f"key unknown, which is not among the given ones ({OLD}",
        ),
        (sign_with_shared_key("a\x1b[31m b", "x", URL, FORM), "with the shared key …, which is not among"),
        (
            {"X-Twilio-Signature": "x", SETTINGS: f"key={OLD},algorithm=HMAC_SHA512"},
            "another algorithm than HMAC_SHA256",
        ),
        ({"X-Twilio-Signature": "x", SETTINGS: f"key={OLD}"}, "it names no algorithm"),
        ({"X-Twilio-Signature": "x", SETTINGS: "algorithm=HMAC_SHA256"}, "it names no key"),
        ({"X-Twilio-Signature": "x", SETTINGS: "key=a,key=b"}, "it names more than one key or algorithm"),
    ],
)
def test_a_refusal_says_which_key_would_have_matched_and_shows_no_secret(headers: dict[str, str], said: str) -> None:
    text = refusal(headers)
    assert said in text
    assert text.isprintable()
    for secret in (TOKEN, *SHARED.values(), headers["X-Twilio-Signature"]):
        assert len(secret) < 2 or secret not in text


def test_without_shared_keys_a_request_that_names_one_is_refused_with_the_remedy() -> None:
    text = refusal(sign_with_shared_key(OLD, SHARED[OLD], URL, FORM), shared_keys=None)
    assert "none of them is a shared key. Add it with its secret" in text
