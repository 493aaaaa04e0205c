"""Signs and verifies ``X-Twilio-Signature``.

An application's own server needs three lines::

    from twilio_component.twilio.signatures import WebhookRefusedError, verify

    verify(url, request.headers, raw_body, auth_tokens=[token])  # raises WebhookRefusedError: respond with its status

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
from twilio_component.twilio.signatures.argument_types import check_types, refuse_bytes
from twilio_component.twilio.signatures.forms import FORM_TYPE, Pair, parse_form
from twilio_component.twilio.signatures.keys import Key, matches, signed_text
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
# Twilio's webhooks are a few kilobytes, its batches of events below a megabyte. Sorting the worst form of this size
# takes less than a second.
MAX_BODY_BYTES = 5 * 1024 * 1024 // 4

_METHODS = ("GET", "POST")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}")


class WebhookRefusedError(PerformError):
    """A request is not provably Twilio's.

    The text, also ``explanation``, is for the operator. The sender gets only ``status`` and ``public_text``. The text
    holds no secret, no expected signature, no query value and no phone number.
    """

    code = "webhook-refused"
    status = 403
    public_text = "The signature of this request was not accepted."

    def __init__(self, explanation: str) -> None:
        self.explanation = explanation
        super().__init__(explanation)


def sign(auth_token: str, url: str, params: Iterable[tuple[str, str]] = ()) -> str:
    """Return the ``X-Twilio-Signature`` for ``url`` and the parameters of a form (none for GET and JSON).

    A fragment of ``url`` is not signed. Raises ``UnicodeEncodeError`` for text with lone surrogates.
    """
    return _signature(Key.of_auth_token(auth_token), url, params)


def sign_with_shared_key(key_id: str, secret: str, url: str, params: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Return the two headers that Twilio sends with a request signed with a webhook shared key.

    ``url`` and ``params`` are those of ``sign``.
    """
    return {
        SIGNATURE_HEADER: _signature(Key.of_shared_key(key_id, secret), url, params),
        SETTINGS_HEADER: settings_value(key_id),
    }


def body_sha256(body: bytes) -> str:
    """Return the value of the URL parameter ``bodySHA256`` for ``body``."""
    return hashlib.sha256(body).hexdigest()


def verify(
    url: str,
    headers: Headers,
    body: bytes,
    *,
    auth_tokens: str | Iterable[str | None] | None = (),
    shared_keys: Mapping[str, str | None] | None = None,
    method: str = "POST",
) -> None:
    """Return if Twilio signed this request with one of the given keys, else raise ``WebhookRefusedError``.

    ``url`` is the whole URL that Twilio was given, query string included; ``headers`` is a mapping or pairs, with names
    in any case; ``body`` is the raw bytes. Two ``auth_tokens`` are in use while one is being rotated; ``shared_keys``
    are the secrets of webhook shared keys by their ids. A request that names a shared key must be signed with that key,
    by HMAC-SHA256, and any other with an Auth Token, by HMAC-SHA1. White space around a
    secret, such as the line end of a file, does not count. ``None`` and blank secrets are ignored, and without a key
    every request is refused.

    Raises ``TypeError`` for a URL, headers or body of another type.
    """
    check_types(url, headers, body)
    given_tokens = [auth_tokens] if isinstance(auth_tokens, str) else auth_tokens or ()
    tokens = [Key.of_auth_token(token) for token in given_tokens if token and token.strip()]
    shared = {
        key_id: Key.of_shared_key(key_id, secret)
        for key_id, secret in (shared_keys or {}).items()
        if secret and secret.strip()
    }
    if not tokens and not shared:
        raise WebhookRefusedError(
            "Refused: there is no Auth Token to check the signature with. Give the account's Auth Token, or a webhook "
            "shared key; an API key's secret cannot verify a signature."
        )
    named = normalize_headers(headers)
    if not any(name == SIGNATURE_HEADER.lower() for name, _ in named):
        refuse_bytes(headers)
    given = _only_signature(named)
    settings = _settings(named)
    keys = tokens if settings is None else [_named_key(settings, shared)]
    target = _target(url)
    signed = signed_text(_parameters_to_sign(target, method, media_type(named), body))
    if not matches(keys, target.variants(), signed, given):
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


def normalize_headers(headers: Headers) -> list[tuple[str, str]]:
    """Return headers as pairs with names in lower case; a list of values becomes one pair each."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [
        (name.lower(), one)
        for name, value in pairs
        for one in (value if isinstance(value, list | tuple) else [value])
        if isinstance(name, str) and isinstance(one, str)
    ]


def media_type(headers: Iterable[tuple[str, str]]) -> str:
    """Return a request's media type from its headers (names in lower case).

    Twilio always sends one. A body without a type counts as a form, and so must be signed as one. Raises
    ``WebhookRefusedError`` for several types that disagree.
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
    # A character that cannot be encoded becomes "?", which no signature contains.
    return found[0].encode("utf-8", "replace")


def _target(url: str) -> WebhookUrl:
    try:
        target = WebhookUrl.parse(url)
        str(target).encode()
    except UnicodeEncodeError:
        raise WebhookRefusedError("Refused: the URL contains an unpaired surrogate.") from None
    except ValueError as error:
        raise WebhookRefusedError(f"Refused: the URL to check the signature against cannot be used: {error}.") from None
    return target


def _parameters_to_sign(url: WebhookUrl, method: str, media_type: str, body: bytes) -> list[Pair]:
    """The parameters that the signature covers; raises ``WebhookRefusedError`` when it does not cover the body."""
    if method.upper() not in _METHODS:
        raise WebhookRefusedError("Refused: the method is neither GET nor POST, and Twilio sends only those.")
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
                f"not a posted form needs its hash in the URL as {BODY_HASH_PARAMETER}; tried {url.mask()}"
            )
    elif not hmac.compare_digest(body_sha256(body).encode(), expected.encode("utf-8", "replace")):
        raise WebhookRefusedError(
            f"Refused: the body does not have the hash in the URL's {BODY_HASH_PARAMETER}. Check the raw "
            f"bytes, before anything parses, decodes or rewrites them; tried {url.mask()}"
        )
    return []


def _settings(headers: Sequence[tuple[str, str]]) -> Settings | None:
    try:
        return settings_in(headers)
    except ValueError as error:
        raise WebhookRefusedError(f"Refused: the {SETTINGS_HEADER} header cannot be used: {error}.") from None


def _named_key(settings: Settings, shared: Mapping[str, Key]) -> Key:
    """The configured key that the request names; the algorithm that it names must be that of shared keys."""
    key = shared.get(settings.key_id)
    if key is None:
        given = f"the given ones ({', '.join(shared)})" if shared else "the given keys: none of them is a shared key"
        raise WebhookRefusedError(
            f"Refused: the request says that it was signed with the shared key {settings.display_id}, which is not "
            f"among {given}. Add it with its secret, if it is yours."
        )
    if settings.algorithm != ALGORITHM:
        raise WebhookRefusedError(
            f"Refused: the {SETTINGS_HEADER} header names another algorithm than {ALGORITHM}, the only one for shared "
            "keys."
        )
    return key


def _signature(key: Key, url: str, params: Iterable[tuple[str, str]]) -> str:
    pairs = [(name.encode(), value.encode()) for name, value in params]
    return key.signature(url.partition("#")[0].encode(), signed_text(pairs)).decode("ascii")
