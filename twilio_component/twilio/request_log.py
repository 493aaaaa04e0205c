"""What debug mode shows of a request and its answer: everything but secrets."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from twilio_component.host.http.messages import Request, Response

_LOGGER = logging.getLogger("twilio_component.twilio.client")
_LONGEST = 10_000
# Twilio's own answers hold secrets too: an account its Auth Token, a new API key its secret.
_SECRET_FIELD = re.compile(r'("(?:auth_token|secret|token)"\s*:\s*")[^"]*"')


class DebugLog:
    """Logs requests and answers for one connection, whose ``secrets`` appear nowhere in them.

    Message texts and phone numbers do appear: that is what somebody who asks for debug mode wants to see.
    """

    def __init__(self, secrets: Iterable[str | None]) -> None:
        known = [secret for secret in secrets if secret]
        self._secrets = sorted({form for one in known for form in (one, quote_plus(one))}, key=len, reverse=True)

    def request(self, request: Request) -> None:
        """The request line and the body; the headers hold nothing but the credentials and what never changes.

        A URL that goes out without credentials (to where Twilio keeps a file) may be signed: its query is left out.
        """
        body = (request.content or b"").decode("utf-8", "replace")
        path, mark, _ = request.url.partition("?")
        url = request.url if "Authorization" in request.headers else f"{path}{mark and '?…'}"
        self._log("→ %s %s %s", request.method, url, body)

    def answer(self, answer: Response) -> None:
        """Status, type and body; of a file only how large it is."""
        kind = answer.headers.get("content-type", "")
        text = answer.text if _is_text(kind) else f"({len(answer.content)} bytes)"
        self._log("← HTTP %d %s %s", answer.status, kind, text)

    def failure(self, error: Exception) -> None:
        """Why there was no answer."""
        self._log("← %s: %s", type(error).__name__, error)

    def _log(self, text: str, *values: object) -> None:
        if _LOGGER.isEnabledFor(logging.DEBUG):
            line = _SECRET_FIELD.sub(r'\1…"', text % values)
            for secret in self._secrets:
                line = line.replace(secret, "…")
            _LOGGER.debug("%s", line if len(line) <= _LONGEST else f"{line[:_LONGEST]}… ({len(line)} characters)")


def _is_text(kind: str) -> bool:
    main, _, name = kind.partition(";")[0].strip().lower().partition("/")
    return main in ("", "text") or name in ("json", "xml", "x-www-form-urlencoded") or name.endswith(("+json", "+xml"))
