"""HTTP as components see it: one request, one answer read to its end, and certainty about what was written.

A `HttpTransport` does the work. There are two: over aiohttp, which is what a host uses by itself, and over any httpx
transport that a caller injects. The one question that decides whether a request may be repeated (may any of it have
arrived?) has its answer in how an exchange ends:

- `NotWrittenError`: no byte of the request was written;
- `ResponseLostError`: the request, or part of it, may have arrived, and there is no complete answer (or more of it than
  anybody wants: `ResponseTooLargeError`);
- cancelled: ``request.written`` says which of the two it would have been.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Protocol

CONNECT_SECONDS = 5.0
SECONDS = 30.0
# Far more than a page of a thousand long messages, and nothing that fills a machine's memory.
LARGEST_ANSWER = 64 << 20


@dataclass(slots=True)
class Request:
    """A request, ready to be written. ``seconds`` bound the whole exchange, ``connect_seconds`` the connecting.

    ``largest`` is how many bytes a successful answer's body may have.
    ``written`` is kept by the carrier; one that cannot know leaves it true.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None
    seconds: float = SECONDS
    connect_seconds: float = CONNECT_SECONDS
    largest: int = LARGEST_ANSWER
    written: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with its whole body. ``headers`` may be asked in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """The body as text by its ``charset`` (UTF-8 without one that Python knows), undecodable bytes replaced."""
        kind = EmailMessage()
        kind["content-type"] = self.headers.get("content-type", "")
        try:
            return self.content.decode(kind.get_content_charset("utf-8"), "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self, each: Callable[[dict[str, Any]], Any] | None = None) -> Any:
        """What the body says as JSON, None where it is none; ``each`` may replace every object once that is read."""
        try:
            return json.loads(self.content, object_hook=each)
        except (ValueError, RecursionError):
            return None


class NotWrittenError(Exception):
    """No byte of the request was written. ``transient`` says whether a later attempt may fare better."""

    def __init__(self, reason: str, *, transient: bool = True) -> None:
        super().__init__(reason)
        self.transient = transient


class ResponseLostError(Exception):
    """The request may have arrived; what became of it is unknown."""


class ResponseTooLargeError(ResponseLostError):
    """The answer's body has more bytes than the ``bound``; ``size`` is how many were announced, if they were."""

    def __init__(self, bound: int, size: int | None = None) -> None:
        self.bound = bound
        self.size = size
        found = f"{size:,} bytes" if size is not None else f"more than {bound:,} bytes"
        super().__init__(f"the answer has {found}, and at most {bound:,} are read")


class HttpTransport(Protocol):
    """Carries requests; belongs to one event loop."""

    async def send(self, request: Request) -> Response:
        """Send a request and read its answer, whatever its status; redirects are answers like others."""

    async def aclose(self) -> None:
        """Close every connection that the carrier opened."""
