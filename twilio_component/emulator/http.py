"""A request and its response, as the emulator sees them: no sockets, no HTTP library."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

FORM = "application/x-www-form-urlencoded"


class Fields:
    """Named values in their order, where a name may stand several times: a query string or a form."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    @classmethod
    def parse(cls, text: str) -> Fields:
        """Parse a query string or a form-encoded body; blank values count."""
        return cls(parse_qsl(text, keep_blank_values=True))

    def __contains__(self, name: str) -> bool:
        return any(name == one for one, _ in self._pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def get(self, name: str) -> str | None:
        """Return the last value of ``name``, or None where it is missing."""
        return next((value for one, value in reversed(self._pairs) if one == name), None)

    def getlist(self, name: str) -> list[str]:
        """Return every value of ``name``, in order."""
        return [value for one, value in self._pairs if one == name]


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    ``path`` is still percent-encoded, ``headers`` have lower-case names, ``base_url`` is scheme and host as the client
    knows them.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # they have the credentials
    body: bytes = b""
    base_url: str = "https://api.twilio.com"

    @property
    def arguments(self) -> Fields:
        """The fields of the query string."""
        return Fields.parse(self.query)

    @property
    def form(self) -> Fields:
        """The fields of a form-encoded body; none for a body of another type, as at Twilio."""
        media_type = self.headers.get("content-type", FORM).partition(";")[0].strip().lower()
        if media_type != FORM:
            return Fields([])
        return Fields.parse(self.body.decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class ConnectionFault:
    """What happens to a response on its way.

    ``refused``: the connection is never made. ``certificate``: its certificate is for another host. ``dropped``: it
    closes without a response. ``cut``: it closes after ``share`` of the body. ``slow``: the response takes
    ``seconds``, in ``pieces`` of equal size.
    """

    kind: Literal["refused", "certificate", "dropped", "cut", "slow"]
    seconds: float = 0.0
    pieces: int = 1
    share: float = 0.5


@dataclass(slots=True)
class Response:
    """One response: status, body, and the headers beyond those that the connection itself needs.

    ``connection_fault`` is what keeps it from arriving as it is. A ``stream`` follows the body, piece by piece, and may
    never end.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    connection_fault: ConnectionFault | None = None
    stream: AsyncGenerator[bytes, None] | None = None

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Handler(Protocol):
    """Responds to requests. What carries them to it (a server, an httpx transport) needs to know nothing else."""

    async def handle(self, request: Request) -> Response:
        """Return the response to one request."""


def json_response(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return ``value`` as JSON, in the form in which Twilio writes it."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(status, body, {"Content-Type": "application/json;charset=utf-8", **(headers or {})})
