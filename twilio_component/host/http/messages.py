"""HTTP as components see it: one request, one complete response, and certainty about what was written.

An `HttpTransport` sends the requests. There are two: over asyncio, the host's default, and over any httpx transport
that a caller injects. Whether a request may be repeated depends on whether any of it can have arrived; the way `send`
ends tells:

- `NotWrittenError`: no byte of the request was written;
- `ResponseLostError`: the request, or part of it, may have arrived, but there is no complete response (or one that is
  too large: `ResponseTooLargeError`);
- cancelled: ``request.written`` says which of the two it would have been.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Protocol

from twilio_component.host.portable_error import PortableError

CONNECT_SECONDS = 5.0
SECONDS = 30.0
# Far more than a page of a thousand long messages, and nothing that fills a machine's memory.
MAX_RESPONSE_BYTES = 64 << 20


@dataclass(slots=True)
class Request:
    """An HTTP request. ``seconds`` is the time limit of the whole exchange, ``connect_seconds`` that of connecting.

    ``largest`` is how many bytes the body of a successful response may have. The transport sets ``written``; one that
    cannot know leaves it true. Its ``repr`` shows neither headers nor content: tools that print tracebacks show those.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)
    seconds: float = SECONDS
    connect_seconds: float = CONNECT_SECONDS
    largest: int = MAX_RESPONSE_BYTES
    written: bool = True


class Headers(Mapping[str, str]):
    """The headers of a response, by name in any case; iteration gives lower case. Commas join repeated ones."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for raw_name, raw_value in pairs:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("utf-8", "surrogateescape")
            self._values[name] = f"{self._values[name]}, {value}" if name in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a header, or ``default``."""
        return self._values.get(name.lower(), default)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response with its whole body. ``headers`` ignore the case of names."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The body as text in its ``charset`` (UTF-8 unless Python knows it), with undecodable bytes replaced."""
        kind = EmailMessage()
        kind["content-type"] = self.headers.get("content-type", "")
        try:
            return self.content.decode(kind.get_content_charset("utf-8"), "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
        """Return the body as JSON, None if it is not JSON; ``object_hook`` may replace each object that was read."""
        try:
            return json.loads(self.content, object_hook=object_hook)
        except (ValueError, RecursionError):
            return None


class NotWrittenError(PortableError):
    """No byte of the request was written. ``transient`` says whether a later attempt may fare better."""

    def __init__(self, reason: str, *, transient: bool = True) -> None:
        super().__init__(reason)
        self.transient = transient


class ResponseLostError(PortableError):
    """The request may have arrived; its outcome is unknown."""


class ResponseTooLargeError(ResponseLostError):
    """The response body has more bytes than ``bound``; ``size`` is its Content-Length, if there was one."""

    def __init__(self, bound: int, size: int | None = None) -> None:
        self.bound = bound
        self.size = size
        found = f"{size:,} bytes" if size is not None else f"more than {bound:,} bytes"
        super().__init__(bound, size, text=f"the response has {found}; at most {bound:,} are read")


class HttpTransport(Protocol):
    """Sends requests; belongs to one event loop."""

    async def send(self, request: Request) -> Response:
        """Send a request and return its response, whatever its status; redirects are not followed.

        Raises ``NotWrittenError`` or ``ResponseLostError``.
        """

    async def aclose(self) -> None:
        """Close every connection that the transport opened."""
