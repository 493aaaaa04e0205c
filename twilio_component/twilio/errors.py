"""What can go wrong between the component and Twilio, as one tree below the host's ``PerformError``.

::

    PerformError
    └── TwilioError                     everything that concerns Twilio
        ├── TwilioAPIError              Twilio returned an error (code, status, documentation link)
        │   ├── AuthenticationError     401: the credentials are wrong
        │   ├── PermissionDeniedError   403: the credentials are right, but not allowed to do this
        │   ├── NotFoundError           404: the resource does not exist
        │   └── RateLimitedError        429: too many requests; nothing was processed
        ├── NotSentError                the request never left: no connection could be made
        ├── NoResponseError             an idempotent request got no complete response
        ├── TooLargeError               a response with more bytes than are read
        ├── UnexpectedResponseError     a response that is not Twilio's: not JSON, a redirect
        ├── DeliveryPendingError        the message had no final status when the time to wait was over
        ├── RequestRefusedError         the component refuses to send the request
        └── OutcomeUnknownError         Twilio MAY have processed the request: the message may have been sent

Each class has a stable ``code`` for scripts. ``retryable`` says whether the same call may succeed later without a
change, ``may_have_happened`` whether its effect may have taken place although it failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from twilio_component.host.errors import PerformError
from twilio_component.twilio.error_codes import DOCS, Explanation, explain
from twilio_component.twilio.redaction import mask_quoted

# The sender's queue at Twilio is full: the one refusal that sending more slowly avoids.
SENDER_QUEUE_FULL = 21611
# Refusals with HTTP 429 that concern one recipient, number or service, and last for minutes.
_PER_RECIPIENT = frozenset({60202, 60203, 60207, 60212})
# Wrong recipients, and recipients who opted out: sending again cannot help, and may be unlawful.
_PERMANENT = frozenset({21211, 21217, 21610, 21612, 21614})
# Refusals of the account or its credentials, and of the sender: other messages would be refused as well.
_ABOUT_CONNECTION = frozenset({10001, 20003, 20005, 20006, 20010, 20403, 21470, 21471, 21472, 70051})
_ABOUT_SENDER = frozenset(
    {21210, 21212, 21264, 21267, 21601, 21603, 21606, 21607, 21616, 21621, 21622, 21657, 21659, 21660, 21661}
    | {21701, 21703, 21704, 21705, 21708, 21709, 21711, 21729, 21731, 63007, 63109, 63111, 63112}
)


class TwilioError(PerformError):
    """The base of every error that concerns Twilio.

    When there was a response, ``status`` is its HTTP status, ``data`` its body (JSON or text) and ``headers`` its
    headers, with names in lower case. The error's text leaves them out, since they may repeat what was sent.
    """

    code = "twilio-error"
    status: int | None = None
    data: Any = None
    headers: Mapping[str, str] = MappingProxyType({})

    def hide(self, values: Iterable[str]) -> None:
        """Remove values from the error's texts; when one of them is in its ``data``, the data go too."""
        patterns = [re.compile(rf"(?<!\w){re.escape(value)}(?!\w)") for value in values if value]
        if any(pattern.search(repr(self.data)) for pattern in patterns):
            self.data = None
        for pattern in patterns:
            self.args = tuple(_without(pattern, part) for part in self.args)
            for name in vars(self).keys() & {"_text", "reason", "twilio_message"}:
                setattr(self, name, pattern.sub("…", getattr(self, name) or ""))


def _without(pattern: re.Pattern[str], part: Any) -> Any:
    if isinstance(part, list):
        return [_without(pattern, one) for one in part]
    return pattern.sub("…", part) if isinstance(part, str) else part


