"""The HTTP application of the page: its files, what it reads, and what it does with runs."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from twilio_component.durable.errors import RunStateError, StoreUnavailableError, UnknownRunError
from twilio_component.host.errors import InputError
from twilio_component.serving.operations.access import COOKIE
from twilio_component.serving.operations.files import file_response

if TYPE_CHECKING:
    from twilio_component.serving.operations.access import Access
    from twilio_component.serving.operations.api import Api

_MAX_BODY_BYTES = 16 * 1024
_BODY_SECONDS = 10.0
_SIGN_IN_SECONDS = 0.5  # between two attempts of any clients
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_LOGGER = logging.getLogger("twilio_component.serving")
_Handler = Callable[[Request], Awaitable[Response]]


class OperationsApp:
    """The page, for Starlette. ``access`` decides who may use it, ``api`` reads and acts."""

    def __init__(self, access: Access, api: Api) -> None:
        self._access = access
        self._api = api
        self._signing_in = asyncio.Lock()

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/", self._guard(self._get_page)),
                Route("/files/{name}", self._guard(self._get_file)),
                Route("/api/session", self._guard(self._get_session), methods=["GET"]),
                Route("/api/session", self._guard(self._sign_in), methods=["POST"]),
                Route("/api/session", self._guard(self._sign_out), methods=["DELETE"]),
                Route("/api/{path:path}", self._guard(self._read), methods=["GET"]),
                Route("/api/{path:path}", self._guard(self._act), methods=["POST"]),
                Route("/{path:path}", self._guard(self._go_to_page)),
            ]
        )

    def _guard(self, handler: _Handler) -> _Handler:
        async def respond(request: Request) -> Response:
            if not self._access.is_addressed(request):
                return _error(421, "this page is at localhost, 127.0.0.1 or [::1]")
            # A link from elsewhere may lead here; what it leads to asks for everything itself.
            is_link = request.headers.get("sec-fetch-mode") == "navigate" and not request.url.path.startswith("/api/")
            if not (is_link or self._access.is_same_origin(request)):
                return _error(403, "only the page itself may ask for this")
            return await handler(request)

        return respond

    async def _get_page(self, _request: Request) -> Response:
        return file_response("index.html")

    async def _go_to_page(self, _request: Request) -> Response:
        return RedirectResponse("/", headers=_HEADERS)

    async def _get_file(self, request: Request) -> Response:
        return file_response(request.path_params["name"])

    async def _get_session(self, request: Request) -> Response:
        signed_in = self._access.is_signed_in(request)
        session = {"signedIn": signed_in, "needsToken": self._access.needs_token}
        about = {"csrf": self._access.csrf_token(request), **self._api.about()} if signed_in else {}
        return JSONResponse({**session, **about}, headers=_HEADERS)

    async def _sign_in(self, request: Request) -> Response:
        body = await _json_object(request)
        if body is None or not isinstance(body.get("token"), str):
            return _error(400, "the body has to be a JSON object with the token")
        # One attempt at a time, and a pause after each that failed: nobody guesses a token that way.
        async with self._signing_in:
            cookie = self._access.sign_in(body["token"]) if self._access.needs_token else None
            if cookie is None:
                _LOGGER.warning("somebody tried to sign in to the page of operations with another token")
                await asyncio.sleep(_SIGN_IN_SECONDS)
                return _error(403, "this is not the token")
        response = JSONResponse({"signedIn": True}, headers=_HEADERS)
        secure = self._access.is_encrypted(request)
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure)
        return response

    async def _sign_out(self, request: Request) -> Response:
        if not (self._access.is_signed_in(request) and self._access.has_csrf_token(request)):
            return _error(403, "sign in first")
        self._access.sign_out(request)
        response = JSONResponse({"signedIn": False}, headers=_HEADERS)
        response.delete_cookie(COOKIE)
        return response

    async def _read(self, request: Request) -> Response:
        if not self._access.is_signed_in(request):
            return _error(401, "sign in first")
        return await _result(self._api.read(request.path_params["path"], dict(request.query_params)))

    async def _act(self, request: Request) -> Response:
        if not self._access.is_signed_in(request):
            return _error(401, "sign in first")
        if not self._access.has_csrf_token(request):
            return _error(403, "the page is older than this process: load it again")
        body = await _json_object(request)
        if body is None:
            return _error(400, "the body has to be a JSON object, sent as application/json")
        return await _result(self._api.act(request.path_params["path"], body))


async def _result(work: Awaitable[Any]) -> Response:
    try:
        return JSONResponse(await work, headers=_HEADERS)
    except (UnknownRunError, LookupError) as error:
        return _error(404, str(error.args[0] if isinstance(error, LookupError) else error))
    except RunStateError as error:
        return _error(409, str(error))
    except (ValueError, InputError) as error:
        return _error(400, str(error))
    except StoreUnavailableError as error:
        return _error(503, str(error))


async def _json_object(request: Request) -> Mapping[str, Any] | None:
    # A page of another site can send a form without asking, but not this type.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > _MAX_BODY_BYTES:
                    return None
        value = json.loads(bytes(body) or b"{}")
    except (TimeoutError, ClientDisconnect, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status_code=status, headers=_HEADERS)
