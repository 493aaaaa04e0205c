"""Which library an injected transport belongs to: httpx, or its successor httpx2."""

from __future__ import annotations

import sys
from typing import Any, Protocol

LIBRARIES = ("httpx", "httpx2")


class InjectedTransport(Protocol):
    """What type checkers take for a transport of httpx or httpx2: its ``AsyncBaseTransport`` has this method."""

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request of the library and return its response."""


class SynchronousTransport(Protocol):
    """What type checkers take for a synchronous transport of httpx or httpx2: its ``BaseTransport`` has this method."""

    def handle_request(self, request: Any) -> Any:
        """Send a request of the library and return its response."""


def library_of(transport: object, *, synchronous: bool = False) -> Any:
    """Return the module, httpx or httpx2, whose asynchronous (or ``synchronous``) transport this is.

    Imports neither: who has such a transport has imported its library. Raises ``TypeError`` for anything else.
    """
    # Once these are imported, so that a transport of either is recognised, whichever was imported first.
    libraries = [sys.modules[name] for name in LIBRARIES if name in sys.modules]
    for library in libraries:
        kinds = (library.AsyncBaseTransport, *((library.BaseTransport,) if synchronous else ()))
        if isinstance(transport, kinds):
            return library
    kind = f"{type(transport).__module__}.{type(transport).__qualname__}"
    hint = ""
    for library in libraries:
        if isinstance(transport, library.BaseTransport):
            hint = f"; it is synchronous, and {library.__name__}.AsyncHTTPTransport is its asynchronous form"
        elif isinstance(transport, (library.Client, library.AsyncClient)):
            hint = "; give the transport that the client was made with, not the client"
    raise TypeError(f"a transport must be an AsyncBaseTransport of httpx or httpx2, not {kind}{hint}")