class TwilioAPIError(TwilioError):
    """Twilio returned an error.

    ``twilio_code`` is Twilio's number (None when the response had none), ``status`` the HTTP status, ``more_info`` the
    documentation link and ``explanation`` the catalogue's entry for the code. ``twilio_message`` is Twilio's own text:
    it may repeat the number or the text that was sent, so the error's text masks numbers and quotations in it.
    """

    code = "twilio-api-error"

    def __init__(
        self,
        status: int,
        twilio_code: int | None,
        message: str,
        more_info: str | None,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.twilio_code = twilio_code
        self.twilio_message = message
        self.more_info = more_info or (DOCS.format(code=twilio_code) if twilio_code else None)
        self.retry_after = retry_after
        self.reason = str(twilio_code) if twilio_code is not None else None
        self.permanent = twilio_code in _PERMANENT
        if status == 401 or twilio_code in _ABOUT_CONNECTION:  # noqa: PLR2004 - HTTP
            self.concerns = "connection"
        elif twilio_code in _ABOUT_SENDER:
            self.concerns = "sender"
        self.explanation: Explanation | None = explain(twilio_code)
        temporary = self.explanation is not None and self.explanation.retryable
        # Verify also answers 429 when one recipient has had too many codes: that is not about the connection.
        is_throttling = status == 429 and twilio_code not in _PER_RECIPIENT  # noqa: PLR2004 - HTTP
        self.retryable = is_throttling or status >= 500 or temporary  # noqa: PLR2004 - HTTP
        if is_throttling:
            self.throttled = "connection"
        elif twilio_code == SENDER_QUEUE_FULL:
            self.throttled = "sender"
        super().__init__(status, twilio_code, mask_quoted(message), more_info, retry_after, text=self.text())

    @property
    def summary(self) -> str:
        """Code, text, status and link in one line."""
        name = f"Twilio error {self.twilio_code}" if self.twilio_code else "Twilio returned an error"
        where = f" ({self.more_info})" if self.more_info else ""
        return f"{name}: {mask_quoted(self.twilio_message)} [HTTP {self.status}]{where}"

    def text(self) -> str:
        """Return the summary, and below it the catalogue's advice."""
        return f"{self.summary}\n{self.explanation.advice}" if self.explanation else self.summary


class AuthenticationError(TwilioAPIError):
    """401: Twilio does not accept the connection's credentials."""

    code = "twilio-authentication"


class PermissionDeniedError(TwilioAPIError):
    """403: the credentials are right, but not allowed to do this."""

    code = "twilio-permission"


class NotFoundError(TwilioAPIError):
    """404: the resource does not exist in this account."""

    code = "twilio-not-found"


class RateLimitedError(TwilioAPIError):
    """429: too many requests. Nothing was processed; ``retry_after`` is Twilio's Retry-After in seconds."""

    code = "twilio-rate-limited"
    retryable = True


class NotSentError(TwilioError):
    """No byte of the request was written: refused connection, unknown host, TLS failure, proxy failure."""

    code = "twilio-not-sent"
    not_sent = True
    retryable = True


class NoResponseError(TwilioError):
    """An idempotent request got no complete response: a timeout, a dropped connection, a truncated body."""

    code = "twilio-no-response"
    retryable = True


class TooLargeError(TwilioError):
    """A response with more bytes than are read; none of them were kept."""

    code = "twilio-too-large"


class UnexpectedResponseError(TwilioError):
    """A response that is not Twilio's; ``status`` and ``content_type`` describe it."""

    code = "twilio-unexpected-response"

    def __init__(self, message: str, status: int, content_type: str = "") -> None:
        self.status = status
        self.content_type = content_type
        super().__init__(message, status, content_type, text=message)


class DeliveryPendingError(TwilioError):
    """The message had no final status when the time to wait was over."""

    code = "twilio-delivery-pending"
    retryable = True


class RequestRefusedError(TwilioError):
    """The component refuses to send a request that would give the credentials to another host."""

    code = "twilio-request-refused"


class OutcomeUnknownError(TwilioError):
    """The request was written and no response tells its outcome: the message MAY have been sent.

    Repeating the call may send it twice. First look for the message in Twilio's list (``listMessages`` by ``to``),
    which may lag by seconds. ``status`` is the HTTP status when there was a response, ``reported`` the error that
    Twilio itself returned, if it did; the constructor takes it as the list of its ``args``, too.
    """

    code = "twilio-outcome-unknown"
    may_have_happened = True

    def __init__(
        self, reason: str, status: int | None = None, reported: TwilioAPIError | Sequence[Any] | None = None
    ) -> None:
        self.reason = reason
        self.status = status
        if reported is not None and not isinstance(reported, TwilioAPIError):
            reported = _BY_STATUS.get(reported[0], TwilioAPIError)(*reported)
        self.reported = reported
        warning = (
            "The request may have been processed, so a message may have been sent: look for it in the list of messages "
            "before you repeat the call"
        )
        lines = [f"{reason}. {warning}"]
        if reported is not None:
            lines.append(reported.summary)
            # The catalogue's line on retries is left out: it knows the code alone, and the warning above decides.
            lines += [reported.explanation.guidance] if reported.explanation else []
        super().__init__(reason, status, [*reported.args] if reported else None, text="\n".join(lines))

    def hide(self, values: Iterable[str]) -> None:
        """Remove values from the error's texts, and from those of the error that Twilio reported."""
        hidden = [*values]
        super().hide(hidden)
        if self.reported is not None:
            self.reported.hide(hidden)


_BY_STATUS = {401: AuthenticationError, 403: PermissionDeniedError, 404: NotFoundError, 429: RateLimitedError}
CERTAIN_STATUSES = frozenset(_BY_STATUS)


def api_error(status: int, body: dict[str, Any], retry_after: float | None = None) -> TwilioAPIError:
    """Return the error for an error response; ``body`` is Twilio's ``{"code", "message", "more_info", "status"}``."""
    kind = _BY_STATUS.get(status, TwilioAPIError)
    code = body.get("code")
    message = body.get("message") or body.get("detail") or "no message"
    more_info = body.get("more_info")
    return kind(
        status,
        code if isinstance(code, int) else None,
        str(message),
        more_info if isinstance(more_info, str) and more_info else None,
        retry_after=retry_after,
    )
