"""A response body: read and decompressed to its end, or to its size limit if that comes first."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Mapping
from typing import TYPE_CHECKING

from twilio_component.host.http.messages import ResponseLostError, ResponseTooLargeError

if TYPE_CHECKING:
    from twilio_component.host.http.messages import Request

# For a response that is not a success: an error document, or a page of a proxy.
_LARGEST_ERROR = 1 << 20
_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_HEADER_OR_PLAIN = zlib.MAX_WBITS | 32
_NO_HEADER = -zlib.MAX_WBITS


async def read_body(chunks: AsyncIterable[bytes], status: int, headers: Mapping[str, str], request: Request) -> bytes:
    """Return the whole body, decompressed; ``chunks`` are the bytes as received. Raises what ``Body`` raises."""
    body = Body(status, headers, request)
    async for chunk in chunks:
        body.take(chunk)
    return body.content()


class Body:
    """The body of a response with this status and these headers, as it arrives.

    Raises ``ResponseTooLargeError`` as soon as more than ``request.largest`` bytes are announced or received
    (compressed or not), and ``ResponseLostError`` for an encoding that is broken or that the request did not accept.
    """

    __slots__ = ("_bound", "_decompressor", "_left", "_parts")

    def __init__(self, status: int, headers: Mapping[str, str], request: Request) -> None:
        bound = request.largest if 200 <= status < 300 else _LARGEST_ERROR  # noqa: PLR2004 - HTTP
        encoding = headers.get("content-encoding", "").strip().lower()
        announced = headers.get("content-length", "")
        # A HEAD announces a body that it does not send.
        if announced.isdecimal() and int(announced) > bound and request.method != "HEAD":
            raise ResponseTooLargeError(bound, int(announced))
        self._decompressor = _Decompressor(encoding) if encoding not in ("", "identity") else None
        self._parts: list[bytes] = []
        self._bound = self._left = bound

    def take(self, chunk: bytes) -> None:
        """Take the next bytes as they were received."""
        part = chunk if self._decompressor is None else self._decompressor.decompress(chunk, self._left + 1)
        self._left -= len(part)
        if self._left < 0:
            raise ResponseTooLargeError(self._bound)
        self._parts.append(part)

    def content(self) -> bytes:
        """Return the body, which is complete."""
        if self._decompressor is not None and not self._decompressor.complete:
            raise ResponseLostError("the response's encoding is broken")
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class _Decompressor:
    """Decompresses a body chunk by chunk."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._zlib: zlib._Decompress | None = None

    @property
    def complete(self) -> bool:
        """Whether the body ended, or never began: a response without a body may name an encoding."""
        return self._zlib is None or (self._zlib.eof and not self._zlib.unused_data)

    def decompress(self, chunk: bytes, most: int) -> bytes:
        """Return the content of ``chunk``, but at most ``most`` bytes."""
        if not chunk:
            return chunk
        if self._encoding not in _ENCODINGS:
            raise ResponseLostError(f"the response's encoding is not one of {', '.join(sorted(_ENCODINGS))}")
        if self._zlib is None:
            # Some servers leave out the header that `deflate` should have, whose first byte ends in 8.
            plain = self._encoding == "deflate" and chunk[0] & 0x0F != 8  # noqa: PLR2004 - zlib's method
            self._zlib = zlib.decompressobj(_NO_HEADER if plain else _HEADER_OR_PLAIN)
        try:
            return self._zlib.decompress(chunk, most)
        except zlib.error as error:
            raise ResponseLostError("the response's encoding is broken") from error
