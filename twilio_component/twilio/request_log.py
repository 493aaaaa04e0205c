"""What debug mode logs of requests and responses: everything but secrets."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from twilio_component.host.http.messages import NotWrittenError, ResponseLostError
from twilio_component.host.redaction import HIDDEN, Redactor

if TYPE_CHECKING:
    from twilio_component.host.http.messages import HttpTransport, Request, Response

_LOGGER = logging.getLogger(__name__)
_MAX_CHARACTERS = 10_000
# Twilio's own responses hold secrets too: an account its Auth Token, a new API key its secret.
_SECRET_FIELD = re.compile(r'("(?:auth_token|secret|token)"\s*:\s*")[^"]*"')
# One-time codes, in the forms that Verify takes.
_VERIFY_PATH = re.compile(r"/v2/Services/[^/?]+/(?:VerificationCheck|Verifications)\b")
_CODE_FIELD = re.compile(rb"(?:^|&)(?:Code|CustomCode)=([^&]+)")


class LoggingTransport:
    """Sends through another transport and logs every request and response, without ``secrets``.

    Message texts and phone numbers do appear: debug mode exists to show them.
    """

    def __init__(self, transport: HttpTransport, secrets: Iterable[str | None]) -> None:
        self._transport = transport
        self._redactor = Redactor(secret for secret in secrets if secret)

    async def send(self, request: Request) -> Response:
        """Send the request and return its response, as the wrapped transport does, and log both."""
        codes = _one_time_codes(request)
        self._log_request(request, codes)
        try:
            response = await self._transport.send(request)
        except (NotWrittenError, ResponseLostError) as error:
            self._log("← %s: %s", type(error).__name__, error)
            raise
        self._log_response(response, codes)
        return response

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._transport.aclose()

    def _log_request(self, request: Request, codes: Redactor) -> None:
        """Log the request line and the body; the headers hold only the credentials and constants.

        A URL that is requested without credentials (a file in Twilio's store) may be signed: its query is left out.
        """
        body = (request.content or b"").decode("utf-8", "replace")
        path, mark, _ = request.url.partition("?")
        url = request.url if "Authorization" in request.headers else f"{path}{mark and '?…'}"
        self._log("→ %s %s %s", request.method, url, codes.text(body))

    def _log_response(self, response: Response, codes: Redactor) -> None:
        """Log status, type and body; of a file only its size."""
        content_type = response.headers.get("content-type", "")
        text = response.text if _is_text(content_type) else f"({len(response.content)} bytes)"
        self._log("← HTTP %d %s %s", response.status, content_type, codes.text(text))

    def _log(self, text: str, *values: object) -> None:
        if _LOGGER.isEnabledFor(logging.DEBUG):
            line = self._redactor.text(_SECRET_FIELD.sub(rf'\1{HIDDEN}"', text % values))
            shortened = f"{line[:_MAX_CHARACTERS]}… ({len(line)} characters)"
            _LOGGER.debug("%s", line if len(line) <= _MAX_CHARACTERS else shortened)


def _one_time_codes(request: Request) -> Redactor:
    """A redactor of the codes that a request to Verify has."""
    found = _CODE_FIELD.findall(request.content or b"") if _VERIFY_PATH.search(request.url) else []
    return Redactor(code.decode("ascii", "replace") for code in found)


def _is_text(content_type: str) -> bool:
    main, _, name = content_type.partition(";")[0].strip().lower().partition("/")
    return main in ("", "text") or name in ("json", "xml", "x-www-form-urlencoded") or name.endswith(("+json", "+xml"))
