"""Splits the URL of a webhook without changing a byte.

``urllib.parse`` normalises while it splits (case, an empty query, tabs and newlines), and its ``port`` can raise. A
signature covers the URL byte for byte, so this module only splits: the parts join to the same text again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LENGTH = 64 * 1024
DEFAULT_PORTS = {"http": "80", "https": "443"}

_HIGHEST_PORT = 65535
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:(?P<user>[^/?#]*)@)?"
    r"(?P<host>\[[^\]/?#@]+\]|[^\[\]:/?#@]+)"
    r"(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>/[^?#]*)?"
    r"(?:\?(?P<query>[^#]*))?"
    r"(?:#.*)?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,39}")
# Anything that may be a phone number: seven digits or more, with separators.
_MANY_DIGITS = re.compile(r"[0-9](?:(?:[-. ()]|%[0-9A-Fa-f]{2})*[0-9]){6,}")
_MAX_LOGGED_LENGTH = 300


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """An http(s) URL without its fragment, which is never sent. ``None`` is an absent part, not an empty one."""

    scheme: str
    user: str | None
    host: str
    port: str | None
    path: str
    query: str | None

    @classmethod
    def parse(cls, url: str) -> WebhookUrl:
        """Split ``url``; raises ``ValueError`` with the reason for anything but an absolute http(s) URL."""
        if len(url) > MAX_LENGTH:
            raise ValueError(f"it is longer than {MAX_LENGTH} characters")
        match = _URL.fullmatch(url)
        if match is None:
            raise ValueError("it is not an absolute http or https URL")
        if int(match["port"] or 0) > _HIGHEST_PORT:
            raise ValueError(f"its port is above {_HIGHEST_PORT}")
        return cls(match["scheme"], match["user"], match["host"], match["port"], match["path"] or "", match["query"])

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        port = "" if self.port is None else f":{self.port}"
        query = "" if self.query is None else f"?{self.query}"
        return f"{self.scheme}://{user}{self.host}{port}{self.path}{query}"

    def variants(self) -> Iterator[WebhookUrl]:
        """Yield the URLs that Twilio may have signed when it was given this one, which comes first.

        Twilio is not consistent about the port (a given one may be left out, an absent one may be the scheme's
        default), nor about an apostrophe in the query, which it may have escaped.
        """
        other_port = None if self.port else DEFAULT_PORTS[self.scheme.lower()]
        for url in (self, replace(self, port=other_port)):
            yield url
            if self.query is not None:
                escaped, plain = self.query.replace("'", "%27"), self.query.replace("%27", "'")
                yield from (replace(url, query=query) for query in {escaped, plain} - {self.query})

    def query_value(self, name: str) -> str | None:
        """Return the first non-blank value of a query parameter, decoded, or None."""
        return next((value for key, value in parse_qsl(self.query or "") if key == name), None)

    def mask(self) -> str:
        """Return the URL for a log: with the names of query parameters, without values, user info and phone numbers."""
        user = "" if self.user is None else "…"
        query = None if self.query is None else "&".join(map(_mask_parameter, self.query.split("&")))
        text = str(replace(self, user=user or None, path=_MANY_DIGITS.sub("…", self.path), query=query))
        text = "".join(character if character.isprintable() else "…" for character in text)
        return text if len(text) <= _MAX_LOGGED_LENGTH else text[:_MAX_LOGGED_LENGTH] + "…"


def _mask_parameter(parameter: str) -> str:
    # Without an equals sign the whole parameter may be a secret.
    name, equals, value = parameter.partition("=")
    plain = equals and _PLAIN_NAME.fullmatch(name) and not _MANY_DIGITS.search(name)
    return f"{name if plain else '…'}{equals}{'…' if value else ''}"
