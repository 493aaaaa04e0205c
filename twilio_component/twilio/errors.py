"""What can go wrong between the component and Twilio, as one tree below the host's ``PerformError``.

::

    PerformError
    └── TwilioError                     everything that has to do with Twilio
        ├── TwilioAPIError              Twilio answered with an error (code, status, documentation link)
        │   ├── AuthenticationError     401: the credentials are wrong
        │   ├── PermissionDeniedError   403: they are right, and not allowed to do this
        │   ├── NotFoundError           404: there is no such resource
        │   └── RateLimitedError        429: too many requests; nothing was processed
        ├── NotSentError                the request never left: no connection could be made
        ├── NoResponseError               a request that changes nothing got no complete answer
        ├── TooLargeError               an answer with more bytes than are read
        ├── UnexpectedAnswerError       an answer that is not Twilio's: not JSON, a redirect
        ├── DeliveryPendingError          the time to wait for a message's final status is over
        ├── RequestRefusedError         the component refuses to send what was asked for
        └── OutcomeUnknownError         Twilio MAY have processed the request: the message may have been sent

Each has a stable ``code`` for scripts; ``retryable`` says whether the same call may succeed later without a change,
``may_have_happened`` whether its effect may have taken place all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from twilio_component.host.errors import PerformError
from twilio_component.twilio.error_codes import DOCS, Explanation, explain
from twilio_component.twilio.redaction import mask_quoted

# The one refusal that a slower sender overcomes: its queue with Twilio is full.
SENDER_QUEUE_FULL = 21611
# What is wrong with a recipient, or what they have decided: asking again would not change it, and may be unlawful.
_RECIPIENT = frozenset({21211, 21217, 21610, 21612, 21614})


class TwilioError(PerformError):
    """The root of what can go wrong with Twilio.

    When there was an answer, ``status`` is its HTTP status, ``data`` its body (JSON or text) and ``headers`` its
    headers, by names in lower case. They are not in the error's text, since they may repeat what was sent.
    """

    code = "twilio-error"
    status: int | None = None
    data: Any = None
    headers: Mapping[str, str] = MappingProxyType({})


class TwilioAPIError(TwilioError):
    """Twilio answered with an error.

    ``twilio_code`` is Twilio's number (None when the answer had none), ``status`` the HTTP status, ``more_info`` the
    documentation link, ``explanation`` what the catalogue says about the code. ``twilio_message`` are Twilio's own
    words: they may repeat the number or the text that was sent, so the error's text has them with numbers and quoted
    texts masked.
    """

    code = "twilio-api-error"

    def __init__(
        self,
        status: int,
        twilio_code: int | None,
        message: str,
        more_info: str | None,
        *,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.twilio_code = twilio_code
        self.twilio_message = message
        self.more_info = more_info or (DOCS.format(code=twilio_code) if twilio_code else None)
        self.retry_after = retry_after
        self.reason = str(twilio_code) if twilio_code is not None else None
        self.permanent = twilio_code in _RECIPIENT
        self.explanation: Explanation | None = explain(twilio_code)
        passing = self.explanation is not None and self.explanation.retryable
        self.retryable = status == 429 or status >= 500 or passing  # noqa: PLR2004 - HTTP
        if status == 429:  # noqa: PLR2004 - HTTP
            self.throttled = "connection"
        elif twilio_code == SENDER_QUEUE_FULL:
            self.throttled = "sender"
        super().__init__(self.text())

    @property
    def summary(self) -> str:
        """Code, words, status and link in one line."""
        named = f"Twilio error {self.twilio_code}" if self.twilio_code else "Twilio answered with an error"
        where = f" ({self.more_info})" if self.more_info else ""
        return f"{named}: {mask_quoted(self.twilio_message)} [HTTP {self.status}]{where}"

    def text(self) -> str:
        """The summary, and below it what the catalogue knows."""
        return f"{self.summary}\n{self.explanation.advice}" if self.explanation else self.summary


class AuthenticationError(TwilioAPIError):
    """401: Twilio does not accept the connection's credentials."""

    code = "twilio-authentication"


class PermissionDeniedError(TwilioAPIError):
    """403: the credentials are right, but not allowed to do this."""

    code = "twilio-permission"


class NotFoundError(TwilioAPIError):
    """404: Twilio has no such resource in this account."""

    code = "twilio-not-found"


class RateLimitedError(TwilioAPIError):
    """429: too many requests. Nothing was processed; ``retry_after`` is what Twilio asked for, in seconds."""

    code = "twilio-rate-limited"
    retryable = True


class NotSentError(TwilioError):
    """No byte of the request was written: refused connection, unknown host, TLS failure, proxy failure."""

    code = "twilio-not-sent"
    retryable = True


class NoResponseError(TwilioError):
    """A request that changes nothing got no complete answer: a timeout, a dropped connection, a cut-off body."""

    code = "twilio-no-answer"
    retryable = True


class TooLargeError(TwilioError):
    """An answer with more bytes than are read; nothing of it was kept."""

    code = "twilio-too-large"


class UnexpectedAnswerError(TwilioError):
    """An answer that is not Twilio's. ``status`` and ``content_type`` describe it."""

    code = "twilio-unexpected-answer"

    def __init__(self, message: str, *, status: int, content_type: str = "") -> None:
        self.status = status
        self.content_type = content_type
        super().__init__(message)


class DeliveryPendingError(TwilioError):
    """The time to wait is over, and the message has no final status yet."""

    code = "twilio-still-under-way"
    retryable = True


class RequestRefusedError(TwilioError):
    """The component refuses to send this request, so that credentials or intentions are not betrayed."""

    code = "twilio-request-refused"


class OutcomeUnknownError(TwilioError):
    """The request was written and no answer says what became of it: the message MAY have been sent.

    Repeating the call may send it twice. Look for the message in Twilio's list (``listMessages`` by ``to``), which may
    lag by seconds, before you decide. ``status`` is the HTTP status when there was an answer, ``answer`` the error that
    Twilio itself reported, if it did.
    """

    code = "twilio-outcome-unknown"
    may_have_happened = True

    def __init__(self, reason: str, *, status: int | None = None, answer: TwilioAPIError | None = None) -> None:
        self.reason = reason
        self.status = status
        self.answer = answer
        warning = (
            "The request may have been processed, so a message may have been sent: look for it in the list of messages "
            "before repeating the call"
        )
        lines = [f"{reason}. {warning}"]
        if answer is not None:
            lines.append(answer.summary)
            # Whether a retry can help is said above; the catalogue's own line would say it of the code alone.
            lines += [answer.explanation.guidance] if answer.explanation else []
        super().__init__("\n".join(lines))


_BY_STATUS = {401: AuthenticationError, 403: PermissionDeniedError, 404: NotFoundError, 429: RateLimitedError}
CERTAIN_STATUSES = frozenset(_BY_STATUS)


def api_error(status: int, body: dict[str, Any], retry_after: float | None = None) -> TwilioAPIError:
    """The error for an answer of Twilio: ``body`` is its JSON, ``{"code", "message", "more_info", "status"}``."""
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
