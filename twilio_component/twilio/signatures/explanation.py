"""Explains to the operator why the signature of a well-formed request was refused.

Nothing here accepts a request: a match is only reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twilio_component.twilio.signatures.keys import Key, matches
from twilio_component.twilio.signatures.shared_keys import SETTINGS_HEADER
from twilio_component.twilio.signatures.url_candidates import url_candidates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twilio_component.twilio.signatures.webhook_url import WebhookUrl

# Hashing more than this for hundreds of candidate URLs would let strangers cause load.
_MAX_SIGNED_BYTES = 64 * 1024
_OTHER_DIGESTS = {"sha1": "sha256", "sha256": "sha1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """A request whose signature matched none of the keys that it must be signed with.

    ``keys`` are those keys, ``others`` the rest of the configured ones; ``named`` says whether the request named a
    shared key.
    """

    url: WebhookUrl
    signed: bytes
    given: bytes
    headers: Sequence[tuple[str, str]]
    keys: Sequence[Key] = field(repr=False)
    others: Sequence[Key]
    named: bool

    def explanation(self) -> str:
        """Return what is wrong, as far as it can be found."""
        refused = f"Refused: the signature does not match. Tried {self.url.mask()}"
        if len(self.signed) > _MAX_SIGNED_BYTES:
            return f"{refused}; the body is too large to search for another URL that matches."
        return f"{refused}{self._by_key() or self._by_parameters() or self._by_url() or self._unknown()}"

    def _by_key(self) -> str | None:
        """The explanation when another key made the signature, or the right key by the wrong algorithm."""
        for key in self.others:
            if self._match([key], self.url):
                if self.named:
                    return f"; it matches {key.description}, and not the key that the {SETTINGS_HEADER} header names."
                removed = f"something on the way has removed the {SETTINGS_HEADER} header"
                return f"; it matches {key.description}, but {removed}."
        for key in (*self.keys, *self.others):
            if self._match([key._replace(digest=_OTHER_DIGESTS[key.digest])], self.url):
                return f"; it matches {key.description} by an algorithm that this key is not used with."
        return None

    def _by_parameters(self) -> str | None:
        if self.signed and matches(self.keys, self.url.variants(), b"", self.given):
            return (
                "; it matches this URL without parameters: the body is not what Twilio sent, or this was a GET request."
            )
        return None

    def _by_url(self) -> str | None:
        for words, other in url_candidates(self.url, self.headers):
            if self._match(self.keys, other):
                return (
                    f"; it matches with {words}: {other.mask()} Give the URL exactly as Twilio has it; a proxy or a "
                    "framework may have changed it on the way."
                )
        return None

    def _unknown(self) -> str:
        if not self.keys:
            return (
                f". The request has no {SETTINGS_HEADER} header, so it has to be signed with the Auth Token, which is "
                "not given: only shared keys are."
            )
        key = self.keys[0].description
        wrong = (
            f"the secret of {key} is probably not this one"
            if self.named
            else ("the Auth Token is probably another account's or no longer valid")
        )
        return (
            ", with and without a port. The other scheme, other ports, the hosts of the request's headers, a trailing "
            "slash and other encodings do not match either. Compare host and path with the URL that Twilio has: behind "
            f"a proxy a server sees others. If they are the same, {wrong}, or a parameter was changed, trimmed or "
            "dropped on the way."
        )

    def _match(self, keys: Sequence[Key], url: WebhookUrl) -> bool:
        return matches(keys, url.variants(), self.signed, self.given)
