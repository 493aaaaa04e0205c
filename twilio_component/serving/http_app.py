"""The HTTP application, for Starlette: routes, limits on what strangers may send, and health."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twilio_component.durable.deployment import CALLBACKS
from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.observation import Observer
from twilio_component.host.portable_error import PortableError
from twilio_component.serving.access_log import FLOW, STATUS_CALLBACK, AccessLog
from twilio_component.serving.endpoints import find_endpoint
from twilio_component.serving.failed_requests import describe_failure, failure_code
from twilio_component.serving.refusals import refusal
from twilio_component.serving.status_callbacks import CallbackAddress
from twilio_component.serving.webhook_handler import IncomingRequest

if TYPE_CHECKING:
    from twilio_component.serving.endpoints import Endpoint
    from twilio_component.serving.public_urls import PublicUrl
    from twilio_component.serving.status_callbacks import Callbacks
    from twilio_component.serving.trusted_proxies import TrustedProxies
    from twilio_component.serving.webhook_handler import HttpResponse, WebhookHandler

_LIVE, _READY = "/healthz", "/readyz"
_HEALTH = frozenset({_LIVE, _READY})
MAX_BODY_BYTES = 1024 * 1024
MAX_HEADERS = 100
BODY_SECONDS = 10.0
# Twilio waits 15 s. A connection that is silent, or a locked file, may keep us waiting for longer.
RECEIVING_SECONDS = 14.0
_FINAL_STATUSES = range(200, 600)
_WITHOUT_BODY = (204, 205, 304)
_ORDINAL = re.compile(r"\d{1,9}", re.ASCII)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_LOGGER = logging.getLogger("twilio_component.serving")


class RequestRejected(PortableError):  # noqa: N818 - it is a response, not a fault of this program
    """The request is not a webhook; ``status`` is the HTTP status that says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    @property
    def reason(self) -> str:
        """The reason in a word."""
        return {413: "too-large", 408: "too-slow", 431: "too-many-headers"}.get(self.status, "broken-off")


