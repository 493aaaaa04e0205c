"""``X-Twilio-Signature``: made, and verified.

An application's own server needs three lines::

    from twilio_component.signatures import WebhookRefusedError, verify

    verify(url, request.headers, raw_body, auth_tokens=[token])  # raises WebhookRefusedError: answer with its status

``url`` is the one Twilio was given, ``raw_body`` the bytes as they came. The signature is the base64 of an HMAC-SHA1
under the account's Auth Token over the URL, followed by the name and value of every form parameter, sorted. Other
bodies are covered by their hash, which stands in the URL as ``bodySHA256``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from twilio_component.forms import FORM_TYPE, Pair, parse_form
from twilio_component.host.errors import PerformError
from twilio_component.webhook_url import WebhookUrl

if TYPE_CHECKING:
    from collections.abc import Sequence

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

SIGNATURE_HEADER = "X-Twilio-Signature"
BODY_HASH_PARAMETER = "bodySHA256"
# Twilio's webhooks are a few kilobytes, its batches of events below a megabyte. Sorting the worst that fits into this
# takes less than a second, whoever sends it.
MAX_BODY_BYTES = 5 * 1024 * 1024 // 4

_METHODS = ("GET", "POST")
# With more to hash, trying hundreds of other URLs would cost more than a stranger's request is worth.
_MOST_SIGNED_BYTES_TO_EXPLAIN = 64 * 1024
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}")


class WebhookRefusedError(PerformError):
    """A request that is not provably Twilio's.

    The text, also ``explanation``, is for the operator and not for the sender, whom a server answers with ``status``
    and ``public_text``. It holds no secret, no expected signature, no query value and no phone number.
    """

    code = "webhook-refused"
    status = 403
    public_text = "The signature of this request was not accepted."

    def __init__(self, explanation: str) -> None:
        self.explanation = explanation
        super().__init__(explanation)


def sign(auth_token: str, url: str, params: Iterable[tuple[str, str]] = ()) -> str:
    """The signature Twilio sends for ``url`` and the parameters of a form (none for GET and JSON), as it is a header.

    A fragment of ``url`` is not signed. Raises ``UnicodeEncodeError`` for text with lone surrogates.
    """
    pairs = [(name.encode(), value.encode()) for name, value in params]
    return _signature(auth_token.encode(), url.partition("#")[0].encode(), _joined(pairs)).decode("ascii")


def body_sha256(body: bytes) -> str:
    """The value of the URL parameter ``bodySHA256`` that covers ``body``."""
    return hashlib.sha256(body).hexdigest()


def verify(
    url: str,
    headers: Headers,
    body: bytes,
    *,
    auth_tokens: str | Iterable[str | None],
    method: str = "POST",
) -> None:
    """Return when Twilio signed this request with one of ``auth_tokens``, else raise ``WebhookRefusedError``.

    ``url`` is the whole URL that Twilio was given, query string included; ``headers`` any mapping or pairs, the case of
    the names does not matter; ``body`` the raw bytes. Two tokens are in use while one is being rotated; ``None`` and
    blank ones do not count, and without a token everything is refused.
    """
    given_tokens = [auth_tokens] if isinstance(auth_tokens, str) else auth_tokens
    tokens = [token for token in given_tokens if token and not token.isspace()]
    if not tokens:
        raise WebhookRefusedError(
            "Refused: there is no Auth Token to check the signature with. Give the account's Auth Token; an API key's "
            "secret cannot verify a signature."
        )
    named = lower_case(headers)
    given = _only_signature(named)
    target = _target(url)
    signed = _joined(_signed_parameters(target, method, media_type(named), body))
    keys = [token.encode("utf-8", "surrogatepass") for token in tokens]
    if not _matches(keys, target.spellings(), signed, given):
        raise WebhookRefusedError(_mismatch(keys, target, signed, given, named))


def lower_case(headers: Headers) -> list[tuple[str, str]]:
    """Headers as pairs with their names in lower case; a list, as some servers give for a repeated one, is several."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [
        (name.lower(), one)
        for name, value in pairs
        for one in (value if isinstance(value, list | tuple) else [value])
        if isinstance(name, str) and isinstance(one, str)
    ]


def media_type(headers: Iterable[tuple[str, str]]) -> str:
    """The media type of a request by its headers (names in lower case); a refusal when they disagree.

    Twilio always says what it sends. Without a type a body is taken for a form, and so has to be signed as one.
    """
    types = {value.partition(";")[0].strip().lower() for name, value in headers if name == "content-type"}
    if len(types) > 1:
        raise WebhookRefusedError("Refused: the request has several Content-Type headers that disagree.")
    return types.pop() if types else FORM_TYPE


