"""Twilio over HTTP: one client a connection, one rule for what may be repeated.

The rule: a request that provably was not processed (429, no connection) is repeated with backoff; one that changes
nothing is also repeated after a lost answer or a 5xx; one that may have been processed is never repeated and ends as
`OutcomeUnknownError`, also when the caller gives up waiting while it is under way.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx

from twilio_component.credentials import API_VERSION, Credentials
from twilio_component.errors import (
    CERTAIN_STATUSES,
    NoAnswerError,
    NotSentError,
    OutcomeUnknownError,
    RequestRefusedError,
    TwilioError,
    UnexpectedAnswerError,
    api_error,
)
from twilio_component.redact import mask_numbers
from twilio_component.retry import Retry, retry_after

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Form = Iterable[tuple[str, str]]

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
_NOT_WRITTEN = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_LOGGER = logging.getLogger("twilio_component.client")


class TwilioClient:
    """Requests on behalf of one connection.

    ``transport`` carries them; ``retry`` says how those are repeated that may be. Whoever made the transport closes it.
    """

    def __init__(
        self, credentials: Credentials, transport: httpx.AsyncBaseTransport, *, retry: Retry | None = None
    ) -> None:
        self.credentials = credentials
        self.account_path = f"/{API_VERSION}/Accounts/{credentials.account_sid}"
        self._transport = transport
        self.retry = retry or Retry()
        self._origin = credentials.origin()
        self._headers = {
            "Authorization": credentials.authorization,
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"twilio-component/{version('twilio-component')}",
        }

    async def call(
        self,
        method: str,
        path: str,
        *,
        form: Form | None = None,
        params: Form | None = None,
        repeatable: bool | None = None,
    ) -> dict[str, Any]:
        """One call of Twilio's API: its JSON, or ``{}`` for an empty answer.

        ``path`` is relative to the host. ``repeatable`` says whether doing it twice does no harm; a GET does none.
        Raises ``TwilioError`` of the kind that fits.
        """
        content, headers = None, self._headers
        if form is not None:
            content = urlencode(list(form)).encode("ascii")
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        url = self._origin + path + (f"?{urlencode(list(params))}" if params else "")
        request = httpx.Request(method, url, headers=headers, content=content)
        response = await self.send(request, repeatable=method == "GET" if repeatable is None else repeatable)
        return {} if not response.content else self._json(response, request)

    async def pages(self, path: str, key: str, params: Form) -> AsyncIterator[list[dict[str, Any]]]:
        """The pages of a list, followed by ``next_page_uri``; ``key`` names the items in a page."""
        page = await self.call("GET", path, params=params)
        while True:
            items = page.get(key)
            if not isinstance(items, list):
                raise UnexpectedAnswerError(f"Twilio's answer to a list has no '{key}'", status=200)
            yield items
            following = page.get("next_page_uri")
            if not following:
                return
            if not isinstance(following, str) or not following.startswith("/") or following.startswith("//"):
                raise RequestRefusedError("Twilio's next_page_uri does not lead to the same host; it is not followed")
            page = await self.call("GET", following)

    async def send(self, request: httpx.Request, *, repeatable: bool) -> httpx.Response:
        """Send a request, repeat it as far as the rule allows, and return its successful answer, completely read."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return checked(await self.attempt(request, repeatable=repeatable), request, repeatable=repeatable)
            except TwilioError as error:
                wait = self.retry.wait(attempt, getattr(error, "retry_after", None)) if error.retryable else None
                if wait is None:
                    raise
                _LOGGER.info("%s, attempt %d; trying again in %.1f s", error.code, attempt, wait)
                await self.retry.sleep(wait)

    async def attempt(
        self, request: httpx.Request, *, repeatable: bool, seconds: float = READ_SECONDS
    ) -> httpx.Response:
        """Send a request once and read its answer, whatever its status; ``seconds`` bound the whole.

        Raises ``NotSentError``; ``NoAnswerError`` when it is ``repeatable``; else ``OutcomeUnknownError``.
        """
        request.extensions["timeout"] = {"connect": CONNECT_SECONDS, "pool": seconds, "read": seconds, "write": seconds}
        # Without a transport that keeps account of it, assume that the request was written.
        request.extensions["written"] = True
        try:
            async with asyncio.timeout(seconds):
                response = await self._transport.handle_async_request(request)
                try:
                    await response.aread()
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise _failure(f"no complete answer within {seconds:g} s", request, repeatable=repeatable) from error
        except httpx.TransportError as error:
            if never_written(error):
                raise _not_sent(error, request) from error
            reason = f"the answer was lost ({_words(error)})"
            raise _failure(reason, request, repeatable=repeatable, written=True) from error
        except httpx.DecodingError as error:
            raise _failure("the answer's encoding is broken", request, repeatable=repeatable, written=True) from error
        except asyncio.CancelledError as error:
            if repeatable or not request.extensions["written"]:
                raise
            # The caller who gave up may never see the exception: a log line makes sure that somebody does.
            _LOGGER.warning("a %s was cancelled after it was written; its outcome is unknown", request.method)
            raise OutcomeUnknownError(f"The {request.method} was cancelled while it was under way") from error
        return response

    def request_headers(self) -> Mapping[str, str]:
        """The headers of every request, the credentials among them."""
        return self._headers

    @staticmethod
    def _json(response: httpx.Response, request: httpx.Request) -> dict[str, Any]:
        body = parsed(response)
        if isinstance(body, dict):
            return body
        text = f"{_called(request)} succeeded (HTTP {response.status_code}), but the answer is {_described(response)}"
        if request.method == "GET":
            raise UnexpectedAnswerError(f"{text}, not Twilio's JSON", status=response.status_code)
        raise OutcomeUnknownError(f"{text}, not Twilio's JSON", status=response.status_code)


