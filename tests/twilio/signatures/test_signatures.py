"""``X-Twilio-Signature``: known answers, and what a verifier must not do."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from twilio_component.host.errors import PerformError
from twilio_component.twilio.signatures.verification import (
    MAX_BODY_BYTES,
    WebhookRefusedError,
    body_sha256,
    sign,
    verify,
)

CASES = Path(__file__).parents[3] / "fixtures" / "signatures"
ACCEPTED = sorted((CASES / "accepted").glob("*.json"))
REFUSED = sorted((CASES / "refused").glob("*.json"))

URL = "https://example.com/hook"
TOKEN = "12345"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def run(case: dict[str, Any]) -> None:
    body = base64.b64decode(case["bodyBase64"]) if "bodyBase64" in case else case["body"].encode()
    keys = {"auth_tokens": case["authTokens"], "shared_keys": case.get("sharedKeys")}
    verify(case["url"], case["headers"], body, method=case["method"], **keys)


def refusal(url: str, headers: Any, body: bytes, **options: Any) -> str:
    with pytest.raises(WebhookRefusedError) as caught:
        verify(url, headers, body, **{"auth_tokens": TOKEN, **options})
    return str(caught.value)


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)
def test_a_request_with_a_known_good_signature_is_accepted(path: Path) -> None:
    run(json.loads(path.read_text()))


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_a_request_that_is_not_provably_twilios_is_refused_and_says_why(path: Path) -> None:
    case = json.loads(path.read_text())
    with pytest.raises(WebhookRefusedError) as caught:
        run(case)
    assert case["because"] in caught.value.explanation


def test_there_are_known_answers_of_both_kinds() -> None:
    assert len(ACCEPTED) > 20
    assert len(REFUSED) > 20


def test_sign_gives_the_documented_example_s_signature() -> None:
    params = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
        ("Caller", "+14158675309"),
    ]
    assert sign("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", params) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_sign_does_not_cover_the_fragment() -> None:
    assert sign(TOKEN, f"{URL}#rc=3&rp=all") == sign(TOKEN, URL)


def test_the_hash_of_a_body_is_the_hex_of_its_sha_256() -> None:
    assert body_sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_refusal_is_an_error_of_the_component_with_the_status_and_the_bland_text_a_server_answers() -> None:
    with pytest.raises(PerformError) as caught:
        verify(URL, {}, b"", auth_tokens=TOKEN)
    refused = caught.value
    assert isinstance(refused, WebhookRefusedError)
    assert (refused.code, refused.status, refused.retryable) == ("webhook-refused", 403, False)
    assert "X-Twilio-Signature" not in refused.public_text
    assert str(refused) == refused.explanation


def test_one_token_may_be_given_as_text_and_a_missing_second_one_as_none() -> None:
    headers = {**FORM, "X-Twilio-Signature": sign(TOKEN, URL, [("a", "1")])}
    verify(URL, headers, b"a=1", auth_tokens=TOKEN)
    verify(URL, headers, b"a=1", auth_tokens=[None, "", TOKEN])
    assert "no Auth Token" in refusal(URL, headers, b"a=1", auth_tokens=[None, None])


def test_headers_may_be_pairs_and_a_header_s_value_a_list() -> None:
    signature = sign(TOKEN, URL)
    verify(URL, [("x-twilio-signature", signature)], b"", auth_tokens=TOKEN)
    verify(URL, {"X-Twilio-Signature": [signature]}, b"", auth_tokens=TOKEN)  # type: ignore[arg-type]  # some servers do


def test_two_signature_headers_are_refused_even_when_one_of_them_is_right() -> None:
    pairs = [("X-Twilio-Signature", sign(TOKEN, URL)), ("x-twilio-signature", "x")]
    assert "more than one X-Twilio-Signature" in refusal(URL, pairs, b"")


def test_content_types_that_disagree_are_refused_since_the_reader_of_the_body_may_believe_the_other_one() -> None:
    pairs = [
        ("X-Twilio-Signature", sign(TOKEN, URL, [("a", "1")])),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("content-type", "application/json"),
    ]
    assert "disagree" in refusal(URL, pairs, b"a=1")


def test_a_body_without_a_content_type_has_to_be_signed_as_a_form() -> None:
    verify(URL, {"X-Twilio-Signature": sign(TOKEN, URL, [("a", "1")])}, b"a=1", auth_tokens=TOKEN)
    assert "does not match" in refusal(URL, {"X-Twilio-Signature": sign(TOKEN, URL)}, b'{"a": 1}')


@pytest.mark.parametrize(
    "url", ["", "x", "https://", "https:///hook", "http://[::1/", "http://h:port/", "ht\u017fp://h/"]
)
def test_a_url_that_is_not_valid_is_refused(url: str) -> None:
    assert "not an absolute http or https URL" in refusal(url, {"X-Twilio-Signature": sign(TOKEN, url)}, b"")


def test_a_url_of_lone_surrogates_or_without_end_is_refused() -> None:
    headers = {"X-Twilio-Signature": "x"}
    assert "an unpaired surrogate" in refusal("https://example.com/\ud800", headers, b"")
    assert "longer than" in refusal("https://example.com/" + "a" * 70_000, headers, b"")


def test_a_token_or_signature_of_lone_surrogates_is_not_a_crash() -> None:
    assert "does not match" in refusal(URL, {"X-Twilio-Signature": "\udcff"}, b"", auth_tokens="\ud800")


def test_a_megabyte_of_parameters_counts_to_the_last_one() -> None:
    params = [(f"name{number:06}", "x") for number in range(70_000)]
    body = "&".join(f"{name}={value}" for name, value in params).encode()
    assert len(body) > 900_000
    headers = {**FORM, "X-Twilio-Signature": sign(TOKEN, URL, params)}
    verify(URL, headers, body, auth_tokens=TOKEN)
    assert "too large to search" in refusal(URL, headers, body[:-1] + b"y")


def test_a_body_larger_than_any_webhook_is_refused_unread() -> None:
    headers = {**FORM, "X-Twilio-Signature": sign(TOKEN, URL)}
    assert f"longer than {MAX_BODY_BYTES}" in refusal(URL, headers, b"&" * (MAX_BODY_BYTES + 1))


def test_a_refusal_shows_no_secret_no_query_value_and_no_number() -> None:
    url = (
        "https://me:hunter2@example.com/from/%2B1%20555%20867%205310/+15558675310"
        "?key=topsecret&bare-secret&Body=Meet+me&15558675310=x"
    )
    headers = {**FORM, "X-Twilio-Signature": sign("other", url, [("Body", "Meet me at noon")])}
    text = refusal(url, headers, b"Body=Meet+me+at+noon")
    assert "https://…@example.com/from/%2B…/+…?key=…&…&Body=…&…=…" in text
    for hidden in ("hunter2", "topsecret", "bare-secret", "Meet", "867", TOKEN, headers["X-Twilio-Signature"]):
        assert hidden not in text


def test_a_refusal_stays_one_line_of_bearable_length_whatever_the_url_holds() -> None:
    url = "https://example.com/\n\x1b[31m" + "a" * 5000
    text = refusal(url, {"X-Twilio-Signature": "x"}, b"")
    assert text.isprintable()
    assert len(text) < 1000


def test_a_refused_type_is_named_only_when_it_is_a_plain_one() -> None:
    headers = {"X-Twilio-Signature": sign(TOKEN, URL), "Content-Type": "text/\x1b[31mplain"}
    assert "unknown type" in refusal(URL, headers, b"x")


def test_an_explanation_does_not_depend_on_headers_that_make_no_sense() -> None:
    for garbage in (
        {"Host": "a b:c"},
        {"Authorization": "Basic é"},
        {"Authorization": "Basic /w=="},
        {"Host": "[::1]:1"},
    ):
        assert "does not match" in refusal(URL + "?a=1&b", {"X-Twilio-Signature": "x", **garbage}, b"")


def test_an_explanation_may_be_a_change_in_the_way_back_from_decoding() -> None:
    cases = {
        "a path decoded once": ("https://example.com/a%20b", "https://example.com/a b"),
        "a path encoded once more": ("https://example.com/a b", "https://example.com/a%20b"),
        "a query decoded once": ("https://example.com/?a=%5Bx%5D", "https://example.com/?a=[x]"),
        "a query sorted by name": ("https://example.com/?b=1&a=2", "https://example.com/?a=2&b=1"),
        "a query without its blank parameters": ("https://example.com/?b=1&a=", "https://example.com/?b=1"),
        "an empty query": ("https://example.com/", "https://example.com/?"),
        "no user info": ("https://u:p@example.com/", "https://example.com/"),
    }
    for words, (seen, signed) in cases.items():
        assert f"matches with {words}: https://" in refusal(seen, {"X-Twilio-Signature": sign(TOKEN, signed)}, b"")


class FrameworkUrl:
    """As frameworks have one."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((URL, FORM, "Body=Hi"), "body must be the bytes of the request as they came, not str"),
        ((URL, FORM, {"Body": "Hi"}), "body must be the bytes of the request as they came, not dict"),
        ((FrameworkUrl(), FORM, b""), "url must be text, the whole URL .*, not FrameworkUrl"),
        ((URL, [(b"x-twilio-signature", b"abc")], b""), "headers must have text as names and values, not bytes"),
        ((URL, None, b""), "headers must be a mapping, or pairs of names and values, not NoneType"),
    ],
)
def test_an_argument_of_a_type_that_frameworks_have_is_named(arguments: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        verify(*arguments, auth_tokens=TOKEN)


def test_a_missing_environment_variable_is_no_auth_token() -> None:
    assert "there is no Auth Token" in refusal(URL, FORM, b"", auth_tokens=None)
