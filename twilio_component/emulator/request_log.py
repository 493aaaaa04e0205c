"""The requests that came in and the webhooks that went out, each with its response."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from twilio_component.emulator.http import Request, Response

DEFAULT_LIMIT = 10_000
LARGEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that came in. ``operation`` is None for an unknown path, ``fault`` names the one that it met.

    ``outcome`` is the response before a fault changed it; None where a fault kept the request from taking effect.
    """

    number: int
    at: float
    operation: str | None
    request: Request
    response: Response
    fault: str | None = None
    outcome: Response | None = None

    @property
    def is_refused_send(self) -> bool:
        """Whether it is an attempt to send a message that made none."""
        if self.operation != "messages.create":
            return False
        return self.outcome is None or self.outcome.status >= 400  # noqa: PLR2004 - HTTP's errors begin here

    def is_about(self, message_sid: str) -> bool:
        """Return whether it sent the message, or names it in its path."""
        if self.operation == "messages.create":
            # The text of another message may hold this SID: look into the JSON, but only of those that have it at all.
            made = self.outcome
            return made is not None and message_sid.encode() in made.body and made.json.get("sid") == message_sid
        if self.operation == "verifications.create":
            # Its response names every message, call and mail that has carried the code so far.
            return self.outcome is not None and message_sid.encode() in self.outcome.body
        return f"/{message_sid}" in self.request.path

    @property
    def size(self) -> int:
        """Bytes of both bodies."""
        return len(self.request.body) + len(self.response.body)

    def representation(self) -> dict[str, Any]:
        """For JSON. Credentials are left out."""
        headers = {name: value for name, value in self.request.headers.items() if name != "authorization"}
        return {
            "number": self.number,
            "at": self.at,
            "operation": self.operation,
            "method": self.request.method,
            "path": self.request.path,
            "query": self.request.query,
            "headers": headers,
            "body": self.request.body.decode("utf-8", "replace"),
            "answer": _response_view(self.response),
            "fault": self.fault,
        }


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """One webhook that went out, each attempt by itself. ``error`` says why there is no response."""

    number: int
    at: float
    message_sid: str
    kind: str
    method: str
    url: str
    parameters: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    attempt: int
    response: Response | None
    error: str | None
    warnings: list[str] = field(default_factory=list)

    def representation(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "number": self.number,
            "at": self.at,
            "messageSid": self.message_sid,
            "kind": self.kind,
            "method": self.method,
            "url": self.url,
            "parameters": [list(pair) for pair in self.parameters],
            "headers": dict(self.headers),
            "attempt": self.attempt,
            "answer": None if self.response is None else _response_view(self.response),
            "error": self.error,
            "warnings": self.warnings,
        }


class RequestLog:
    """The newest requests and webhooks, oldest first; both share one numbering.

    Every new one is reported to ``listeners``. Of each at most ``limit`` are kept, and together no more than
    ``LARGEST_BYTES`` of bodies, so that a server that runs for days does not fill the memory.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.requests: deque[RequestRecord] = deque()
        self.webhooks: deque[WebhookRecord] = deque(maxlen=limit)
        self._limit = limit
        self._bytes = 0
        self._numbers: Iterator[int] = itertools.count(1)
        self.listeners: list[Callable[[RequestRecord | WebhookRecord], None]] = []

    def next_number(self) -> int:
        """Return the number of the next record."""
        return next(self._numbers)

    def add_request(self, record: RequestRecord) -> None:
        """Keep a request, and forget the oldest ones that there is no room for."""
        self.requests.append(record)
        self._bytes += record.size
        while len(self.requests) > self._limit or (self._bytes > LARGEST_BYTES and len(self.requests) > 1):
            self._bytes -= self.requests.popleft().size
        self._notify(record)

    def add_webhook(self, record: WebhookRecord) -> None:
        """Keep a webhook, and forget the oldest one that there is no room for."""
        self.webhooks.append(record)
        self._notify(record)

    def clear(self) -> None:
        """Forget everything; the numbering continues."""
        self.requests.clear()
        self.webhooks.clear()
        self._bytes = 0

    def _notify(self, record: RequestRecord | WebhookRecord) -> None:
        for listener in self.listeners:
            listener(record)


def _response_view(response: Response) -> dict[str, Any]:
    return {
        "status": response.status,
        "headers": response.headers,
        "body": response.body.decode("utf-8", "replace"),
        "connectionFault": response.connection_fault.kind if response.connection_fault else None,
    }
