"""Webhook shared keys: keys of one's own that Twilio signs webhooks with, instead of the account's Auth Token.

Such a request says in ``X-Twilio-Webhooks-Signature-Settings`` which key signed it, and how. That header is not signed
itself, so it may only choose among the keys that are configured; each of them is for HMAC-SHA256, whatever it says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
ALGORITHM = "HMAC_SHA256"

_ALGORITHM_OF_AUTH_TOKENS = "HMAC_SHA1"
_LONGEST_ID = 100
_ID = re.compile(rf"[A-Za-z0-9_.-]{{1,{_LONGEST_ID}}}")


class Settings(NamedTuple):
    """How a request says that it was signed: the id of the key, and the algorithm by its name in capitals."""

    key_id: str
    algorithm: str

    @property
    def shown_id(self) -> str:
        """The id for a log; a stranger may have written anything there."""
        return self.key_id if _ID.fullmatch(self.key_id) else "…"


def parse(text: str) -> dict[str, str]:
    """The secrets by key id in ``text``, one ``id=secret`` a line; raises ``ValueError`` that repeats no secret."""
    keys: dict[str, str] = {}
    for number, word in enumerate(text.split(), 1):
        key_id, _, secret = word.partition("=")
        if not secret or not _ID.fullmatch(key_id):
            raise ValueError(f"must have shared keys of the form id=secret, one a line; the {_ordinal(number)} is not")
        if key_id in keys:
            raise ValueError(f"has the shared key {key_id} twice")
        keys[key_id] = secret
    return keys


def clean(value: str, _inputs: Mapping[str, Any]) -> str:
    """Shared keys as text, one a line: what the manifest's inputs accept."""
    return "\n".join(f"{key_id}={secret}" for key_id, secret in parse(value).items())


def settings_value(key_id: str) -> str:
    """What Twilio sends in the header for a request that was signed with this key."""
    return f"key={key_id},algorithm={ALGORITHM}"


def settings_in(headers: Iterable[tuple[str, str]]) -> Settings | None:
    """What the headers (names in lower case) say of a shared key; None for a request of the Auth Token's.

    Raises ``ValueError`` with the reason for a header that says nothing definite.
    """
    found = [value for name, value in headers if name == SETTINGS_HEADER.lower()]
    if not found:
        return None
    if len(found) > 1:
        raise ValueError("there is more than one")
    said: dict[str, set[str]] = {"key": set(), "algorithm": set()}
    for part in found[0].split(","):
        name, _, value = part.partition("=")
        if value.strip():
            said.setdefault(name.strip(), set()).add(value.strip())
    ids, algorithms = said["key"], {algorithm.upper() for algorithm in said["algorithm"]}
    if len(ids) > 1 or len(algorithms) > 1:
        raise ValueError("it names more than one key or algorithm")
    if not ids and algorithms <= {_ALGORITHM_OF_AUTH_TOKENS}:
        return None
    if not ids or not algorithms:
        raise ValueError("it names no key" if not ids else "it names no algorithm")
    return Settings(ids.pop(), algorithms.pop())


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
