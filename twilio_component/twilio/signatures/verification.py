"""``X-Twilio-Signature``: made, and verified.

An application's own server needs three lines::

    from twilio_component.twilio.signatures import WebhookRefusedError, verify

    verify(url, request.headers, raw_body, auth_tokens=[token])  # raises WebhookRefusedError: answer with its status

``url`` is the one Twilio was given, ``raw_body`` the bytes as they came. The signature is the base64 of an HMAC-SHA1
under the account's Auth Token over the URL, followed by the name and value of every form parameter, sorted. Other
bodies are covered by their hash, which stands in the URL as ``bodySHA256``. With a webhook shared key it is the same
text under HMAC-SHA256; give such keys as ``shared_keys={id: secret}``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from twilio_component.host.errors import PerformError
from twilio_component.twilio.signatures.forms import FORM_TYPE, Pair, parse_form
from twilio_component.twilio.signatures.keys import Key, joined, matches
from twilio_component.twilio.signatures.shared_keys import (
    ALGORITHM,
    SETTINGS_HEADER,
    Settings,
    settings_in,
    settings_value,
)
from twilio_component.twilio.signatures.webhook_url import WebhookUrl

if TYPE_CHECKING:
    from collections.abc import Sequence

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

SIGNATURE_HEADER = "X-Twilio-Signature"
BODY_HASH_PARAMETER = "bodySHA256"
# Twilio's webhooks are a few kilobytes, its batches of events below a megabyte. Sorting the worst that fits into this
# takes less than a second, whoever sends it.
MAX_BODY_BYTES = 5 * 1024 * 1024 // 4

_METHODS = ("GET", "POST")
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
    return _signed(Key.of_auth_token(auth_token), url, params)


def sign_with_shared_key(key_id: str, secret: str, url: str, params: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """The two headers that Twilio sends for a request signed with a webhook shared key; else as ``sign``."""
    return {
        SIGNATURE_HEADER: _signed(Key.shared(key_id, secret), url, params),
        SETTINGS_HEADER: settings_value(key_id),
    }


def body_sha256(body: bytes) -> str:
    """The value of the URL parameter ``bodySHA256`` that covers ``body``."""
    return hashlib.sha256(body).hexdigest()


def verify(
    url: str,
    headers: Headers,
    body: bytes,
    *,
    auth_tokens: str | Iterable[str | None] = (),
    shared_keys: Mapping[str, str | None] | None = None,
    method: str = "POST",
) -> None:
    """Return when Twilio signed this request with one of the given keys, else raise ``WebhookRefusedError``.

    ``url`` is the whole URL that Twilio was given, query string included; ``headers`` any mapping or pairs, the case of
    the names does not matter; ``body`` the raw bytes. Two ``auth_tokens`` are in use while one is being rotated;
    ``shared_keys`` are the secrets of webhook shared keys by their ids. A request that names a shared key is held to
    that one, by HMAC-SHA256, and any other to the Auth Tokens, by HMAC-SHA1. ``None`` and blank secrets do not count,
    and without a key everything is refused.
    """
    given_tokens = [auth_tokens] if isinstance(auth_tokens, str) else auth_tokens
    tokens = [Key.of_auth_token(token) for token in given_tokens if token and not token.isspace()]
    shared = {
        key_id: Key.shared(key_id, secret)
        for key_id, secret in (shared_keys or {}).items()
        if secret and not secret.isspace()
    }
    if not tokens and not shared:
        raise WebhookRefusedError(
            "Refused: there is no Auth Token to check the signature with. Give the account's Auth Token, or a webhook "
            "shared key; an API key's secret cannot verify a signature."
        )
    named = lower_case(headers)
    given = _only_signature(named)
    settings = _settings(named)
    keys = tokens if settings is None else [_named_key(settings, shared)]
    target = _target(url)
    signed = joined(_signed_parameters(target, method, media_type(named), body))
    if not matches(keys, target.spellings(), signed, given):
        # Most requests are accepted: the search for a reason is loaded when there is something to explain.
        from twilio_component.twilio.signatures.explanation import RefusedRequest

        raise WebhookRefusedError(
            RefusedRequest(
                url=target,
                signed=signed,
                given=given,
                headers=named,
                keys=keys,
                others=[key for key in (*tokens, *shared.values()) if key not in keys],
                named=settings is not None,
            ).explanation()
        )


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


def _settings(headers: Sequence[tuple[str, str]]) -> Settings | None:
    try:
        return settings_in(headers)
    except ValueError as error:
        raise WebhookRefusedError(f"Refused: the {SETTINGS_HEADER} header cannot be used: {error}.") from None


def _named_key(settings: Settings, shared: Mapping[str, Key]) -> Key:
    """The configured key that the request names. Its algorithm is ours to know: what the request says must be that."""
    key = shared.get(settings.key_id)
    if key is None:
        given = f"the given ones ({', '.join(shared)})" if shared else "the given keys: there are no shared ones"
        raise WebhookRefusedError(
            f"Refused: the request says that it was signed with the shared key {settings.shown_id}, which is not among "
            f"{given}. Add it with its secret, if it is yours."
        )
    if settings.algorithm != ALGORITHM:
        raise WebhookRefusedError(
            f"Refused: the {SETTINGS_HEADER} header names another algorithm than {ALGORITHM}, the only one that shared "
            "keys are for."
        )
    return key


def _signed(key: Key, url: str, params: Iterable[tuple[str, str]]) -> str:
    pairs = [(name.encode(), value.encode()) for name, value in params]
    return key.signature(url.partition("#")[0].encode(), joined(pairs)).decode("ascii")