def _only_signature(headers: Sequence[tuple[str, str]]) -> bytes:
    found = [value for name, value in headers if name == SIGNATURE_HEADER.lower()]
    if len(found) != 1:
        what = "there is no" if not found else "there is more than one"
        raise WebhookRefusedError(
            f"Refused: {what} {SIGNATURE_HEADER} header. Either Twilio did not send this request, or something on its "
            "way removes or repeats headers."
        )
    # What cannot be encoded becomes "?", which no signature contains.
    return found[0].encode("utf-8", "replace")


def _target(url: str) -> WebhookUrl:
    try:
        target = WebhookUrl.parse(url)
        str(target).encode()
    except UnicodeEncodeError:
        raise WebhookRefusedError("Refused: the URL holds characters that are no Unicode text.") from None
    except ValueError as error:
        raise WebhookRefusedError(f"Refused: the URL to check the signature against cannot be used: {error}.") from None
    return target


def _signed_parameters(url: WebhookUrl, method: str, media_type: str, body: bytes) -> list[Pair]:
    """The parameters that the signature covers; a refusal when it covers less than the body."""
    if method.upper() not in _METHODS:
        raise WebhookRefusedError("Refused: the method is neither GET nor POST, and Twilio sends no other.")
    if len(body) > MAX_BODY_BYTES:
        raise WebhookRefusedError(f"Refused: the body is longer than {MAX_BODY_BYTES} bytes.")
    if method.upper() == "POST" and media_type == FORM_TYPE:
        pairs = parse_form(body)
        if pairs:
            return pairs
    expected = url.query_value(BODY_HASH_PARAMETER)
    if expected is None:
        if body:
            shown = media_type if _MEDIA_TYPE.fullmatch(media_type) else "unknown type"
            raise WebhookRefusedError(
                f"Refused: no signature covers this {method.upper()} body ({shown}, {len(body)} bytes). A body that is "
                f"no posted form needs its hash in the URL as {BODY_HASH_PARAMETER}; tried {url.masked()}"
            )
    elif not hmac.compare_digest(body_sha256(body).encode(), expected.encode("utf-8", "replace")):
        raise WebhookRefusedError(
            f"Refused: the body is not the one whose hash stands in the URL as {BODY_HASH_PARAMETER}. Check the raw "
            f"bytes, before anything parses, decodes or rewrites them; tried {url.masked()}"
        )
    return []


def _joined(pairs: Iterable[Pair]) -> bytes:
    """Parameters as they are signed: in the order of their bytes, each pair once."""
    return b"".join(name + value for name, value in sorted(set(pairs)))


def _signature(key: bytes, url: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, url + signed, "sha1"))


def _matches(keys: Sequence[bytes], urls: Iterable[WebhookUrl], signed: bytes, given: bytes) -> bool:
    """Whether ``given`` is one of the possible signatures; all of them are computed and compared, whichever matches."""
    matched = False
    for url in urls:
        encoded = str(url).encode()
        for key in keys:
            matched |= hmac.compare_digest(_signature(key, encoded, signed), given)
    return matched


def _mismatch(
    keys: Sequence[bytes], url: WebhookUrl, signed: bytes, given: bytes, headers: Sequence[tuple[str, str]]
) -> str:
    """Why a well-formed request was refused, in words for the operator."""
    # Most requests are accepted: the search for a reason is loaded when there is something to explain.
    from twilio_component.signature_suspects import suspects

    refused = f"Refused: the signature does not match. Tried {url.masked()}"
    if len(signed) > _MOST_SIGNED_BYTES_TO_EXPLAIN:
        return f"{refused}; the body is too large to search for another URL that matches."
    if signed and _matches(keys, url.spellings(), b"", given):
        return (
            f"{refused}; it matches this URL without parameters: the body is not what Twilio sent, or this was a GET "
            "request."
        )
    for words, other in suspects(url, headers):
        if _matches(keys, other.spellings(), signed, given):
            return (
                f"{refused}; it matches with {words}: {other.masked()} Give the URL exactly as Twilio has it; a proxy "
                "or a framework may have changed it on the way."
            )
    return (
        f"{refused}, with and without a port. Changes of scheme, port, host, trailing slash and query encoding do not "
        "match either: the Auth Token is probably another account's or no longer valid, or a parameter was changed, "
        "trimmed or dropped on the way."
    )
