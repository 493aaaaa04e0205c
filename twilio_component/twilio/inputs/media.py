"""A file of a message, as inbound messages and lists of media describe it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

# The path of a file in Twilio's API, in a URL or alone.
_PATH = re.compile(
    r"(?:/Accounts/(AC[0-9a-fA-F]{32}))?/Messages/((?:SM|MM)[0-9a-fA-F]{32})/Media/(ME[0-9a-fA-F]{32})\b"
)
_MESSAGE_SID, _MEDIA_SID = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}"), re.compile(r"ME[0-9a-fA-F]{32}")


class MediaLocation(NamedTuple):
    """Where Twilio keeps a file. ``account_sid`` is None where the description does not name the account."""

    account_sid: str | None
    message_sid: str
    media_sid: str


def media_location(value: Any) -> MediaLocation:
    """Return where a file is, from an entry of ``message.media``, one of ``listMedia``, JSON text of one, or its URL.

    Only the identifiers in a URL count, never its host. Raises ``ValueError`` for anything else.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    urls = [value] if isinstance(value, str) else []
    if isinstance(value, Mapping):
        urls = [url for url in (value.get("url"), value.get("uri")) if isinstance(url, str)]
    for url in urls:
        if location := find_media(url):
            return location
    if isinstance(value, Mapping):
        message, media = value.get("messageSid") or value.get("parentSid"), value.get("sid")
        if _is(message, _MESSAGE_SID) and _is(media, _MEDIA_SID):
            return MediaLocation(None, str(message), str(media))
    raise ValueError(
        "must be a file of a message: an entry of message.media or of listMedia, or a URL with /Messages/SM…/Media/ME…"
    )


def find_media(url: str) -> MediaLocation | None:
    """Return the file that a URL or path of Twilio's API names, or None."""
    found = _PATH.search(url.partition("?")[0])
    return MediaLocation(*found.groups()) if found else None


def _is(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
