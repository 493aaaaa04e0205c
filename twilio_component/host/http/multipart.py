"""``multipart/form-data`` (RFC 7578), read exactly: the bytes of a part are what stands between its boundaries."""

from __future__ import annotations

from email.message import Message
from typing import NamedTuple

_MAX_PARTS = 1_000


class Part(NamedTuple):
    """A part of a multipart body. ``file_name`` and ``content_type`` are empty where the part does not have them."""

    name: str
    file_name: str
    content_type: str
    data: bytes


def parse_multipart(body: bytes, boundary: str) -> list[Part]:
    """Return the parts in their order; raises ``ValueError`` for a body that is not multipart with this boundary."""
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    _preamble, *pieces = (b"\r\n" + body).split(delimiter, _MAX_PARTS + 1)
    if not boundary or not pieces:
        raise ValueError("the body does not contain the boundary that its Content-Type names")
    parts: list[Part] = []
    for piece in pieces:
        if piece.startswith(b"--"):
            return parts
        if len(parts) == _MAX_PARTS:
            raise ValueError(f"the body has more than {_MAX_PARTS:,} parts")
        parts.append(_part(piece, len(parts) + 1))
    raise ValueError("the body ends before its closing boundary")


def _part(piece: bytes, number: int) -> Part:
    padding, line_end, rest = piece.partition(b"\r\n")
    if padding.strip(b" \t") or not line_end:
        raise ValueError(f"part {number} does not begin with a line of its own")
    # A part without headers begins with the empty line that would end them.
    head, blank, data = (b"", b"\r\n\r\n", rest[2:]) if rest.startswith(b"\r\n") else rest.partition(b"\r\n\r\n")
    if not blank:
        raise ValueError(f"part {number} has no empty line after its headers")
    headers = _headers(head)
    disposition = Message()
    disposition["Content-Disposition"] = headers.get("content-disposition", "")
    name = _parameter(disposition, "name")
    if name is None:
        raise ValueError(f'part {number} has no name: it needs Content-Disposition: form-data; name="…"')
    return Part(name, _parameter(disposition, "filename") or "", headers.get("content-type", ""), data)


def _headers(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        found[name.decode("latin-1").strip().lower()] = value.decode("utf-8", "replace").strip()
    return found


def _parameter(disposition: Message, name: str) -> str | None:
    value = disposition.get_param(name, header="Content-Disposition")
    if isinstance(value, tuple):  # filename*=UTF-8''…
        charset, _, text = value
        return text.encode("latin-1", "replace").decode(charset or "utf-8", "replace")
    # Browsers write these three characters as percent escapes.
    return value if value is None else value.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
