"""One HTTP request and its response, over asyncio or an injected httpx transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component._lazy import lazy_exports

if TYPE_CHECKING:
    from twilio_component.host.http.asyncio_transport import AsyncioTransport
    from twilio_component.host.http.httpx_transport import HttpxTransport
    from twilio_component.host.http.messages import (
        HttpTransport,
        NotWrittenError,
        Request,
        Response,
        ResponseLostError,
        ResponseTooLargeError,
    )

_HOMES = {
    "AsyncioTransport": "asyncio_transport",
    "HttpxTransport": "httpx_transport",
    **dict.fromkeys(
        ("HttpTransport", "NotWrittenError", "Request", "Response", "ResponseLostError", "ResponseTooLargeError"),
        "messages",
    ),
}

__all__ = [
    "AsyncioTransport",
    "HttpTransport",
    "HttpxTransport",
    "NotWrittenError",
    "Request",
    "Response",
    "ResponseLostError",
    "ResponseTooLargeError",
]

if not TYPE_CHECKING:  # a checker would take any name for one that `__getattr__` knows
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
