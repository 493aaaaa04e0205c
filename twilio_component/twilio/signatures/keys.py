"""The keys that sign webhooks, and the check whether one of them made a signature."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twilio_component.twilio.signatures.forms import Pair
    from twilio_component.twilio.signatures.webhook_url import WebhookUrl


class Key(NamedTuple):
    """A secret, the one digest that it is used with, and a description for messages."""

    secret: bytes
    digest: str
    description: str

    @classmethod
    def of_auth_token(cls, token: str) -> Key:
        """Return the key of an account's Auth Token."""
        return cls(token.strip().encode("utf-8", "surrogatepass"), "sha1", "the Auth Token")

    @classmethod
    def of_shared_key(cls, key_id: str, secret: str) -> Key:
        """Return the key of a webhook shared key."""
        return cls(secret.strip().encode("utf-8", "surrogatepass"), "sha256", f"the shared key {key_id}")

    def signature(self, url: bytes, signed: bytes) -> bytes:
        """Return the signature of a request, in base64."""
        return base64.b64encode(hmac.digest(self.secret, url + signed, self.digest))


def signed_text(pairs: Iterable[Pair]) -> bytes:
    """Return the parameters as Twilio signs them: sorted by their bytes, each pair once, without separators."""
    return b"".join(name + value for name, value in sorted(set(pairs)))


def matches(keys: Sequence[Key], urls: Iterable[WebhookUrl], signed: bytes, given: bytes) -> bool:
    """Return whether ``given`` is one of the possible signatures; always computes and compares all of them."""
    matched = False
    for url in urls:
        encoded = str(url).encode()
        for key in keys:
            matched |= hmac.compare_digest(key.signature(encoded, signed), given)
    return matched
