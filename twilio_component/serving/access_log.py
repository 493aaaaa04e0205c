"""One line for each request that was responded to: its flow, its status and its run, and nothing of its contents."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from twilio_component.serving.webhook_handler import EXECUTION_HEADER

FLOW = "twilio_component.flow"
"""The key of the scope under which the application says which flow a request is for."""
STATUS_CALLBACK = "(status callback)"
"""What stands in the place of a flow's name for a status callback."""
_LOGGER = logging.getLogger("twilio_component.access")
_FIRST_ERROR = 400
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_RUN_HEADER = EXECUTION_HEADER.lower().encode()

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class AccessLog:
    """An ASGI application around another one; requests for the paths in ``silent`` leave no line."""

    def __init__(self, app: App, silent: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._silent = silent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and log it; one that ends in an exception before its response counts as a 500."""
        if scope["type"] != "http" or scope["path"] in self._silent:
            await self._app(scope, receive, send)
            return
        begun, status, run = time.monotonic(), 500, ""

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status, run
            if message["type"] == "http.response.start":
                status = message["status"]
                run = next((value.decode("latin-1") for name, value in message["headers"] if name == _RUN_HEADER), "")
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            _log(scope, status, run, time.monotonic() - begun)


def _log(scope: Scope, status: int, run: str, seconds: float) -> None:
    # A method and a path are whatever the other end says they are.
    method = scope["method"] if scope["method"] in _METHODS else "another method"
    flow = scope.get(FLOW, "")
    # Each message of a list has several callbacks: the lines about runs would drown.
    is_usual = flow == STATUS_CALLBACK and status < _FIRST_ERROR
    _LOGGER.log(
        logging.DEBUG if is_usual else logging.INFO,
        "%s %s: %d after %.3f s%s",
        method,
        flow or "(no flow has this path)",
        status,
        seconds,
        f", run {run}" if run else "",
        extra={"method": method, "flow": flow, "status": status, "run": run, "seconds": round(seconds, 3)},
    )
