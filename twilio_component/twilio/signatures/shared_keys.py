"""Webhook shared keys: keys that Twilio signs webhooks with instead of the account's Auth Token.

Such a request names its key and algorithm in ``X-Twilio-Webhooks-Signature-Settings``. That header is not signed
itself, so it may only choose among the configured keys, each of which is used with HMAC-SHA256 alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
ALGORITHM = "HMAC_SHA256"

_ALGORITHM_OF_AUTH_TOKENS = "HMAC_SHA1"
_MAX_ID_LENGTH = 100
_ID = re.compile(rf"[A-Za-z0-9_.-]{{1,{_MAX_ID_LENGTH}}}")


class Settings(NamedTuple):
    """What a request says about its signature: the id of the key, and the algorithm's name in capitals."""

    key_id: str
    algorithm: str

    @property
    def display_id(self) -> str:
        """The id for a log, or ``…`` for one that no shared key can have: a stranger may send anything."""
        return self.key_id if _ID.fullmatch(self.key_id) else "…"


def parse(text: str) -> dict[str, str]:
    """Return the secrets in ``text``, one ``id=secret`` per line, by key id; raises ``ValueError``, without secrets."""
    keys: dict[str, str] = {}
    for number, word in enumerate(text.split(), 1):
        key_id, _, secret = word.partition("=")
        if not secret or not _ID.fullmatch(key_id):
            raise ValueError(
                f"must have shared keys of the form id=secret, one per line; the {_ordinal(number)} is not"
            )
        if key_id in keys:
            raise ValueError(f"has the shared key {key_id} twice")
        keys[key_id] = secret
    return keys


def clean(value: str, _inputs: Mapping[str, Any]) -> str:
    """Return shared keys as text, one per line; raises ``ValueError`` for anything else."""
    from twilio_component.twilio.inputs.secrets import trim

    lines = "\n".join(trim(line) for line in value.splitlines())
    return "\n".join(f"{key_id}={secret}" for key_id, secret in parse(lines).items())


def settings_value(key_id: str) -> str:
    """Return the header that Twilio sends with a request signed with this key."""
    return f"key={key_id},algorithm={ALGORITHM}"


def settings_in(headers: Iterable[tuple[str, str]]) -> Settings | None:
    """Return what the headers (names in lower case) say about the key; None for one signed with the Auth Token.

    Raises ``ValueError`` with the reason for an ambiguous or incomplete header.
    """
    found = [value for name, value in headers if name == SETTINGS_HEADER.lower()]
    if not found:
        return None
    if len(found) > 1:
        raise ValueError("there is more than one")
    fields: dict[str, set[str]] = {"key": set(), "algorithm": set()}
    for part in found[0].split(","):
        name, _, value = part.partition("=")
        if value.strip():
            fields.setdefault(name.strip(), set()).add(value.strip())
    ids, algorithms = fields["key"], {algorithm.upper() for algorithm in fields["algorithm"]}
    if len(ids) > 1 or len(algorithms) > 1:
        raise ValueError("it names more than one key or algorithm")
    if not ids and algorithms <= {_ALGORITHM_OF_AUTH_TOKENS}:
        return None
    if not ids or not algorithms:
        raise ValueError("it names no key" if not ids else "it names no algorithm")
    return Settings(ids.pop(), algorithms.pop())


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
