"""Why the signature of a well-formed request was refused, in words for the operator.

Nothing here accepts anything: whatever is found to match is only told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twilio_component.twilio.signatures.keys import Key, matches
from twilio_component.twilio.signatures.shared_keys import SETTINGS_HEADER
from twilio_component.twilio.signatures.url_candidates import suspects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twilio_component.twilio.signatures.webhook_url import WebhookUrl

# With more to hash, trying hundreds of other URLs would cost more than a stranger's request is worth.
_MOST_SIGNED_BYTES = 64 * 1024
_OTHER_DIGESTS = {"sha1": "sha256", "sha256": "sha1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """A request whose signature no key matched that it was held to.

    ``keys`` are those, ``others`` the rest that was given; ``named`` says whether the request named a shared key.
    """

    url: WebhookUrl
    signed: bytes
    given: bytes
    headers: Sequence[tuple[str, str]]
    keys: Sequence[Key]
    others: Sequence[Key]
    named: bool

    def explanation(self) -> str:
        """What is wrong, as far as it can be found out."""
        refused = f"Refused: the signature does not match. Tried {self.url.masked()}"
        if len(self.signed) > _MOST_SIGNED_BYTES:
            return f"{refused}; the body is too large to search for another URL that matches."
        return f"{refused}{self._by_key() or self._by_parameters() or self._by_url() or self._unknown()}"

    def _by_key(self) -> str | None:
        """What to say when another key, or the right one used wrongly, has made the signature."""
        for key in self.others:
            if self._match([key], self.url):
                if self.named:
                    return f"; it matches {key.words}, and not the key that the {SETTINGS_HEADER} header names."
                return f"; it matches {key.words}, but something on the way has removed the {SETTINGS_HEADER} header."
        for key in (*self.keys, *self.others):
            if self._match([key._replace(digest=_OTHER_DIGESTS[key.digest])], self.url):
                return f"; it matches {key.words} by an algorithm that this key is not for."
        return None

    def _by_parameters(self) -> str | None:
        if self.signed and matches(self.keys, self.url.spellings(), b"", self.given):
            return (
                "; it matches this URL without parameters: the body is not what Twilio sent, or this was a GET request."
            )
        return None

    def _by_url(self) -> str | None:
        for words, other in suspects(self.url, self.headers):
            if self._match(self.keys, other):
                return (
                    f"; it matches with {words}: {other.masked()} Give the URL exactly as Twilio has it; a proxy or a "
                    "framework may have changed it on the way."
                )
        return None

    def _unknown(self) -> str:
        if not self.keys:
            return (
                f". The request has no {SETTINGS_HEADER} header, so it has to be signed with the Auth Token, which is "
                "not given: only shared keys are."
            )
        key = self.keys[0].words
        wrong = (
            f"the secret of {key} is probably not this one"
            if self.named
            else ("the Auth Token is probably another account's or no longer valid")
        )
        return (
            ", with and without a port. Changes of scheme, port, host, trailing slash and query encoding do not match "
            f"either: {wrong}, or a parameter was changed, trimmed or dropped on the way."
        )

    def _match(self, keys: Sequence[Key], url: WebhookUrl) -> bool:
        return matches(keys, url.spellings(), self.signed, self.given)
