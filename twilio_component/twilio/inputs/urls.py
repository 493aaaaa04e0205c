"""URLs as inputs: absolute, http or https, and without anything that parsers read differently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from twilio_component.twilio.inputs.secrets import trim

_NEXT_URL = re.compile(r"[,;|]\s*https?://", re.IGNORECASE)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def http_url(value: str, _inputs: Mapping[str, Any]) -> str:
    """Return an absolute http(s) URL, as Twilio takes for media and callbacks; raises ``ValueError`` for any other."""
    url = trim(value)
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("must be a URL without spaces, line breaks and control characters")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError("must be a URL; this one cannot be parsed") from error
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an absolute URL that starts with https:// or http:// and names a host")
    return url


def media_url(value: str, inputs: Mapping[str, Any]) -> str:
    """Return the URL of one file; raises ``ValueError`` for several in one text, and for what is not a URL."""
    if _NEXT_URL.search(value):
        raise ValueError("must be one URL; give several as a list (a comma of the URL itself is written %2C)")
    return http_url(value, inputs)


def base_url(value: str, inputs: Mapping[str, Any]) -> str:
    """Return the base URL of a connection: an origin, perhaps with a path; raises ``ValueError`` for any other."""
    url = http_url(value, inputs).rstrip("/")
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("must be a URL without user name, password, query and fragment")
    if parts.scheme.lower() == "http" and not is_this_machine(parts):
        raise ValueError("must start with https:// (plain http is allowed for this machine only: credentials go there)")
    return url


def is_this_machine(url: SplitResult) -> bool:
    """Whether the URL's host is the loopback interface."""
    return url.hostname in _LOOPBACK
