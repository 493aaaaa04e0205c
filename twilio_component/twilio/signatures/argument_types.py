"""The types of what ``verify`` is given: web frameworks have other ones, which no signature fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def check_types(url: Any, headers: Any, body: Any) -> None:
    """Raise ``TypeError`` that names the argument, its type and what is allowed."""
    if not isinstance(url, str):
        raise TypeError(
            f"url must be text, the whole URL that Twilio was given, not {_name(url)}: str(…) makes it text"
        )
    if not isinstance(body, bytes | bytearray):
        raise TypeError(
            f"body must be the bytes of the request as they came, not {_name(body)}: what has been parsed or decoded "
            "cannot be verified. FastAPI and Starlette have them in `await request.body()`, Flask in "
            "`request.get_data()`, Django in `request.body`"
        )
    if isinstance(headers, str | bytes) or not isinstance(headers, Mapping | Iterable):
        raise TypeError(f"headers must be a mapping, or pairs of names and values, not {_name(headers)}")


def refuse_bytes(headers: Any) -> None:
    """Raise ``TypeError`` for headers whose names are bytes, as those of an ASGI scope are."""
    names = headers if isinstance(headers, Mapping) else (name for name, _ in headers)
    if any(isinstance(name, bytes) for name in names):
        raise TypeError(
            "headers must have text as names and values, not bytes: decode those of an ASGI scope, "
            "[(name.decode('latin-1'), value.decode('latin-1')) for name, value in scope['headers']]"
        )


def _name(value: Any) -> str:
    return type(value).__name__
