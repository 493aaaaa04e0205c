"""TwiML, the response to a message's webhook: the reply that Twilio should send, or none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

CONTENT_TYPE = "text/xml"
# Characters that XML 1.0 does not allow, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def messaging_response(text: str | None = None, media: Iterable[str] = ()) -> str:
    """Return a ``<Response>`` with one message of text and media, or an empty one; texts are escaped."""
    parts = [f"<Body>{_text(text)}</Body>"] if text else []
    parts += [f"<Media>{_text(url)}</Media>" for url in media]
    message = f"<Message>{''.join(parts)}</Message>" if parts else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'


def response_of(twiml: str) -> dict[str, Any]:
    """Return the HTTP response of a trigger that has ``twiml`` as its body."""
    return {"statusCode": 200, "contentType": CONTENT_TYPE, "body": twiml}


def _text(value: str) -> str:
    # A parser would read a bare carriage return as a line feed.
    return escape(_NOT_XML.sub("\ufffd", value), {"\r": "&#13;"})