def client_for(context: Context, connection: Mapping[str, Any]) -> TwilioClient:
    """The client of a connection: one a host, kept as long as the host is open."""
    resources = context.resources
    return resources.once(
        ("twilio client", connection["key"], *connection["fields"].items()),
        lambda: TwilioClient(
            Credentials.from_connection(connection), resources.transport, retry=Retry(sleep=resources.sleep)
        ),
    )


def checked(response: httpx.Response, request: httpx.Request, *, repeatable: bool) -> httpx.Response:
    """The response if it is a success; otherwise the error that it stands for, with its data and headers."""
    if response.is_success:
        return response
    error = _error_of(response, request, repeatable=repeatable)
    error.data = parsed(response) or response.text
    error.headers = dict(response.headers)
    raise error


def _error_of(response: httpx.Response, request: httpx.Request, *, repeatable: bool) -> TwilioError:
    status = response.status_code
    if response.is_redirect or status < 400:  # noqa: PLR2004 - HTTP
        return UnexpectedAnswerError(
            f"{_called(request)} was answered with a redirect (HTTP {status}), which is not followed: the credentials "
            "would leave. Is baseUrl right, or is there a proxy that wants a login?",
            status=status,
        )
    body = parsed(response)
    # A 5xx or a 408 may come from anywhere between here and the message: it proves nothing.
    if not repeatable and (response.is_server_error or status == httpx.codes.REQUEST_TIMEOUT):
        code = f", Twilio error {body['code']}" if isinstance(body, dict) and isinstance(body.get("code"), int) else ""
        return OutcomeUnknownError(f"{_called(request)} was answered with HTTP {status}{code}", status=status)
    if isinstance(body, dict):
        return api_error(status, body, retry_after(response.headers.get("retry-after")))
    if status in CERTAIN_STATUSES or response.is_server_error:
        # Clear by the status alone, whoever wrote the body.
        words = {"message": f"no explanation from Twilio, the answer is {_described(response)}"}
        return api_error(status, words, retry_after(response.headers.get("retry-after")))
    return UnexpectedAnswerError(
        f"{_called(request)} was answered with HTTP {status} and {_described(response)}, not Twilio's JSON",
        status=status,
        content_type=response.headers.get("content-type", ""),
    )


def parsed(response: httpx.Response) -> Any:
    """The JSON in a response; None where there is none."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def never_written(error: httpx.TransportError) -> bool:
    """Whether the error proves that no byte of the request was written.

    Some transports over aiohttp call a connection that was dropped later a connect error too; the cause tells.
    """
    if not isinstance(error, _NOT_WRITTEN):
        return False
    cause = error.__cause__
    if cause is None or not type(cause).__module__.startswith("aiohttp"):
        return True
    names = {kind.__name__ for kind in type(cause).__mro__}
    return bool(names & {"ClientConnectorError", "ConnectionTimeoutError", "InvalidURL", "NonHttpUrlClientError"})


def _failure(reason: str, request: httpx.Request, *, repeatable: bool, written: bool | None = None) -> TwilioError:
    text = f"{_called(request)}: {reason}"
    if not (request.extensions["written"] if written is None else written):
        return NotSentError(f"{text}; nothing was sent")
    return NoAnswerError(text) if repeatable else OutcomeUnknownError(text)


def _not_sent(error: httpx.TransportError, request: httpx.Request) -> NotSentError:
    failure = NotSentError(f"{_called(request)} could not reach {request.url.host}: {_words(error)}; nothing was sent")
    # A certificate or a URL that is wrong now is wrong in a second too.
    certificate = "certificate" in str(error).lower()
    failure.retryable = not certificate and not isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError))
    return failure


def _called(request: httpx.Request) -> str:
    """The request for an error: method and last part of the path, which names the resource and no person."""
    return f"{request.method} {request.url.path.rpartition('/')[2] or '/'}"


def _words(error: Exception) -> str:
    return mask_numbers(str(error)) or type(error).__name__


def _described(response: httpx.Response) -> str:
    kind = response.headers.get("content-type", "").partition(";")[0].strip() or "of no stated type"
    return f"{len(response.content)} bytes of {kind}" if response.content else "empty"
