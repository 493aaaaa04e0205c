"""An answer's body: read to its end or to its bound, whichever comes first, and unpacked no further than that."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Mapping
from typing import TYPE_CHECKING

from twilio_component.host.http.messages import ResponseLostError, ResponseTooLargeError

if TYPE_CHECKING:
    from twilio_component.host.http.messages import Request

# Of an answer that is no success: an error with its words, or somebody's page.
_LARGEST_ERROR = 1 << 20
_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_HEADER_OR_PLAIN = zlib.MAX_WBITS | 32
_NO_HEADER = -zlib.MAX_WBITS


async def read_body(chunks: AsyncIterable[bytes], status: int, headers: Mapping[str, str], request: Request) -> bytes:
    """The whole body, as it was before it was packed.

    ``chunks`` are the bytes as they came. Raises ``ResponseTooLargeError`` as soon as more than ``request.largest`` are
    announced or have come (packed or not), and ``ResponseLostError`` for an encoding that is broken or that was not
    asked for.
    """
    bound = request.largest if 200 <= status < 300 else _LARGEST_ERROR  # noqa: PLR2004 - HTTP
    encoding = headers.get("content-encoding", "").strip().lower()
    announced = headers.get("content-length", "")
    # What a HEAD announces does not come.
    if announced.isdecimal() and int(announced) > bound and request.method != "HEAD":
        raise ResponseTooLargeError(bound, int(announced))
    packing = _Packed(encoding) if encoding not in ("", "identity") else None
    parts: list[bytes] = []
    left = bound
    async for chunk in chunks:
        part = chunk if packing is None else packing.unpacked(chunk, left + 1)
        left -= len(part)
        if left < 0:
            raise ResponseTooLargeError(bound)
        parts.append(part)
    if packing is not None and not packing.complete:
        raise ResponseLostError("the answer's encoding is broken")
    return parts[0] if len(parts) == 1 else b"".join(parts)


class _Packed:
    """A body that comes packed."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._unpacker: zlib._Decompress | None = None

    @property
    def complete(self) -> bool:
        """Whether it has come to its end, or never began: an answer without a body may name an encoding."""
        return self._unpacker is None or (self._unpacker.eof and not self._unpacker.unused_data)

    def unpacked(self, chunk: bytes, most: int) -> bytes:
        """What ``chunk`` holds; only the first ``most`` bytes of it, should there be more."""
        if not chunk:
            return chunk
        if self._encoding not in _ENCODINGS:
            raise ResponseLostError(f"the answer's encoding is none of {', '.join(sorted(_ENCODINGS))}")
        if self._unpacker is None:
            # Some servers leave out the header that `deflate` should have, whose first byte ends in 8.
            plain = self._encoding == "deflate" and chunk[0] & 0x0F != 8  # noqa: PLR2004 - zlib's method
            self._unpacker = zlib.decompressobj(_NO_HEADER if plain else _HEADER_OR_PLAIN)
        try:
            return self._unpacker.decompress(chunk, most)
        except zlib.error as error:
            raise ResponseLostError("the answer's encoding is broken") from error
