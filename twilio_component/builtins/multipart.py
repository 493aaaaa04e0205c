"""Forms with files, as ``multipart/form-data``."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from twilio_component.builtins.formats import as_bytes, as_text, file_in
from twilio_component.host.errors import PerformError

_BYTES = "application/octet-stream"


def multipart_form(inputs: Mapping[str, Any]) -> tuple[bytes, str]:
    """The body of the form with the fields ``formData`` and the files ``fileData``, and its content type.

    ``fileDataFileNames`` has the name of a file by its field; without one a file goes by its field.
    """
    boundary = secrets.token_hex(16)
    names = {pair["key"]: as_text(pair.get("value")) for pair in inputs["fileDataFileNames"]}
    parts = [_part(pair["key"], as_text(pair.get("value")).encode()) for pair in inputs["formData"]]
    for pair in inputs["fileData"]:
        value = pair.get("value")
        content, kind = file_in(value) or (as_bytes(value), _BYTES)
        parts.append(_part(pair["key"], content, names.get(pair["key"]) or pair["key"], kind))
    return _join(parts, boundary.encode()), f"multipart/form-data; boundary={boundary}"


def _part(name: str, content: bytes, file: str = "", kind: str = "") -> bytes:
    about = f'Content-Disposition: form-data; name="{_quote(name)}"'
    if file:
        about += f'; filename="{_quote(file)}"\r\nContent-Type: {_one_line(kind)}'
    return about.encode() + b"\r\n\r\n" + content


def _quote(text: str) -> str:
    # As browsers write it.
    return _one_line(text).replace("\\", "\\\\").replace('"', "%22")


def _one_line(text: str) -> str:
    if set(text) & set("\r\n\0"):
        raise PerformError("the name or the type of a part must be on one line")
    return text


def _join(parts: Sequence[bytes], boundary: bytes) -> bytes:
    return b"".join([*(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts), b"--" + boundary + b"--\r\n"])
