"""TwiML, the answer to a message's webhook: what Twilio is to reply, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

CONTENT_TYPE = "text/xml"
# What XML 1.0 cannot hold, not even escaped.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def messaging_response(text: str | None = None, media: Iterable[str] = ()) -> str:
    """A ``<Response>`` with one message of text and media, or an empty one: texts are escaped, never interpreted."""
    parts = [f"<Body>{_text(text)}</Body>"] if text else []
    parts += [f"<Media>{_text(url)}</Media>" for url in media]
    message = f"<Message>{''.join(parts)}</Message>" if parts else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'


def _text(value: str) -> str:
    # A parser would read a bare carriage return as a line feed.
    return escape(_NO_XML.sub("\ufffd", value), {"\r": "&#13;"})
