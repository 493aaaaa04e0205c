"""What happened: every request with its answer, every webhook with its answer."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twilio_component.emulator.wire import Answer, Request

DEFAULT_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that came in. ``operation`` is None for an unknown path, ``fault`` names the one that it met."""

    number: int
    at: float
    operation: str | None
    request: Request
    answer: Answer
    fault: str | None = None

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
            "answer": _answer(self.answer),
            "fault": self.fault,
        }


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """One webhook that went out, each attempt by itself. ``error`` says why there is no answer."""

    number: int
    at: float
    message_sid: str
    kind: str
    method: str
    url: str
    parameters: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    attempt: int
    answer: Answer | None
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
            "answer": None if self.answer is None else _answer(self.answer),
            "error": self.error,
            "warnings": self.warnings,
        }


class Journal:
    """The newest ``limit`` requests and webhooks, oldest first; both share one numbering."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.requests: deque[RequestRecord] = deque(maxlen=limit)
        self.webhooks: deque[WebhookRecord] = deque(maxlen=limit)
        self._numbers: Iterator[int] = itertools.count(1)

    def next_number(self) -> int:
        """The number of the next record."""
        return next(self._numbers)

    def clear(self) -> None:
        """Forget everything; the numbering goes on."""
        self.requests.clear()
        self.webhooks.clear()


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body.decode("utf-8", "replace"),
        "mishap": answer.mishap.kind if answer.mishap else None,
    }