@dataclass(frozen=True, kw_only=True)
class WebhookApp:
    """The routes of the application. ``ready`` raises ``StoreUnavailableError`` while no request could be stored.

    The URL of a request begins with ``public_url``, unless one of the trusted ``proxies`` names another one.
    """

    endpoints: Mapping[str, Endpoint]
    handler: WebhookHandler
    callbacks: Callbacks
    public_url: PublicUrl
    proxies: TrustedProxies
    ready: Callable[[], Awaitable[None]]
    observer: Observer = field(default_factory=Observer)

    def application(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route(_LIVE, self._get_health),
            Route(_READY, self._get_readiness),
            Route(
                f"{self.public_url.mount}{CALLBACKS}/{{component}}/{{action}}/{{run}}/{{ordinal}}",
                self._receive_callback,
                methods=["POST"],
            ),
            Route("/{path:path}", self._receive, methods=["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]),
        ]
        return Starlette(routes=routes, middleware=[Middleware(AccessLog, silent=_HEALTH)])

    async def _receive(self, request: Request) -> Response:
        endpoint = find_endpoint(self.endpoints, self.public_url.public_path(request.scope["path"]))
        if endpoint is None:
            self.observer.webhook_received("", "refused", "no-flow")
            return _refuse(404)
        request.scope[FLOW] = endpoint.flow.name
        if request.method not in endpoint.methods:
            # HEAD and OPTIONS are safe (RFC 9110): they describe the endpoint and start nothing.
            self.observer.webhook_received(endpoint.flow.name, "refused", "method")
            allowed = [*endpoint.methods, *(["HEAD"] if "GET" in endpoint.methods else []), "OPTIONS"]
            headers = {"Allow": ", ".join(allowed)}
            return Response(status_code=204, headers=headers) if request.method in allowed else _refuse(405, headers)
        return await self._respond(request, lambda incoming: self.handler.receive(endpoint, incoming), endpoint)

    async def _receive_callback(self, request: Request) -> Response:
        path = request.path_params
        request.scope[FLOW] = STATUS_CALLBACK
        if not _ORDINAL.fullmatch(path["ordinal"]):
            return _refuse(404)
        address = CallbackAddress(**{**path, "ordinal": int(path["ordinal"])})
        return await self._respond(request, lambda incoming: self.callbacks.receive(address, incoming))

    async def _respond(
        self,
        request: Request,
        receive: Callable[[IncomingRequest], Awaitable[HttpResponse]],
        endpoint: Endpoint | None = None,
    ) -> Response:
        try:
            response = await _receive_in_time(receive, await _incoming_request(request, self._url(request)))
        except RequestRejected as error:
            self.observer.webhook_received(request.scope.get(FLOW, ""), "refused", error.reason)
            return _refuse(error.status)
        except StoreUnavailableError as error:
            # Twilio retries, or requests the fallback URL: nothing is lost, and what was stored is known.
            self.observer.webhook_received(request.scope.get(FLOW, ""), "refused", "database")
            _LOGGER.error("a request was refused: %s", error)  # noqa: TRY400 - the text says it all
            return _refuse(503, {"Retry-After": "5"})
        except Exception as error:
            # Also a connection that is misspelt, or a bug of a component: nothing was stored, and Twilio retries.
            if endpoint is not None:
                self.handler.refuse(endpoint, failure_code(error))
            _LOGGER.warning(
                "%s could not take a request, 500 was sent: %s", request.scope.get(FLOW), describe_failure(error)
            )
            _LOGGER.debug("the error in full", exc_info=error)
            return JSONResponse({"error": "The flow could not be started; its log says why."}, status_code=500)
        return _response(response)

    def _url(self, request: Request) -> str:
        """Return the URL that Twilio was given, as far as we know it: the Host header is whatever a stranger says."""
        path = request.scope["raw_path"].decode("ascii", "replace")
        query = request.scope["query_string"].decode("ascii", "replace")
        forwarded = self.proxies.public_url(request)
        url = forwarded + path if forwarded is not None else self.public_url.origin + self.public_url.public_path(path)
        return url + (f"?{query}" if query else "")

    async def _get_health(self, _request: Request) -> Response:
        return JSONResponse({"status": "up"})

    async def _get_readiness(self, _request: Request) -> Response:
        try:
            await self.ready()
        except StoreUnavailableError as error:
            return JSONResponse({"status": "not ready", "reason": str(error)}, status_code=503)
        return JSONResponse({"status": "ready"})


def _refuse(status: int, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(refusal(status), status_code=status, headers=headers)


def _response(response: HttpResponse) -> Response:
    """Return the response for Starlette; a 500 for one that HTTP cannot carry, which is an error of the flow."""
    media_type = response.content_type or None
    if not _is_sendable(response):
        _LOGGER.error("a flow's response has a status or a header that HTTP cannot carry; 500 was sent instead")
        return Response(status_code=500)
    body = None if response.status in _WITHOUT_BODY else response.body or None
    return Response(body, status_code=response.status, headers=dict(response.headers), media_type=media_type)


def _is_sendable(response: HttpResponse) -> bool:
    values = [response.content_type, *response.headers.values()]
    return (
        response.status in _FINAL_STATUSES
        and all(_HEADER_NAME.fullmatch(name) for name in response.headers)
        and all(_HEADER_VALUE.fullmatch(value) for value in values)
    )


async def _receive_in_time(
    receive: Callable[[IncomingRequest], Awaitable[HttpResponse]], incoming: IncomingRequest
) -> HttpResponse:
    """The response; raises ``StoreUnavailableError`` where it would come too late.

    What the request starts may have been stored all the same. Then it begins soon, and a repeated request is known.
    """
    limit = asyncio.timeout(RECEIVING_SECONDS)
    try:
        async with limit:
            return await receive(incoming)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise StoreUnavailableError("the database did not respond in time") from error


async def _incoming_request(request: Request, url: str) -> IncomingRequest:
    """Return the request; raises ``RequestRejected`` for one that is larger or slower than any webhook."""
    if len(request.headers.raw) > MAX_HEADERS:
        raise RequestRejected(431)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read_body(request)
    except TimeoutError as error:
        raise RequestRejected(408) from error
    except ClientDisconnect as error:
        raise RequestRejected(400) from error
    headers: dict[str, str | list[str]] = {}
    for name in request.headers:
        values = request.headers.getlist(name)
        headers[name] = values[0] if len(values) == 1 else values
    return IncomingRequest(method=request.method, url=url, headers=headers, body=body)


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise RequestRejected(413)
    return bytes(body)
