"""Requests to Twilio: one client per connection, and one rule for which requests may be repeated.

The rule: a request that provably was not processed (a 429, no connection) is repeated with backoff. An idempotent
request is also repeated after a lost response or a 5xx. Any other request that may have been processed is never
repeated: it ends as `OutcomeUnknownError`, also when the caller cancels it while it is in flight.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlsplit

from twilio_component.host.http.messages import (
    CONNECT_SECONDS,
    SECONDS,
    HttpTransport,
    NotWrittenError,
    Request,
    Response,
    ResponseLostError,
    ResponseTooLargeError,
)
from twilio_component.twilio.clock_difference import ClockDifference
from twilio_component.twilio.credentials import API_VERSION, Credentials
from twilio_component.twilio.errors import (
    CERTAIN_STATUSES,
    NoResponseError,
    NotSentError,
    OutcomeUnknownError,
    RequestRefusedError,
    TooLargeError,
    TwilioError,
    UnexpectedResponseError,
    api_error,
)
from twilio_component.twilio.redaction import mask_numbers
from twilio_component.twilio.request_log import LoggingTransport
from twilio_component.twilio.retry import RetryPolicy, retry_after
from twilio_component.twilio.signatures.forms import FORM_TYPE

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Pairs = Iterable[tuple[str, str]]
ObjectHook = Callable[[dict[str, Any]], Any]

NO_CONTENT, _SEE_OTHER = 204, 303
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_QUOTING = str.maketrans({character: quote_plus(character) for character in map(chr, range(128))})
_NOT_THERE = 20404
_LOGGER = logging.getLogger(__name__)


class TwilioClient:
    """Sends requests on behalf of one connection.

    ``transport`` sends them, and the caller, who owns it, closes it. ``retry`` says how often and after which delay a
    request is repeated that may be; ``debug`` logs every request and response, without secrets. One request takes at
    most ``seconds``.
    """

    def __init__(
        self,
        credentials: Credentials,
        transport: HttpTransport,
        *,
        retry: RetryPolicy | None = None,
        debug: bool = False,
        seconds: float = SECONDS,
    ) -> None:
        self.credentials = credentials
        self.account_path = f"/{API_VERSION}/Accounts/{credentials.account_sid}"
        self.retry = retry or RetryPolicy()
        self.headers: Mapping[str, str] = {
            "Authorization": credentials.authorization,
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"twilio-component/{version('twilio-component')}",
        }
        self._form_headers = {**self.headers, "Content-Type": FORM_TYPE}
        secrets = [credentials.secret, credentials.auth_token, credentials.basic]
        self._transport = LoggingTransport(transport, secrets) if debug else transport
        self.origin = credentials.origin()
        self.clock_difference = ClockDifference()
        # Less to connect: a request that has no connection by then was certainly not sent.
        self.seconds, self.connect_seconds = seconds, min(CONNECT_SECONDS, seconds / 2)

    async def call(
        self,
        method: str,
        path: str,
        *,
        form: Pairs | None = None,
        params: Pairs | None = None,
        idempotent: bool | None = None,
        product: str = "api",
        object_hook: ObjectHook | None = None,
        confidential: Iterable[str] = (),
    ) -> dict[str, Any]:
        """Call Twilio's API and return its JSON object, or ``{}`` for a 204 and a deletion.

        ``path`` is relative to the host that ``product`` names. ``idempotent`` says whether a second request does no
        harm; the default is true for GET. ``object_hook`` may replace every JSON object as soon as it is parsed.
        ``confidential`` are values of the request that no error may show. Raises the ``TwilioError`` that fits.
        """
        origin = self.origin if product == "api" else self.credentials.origin(product)
        url = origin + path + (f"?{encode_pairs(params)}" if params else "")
        if form is None:
            request = Request(method, url, self.headers)
        else:
            request = Request(method, url, self._form_headers, encode_pairs(form).encode("ascii"))
        request.seconds, request.connect_seconds = self.seconds, self.connect_seconds
        safe_to_repeat = method == "GET" if idempotent is None else idempotent
        try:
            response = await self.send(request, idempotent=safe_to_repeat)
        except TwilioError as error:
            error.hide(confidential)
            raise
        if response.status == NO_CONTENT or (method == "DELETE" and not response.content):
            return {}
        return _parse_resource(response, request, object_hook, idempotent=safe_to_repeat)

    async def pages(
        self, path: str, key: str, params: Pairs, *, product: str = "api"
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the pages of a list, following each page's link to the next; ``key`` names the items of a page."""
        items, next_path = await self.page(path, key, params, product=product)
        yield items
        while next_path is not None:
            items, next_path = await self.page(next_path, key, product=product)
            yield items

    async def page(
        self,
        path: str,
        key: str,
        params: Pairs | None = None,
        *,
        product: str = "api",
        object_hook: ObjectHook | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return one page of a list: its items, and the path of the next page (None after the last)."""
        page = await self.call("GET", path, params=params, product=product, object_hook=object_hook)
        items = page.get(key)
        if not isinstance(items, list):
            raise UnexpectedResponseError(f"Twilio's list has no '{key}'", status=200)
        # The first API has a path in the page, the later ones a whole URL in its `meta`.
        meta = page.get("meta")
        link = page.get("next_page_uri") or (meta.get("next_page_url") if isinstance(meta, dict) else None)
        return items, self._path_on_same_host(link, product) if link else None

    def _path_on_same_host(self, link: Any, product: str) -> str:
        """The path of a link to a next page; a page must not be able to send the credentials to another host."""
        path = link.removeprefix(self.credentials.origin(product)) if isinstance(link, str) else ""
        if not path.startswith("/") or path.startswith("//"):
            raise RequestRefusedError("Twilio's link to the next page leads to another host; it is not followed")
        return path

    async def send(self, request: Request, *, idempotent: bool, redirects: bool = False) -> Response:
        """Send a request, repeat it as far as the rule allows, and return its successful response.

        With ``redirects`` a redirect counts as a success, and the caller follows it. Raises the ``TwilioError`` that
        fits.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                response = await self.send_once(request, idempotent=idempotent)
                if redirects and response.status in REDIRECTS and "location" in response.headers:
                    return response
                return raise_for_status(response, request, idempotent=idempotent)
            except TwilioError as error:
                delay = self.retry.delay_for(attempt, error.retry_after) if _may_help_soon(error) else None
                if delay is None:
                    raise
                _LOGGER.info("%s, attempt %d; trying again in %.1f s", error.code, attempt, delay)
                await self.retry.sleep(delay)

    async def send_once(self, request: Request, *, idempotent: bool) -> Response:
        """Send a request once and return its response, whatever its status.

        Raises ``NotSentError`` when no byte of it was written. When the response is lost, raises ``NoResponseError`` or
        ``TooLargeError`` for an ``idempotent`` request and ``OutcomeUnknownError`` for any other.
        """
        sent_at = time.time()
        try:
            response = await self._transport.send(request)
        except NotWrittenError as error:
            host = urlsplit(request.url).hostname
            failure = NotSentError(
                f"{_request_label(request)} could not reach {host}: {_reason(error)}; nothing was sent"
            )
            failure.retryable = error.transient
            raise failure from error
        except ResponseTooLargeError as error:
            text = f"{_request_label(request)}: {error}"
            raise (TooLargeError if idempotent else OutcomeUnknownError)(text) from error
        except ResponseLostError as error:
            text = f"{_request_label(request)}: the response was lost ({_reason(error)})"
            raise (NoResponseError if idempotent else OutcomeUnknownError)(text) from error
        except asyncio.CancelledError as error:
            if idempotent or not request.written:
                raise
            # The caller who gave up may never see the exception, so the log has it too.
            _LOGGER.warning("a %s was cancelled after it was written; its outcome is unknown", request.method)
            raise OutcomeUnknownError(f"The {request.method} was cancelled while it was in flight") from error
        if self.clock_difference.is_due:
            self.clock_difference.measure(response.headers.get("date"), sent_at)
        return response


def client_for(context: Context, connection: Mapping[str, Any]) -> TwilioClient:
    """Return the client of a connection; a host has one per connection and keeps it while it is open.

    Where the caller repeats a call itself (``context.attempt_seconds``), it is one that repeats no request.
    """
    resources, limit = context.resources, context.request_seconds
    return resources.get_or_create(
        ("twilio client", context.debug, limit, connection["key"], *connection["fields"].items()),
        lambda: TwilioClient(
            Credentials.from_connection(connection),
            resources.transport,
            retry=RetryPolicy(sleep=resources.sleep) if limit is None else RetryPolicy(attempts=1),
            debug=context.debug,
            seconds=resources.request_seconds if limit is None else limit,
        ),
    )


def encode_pairs(pairs: Pairs) -> str:
    """Return pairs as a query string or a form body."""
    return "&".join([f"{_quote(name)}={_quote(value)}" for name, value in pairs])


def _quote(text: str) -> str:
    # Quoting character by character took a sixth of the host's time for a send.
    return text.translate(_QUOTING) if text.isascii() else quote_plus(text)


def raise_for_status(response: Response, request: Request, *, idempotent: bool) -> Response:
    """Return a 2xx response; raise the error that any other stands for, with its data and headers."""
    if 200 <= response.status < 300:  # noqa: PLR2004 - HTTP
        return response
    error = _error_for(response, request, idempotent=idempotent)
    error.data = response.json() or response.text
    error.headers = {name.lower(): value for name, value in response.headers.items()}
    raise error


def _may_help_soon(error: TwilioError) -> bool:
    """Whether a repetition within seconds can help; a temporary refusal (a full queue, a daily limit) takes longer."""
    return error.retryable and (error.status is None or error.throttled == "connection" or error.status >= 500)  # noqa: PLR2004 - HTTP


def _error_for(response: Response, request: Request, *, idempotent: bool) -> TwilioError:
    status = response.status
    if status == _SEE_OTHER and not idempotent:
        # It leads to the result of what has been done (RFC 9110), so a gateway may have passed the request on.
        return OutcomeUnknownError(f"{_request_label(request)} got HTTP {status}", status=status)
    if status < 400:  # noqa: PLR2004 - HTTP
        return UnexpectedResponseError(
            f"{_request_label(request)} got a redirect (HTTP {status}), which is not followed because the credentials "
            "would go to another host. Check baseUrl, and whether a proxy wants a login",
            status=status,
        )
    body = response.json()
    # A 5xx or a 408 may come from anywhere between here and Twilio's queue: it proves nothing.
    if not idempotent and (status >= 500 or status == 408):  # noqa: PLR2004 - HTTP
        reported = api_error(status, body) if isinstance(body, dict) else None
        return OutcomeUnknownError(f"{_request_label(request)} got HTTP {status}", status=status, reported=reported)
    wait = retry_after(response.headers.get("retry-after"))
    if isinstance(body, dict):
        error = api_error(status, body, wait)
        if error.twilio_code == _NOT_THERE and not idempotent:
            # What something is created in does not exist: an account that was closed, a service that was deleted.
            error.concerns = "sender"
        return error
    if status in CERTAIN_STATUSES or status >= 500:  # noqa: PLR2004 - HTTP
        # The status alone is clear, even when a proxy wrote the body.
        return api_error(
            status, {"message": f"no explanation from Twilio, the body is {_describe_body(response)}"}, wait
        )
    return UnexpectedResponseError(
        f"{_request_label(request)} got HTTP {status} with {_describe_body(response)} instead of Twilio's JSON",
        status=status,
        content_type=response.headers.get("content-type", ""),
    )


def _parse_resource(
    response: Response, request: Request, object_hook: ObjectHook | None, *, idempotent: bool
) -> dict[str, Any]:
    body = response.json(object_hook)
    if isinstance(body, dict):
        return body
    text = (
        f"{_request_label(request)} succeeded (HTTP {response.status}), but the body is {_describe_body(response)}, "
        "not Twilio's JSON"
    )
    if idempotent:
        raise UnexpectedResponseError(text, status=response.status)
    raise OutcomeUnknownError(text, status=response.status)


def _request_label(request: Request) -> str:
    """Method and last part of the path, for an error: it names the resource, and no person."""
    return f"{request.method} {urlsplit(request.url).path.rpartition('/')[2] or '/'}"


def _reason(error: Exception) -> str:
    return mask_numbers(str(error)) or type(error).__name__


def _describe_body(response: Response) -> str:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip() or "of no stated type"
    return f"{len(response.content)} bytes of {media_type}" if response.content else "empty"
