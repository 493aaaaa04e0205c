"""Twilio over HTTP: one client a connection, one rule for what may be repeated.

The rule: a request that provably was not processed (429, no connection) is repeated with backoff; one that changes
nothing is also repeated after a lost answer or a 5xx; one that may have been processed is never repeated and ends as
`OutcomeUnknownError`, also when the caller gives up waiting while it is under way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlsplit

from twilio_component.host.http.messages import (
    HttpTransport,
    NotWrittenError,
    Request,
    Response,
    ResponseLostError,
    ResponseTooLargeError,
)
from twilio_component.twilio.credentials import API_VERSION, Credentials
from twilio_component.twilio.errors import (
    CERTAIN_STATUSES,
    NoResponseError,
    NotSentError,
    OutcomeUnknownError,
    RequestRefusedError,
    TooLargeError,
    TwilioError,
    UnexpectedAnswerError,
    api_error,
)
from twilio_component.twilio.redaction import mask_numbers
from twilio_component.twilio.request_log import DebugLog
from twilio_component.twilio.retry import Retry, retry_after

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Pairs = Iterable[tuple[str, str]]
Each = Callable[[dict[str, Any]], Any]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
FORM_TYPE = "application/x-www-form-urlencoded"
_QUOTING = str.maketrans({character: quote_plus(character) for character in map(chr, range(128))})
_LOGGER = logging.getLogger("twilio_component.twilio.client")


class TwilioClient:
    """Requests on behalf of one connection.

    ``transport`` sends them; ``retry`` repeats those that may be; ``debug`` logs them and their responses.
    The caller owns the transport and closes it.
    """

    def __init__(
        self, credentials: Credentials, transport: HttpTransport, *, retry: Retry | None = None, debug: bool = False
    ) -> None:
        self.credentials = credentials
        self.account_path = f"/{API_VERSION}/Accounts/{credentials.account_sid}"
        self.retry = retry or Retry()
        self.headers: Mapping[str, str] = {
            "Authorization": credentials.authorization,
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"twilio-component/{version('twilio-component')}",
        }
        self._form_headers = {**self.headers, "Content-Type": FORM_TYPE}
        self._transport = transport
        self._log = DebugLog([credentials.secret, credentials.auth_token, credentials.basic]) if debug else None
        self.origin = credentials.origin()

    async def call(
        self,
        method: str,
        path: str,
        *,
        form: Pairs | None = None,
        params: Pairs | None = None,
        idempotent: bool | None = None,
        product: str = "api",
        each: Each | None = None,
    ) -> dict[str, Any]:
        """One call of Twilio's API: its JSON, or ``{}`` for an empty answer.

        ``path`` is relative to the host, which ``product`` names. ``idempotent`` says whether doing it twice does no
        harm; a GET does none. ``each`` may replace every object of the JSON as soon as that is read. Raises
        ``TwilioError`` of the kind that fits.
        """
        origin = self.origin if product == "api" else self.credentials.origin(product)
        url = origin + path + (f"?{encoded(params)}" if params else "")
        if form is None:
            request = Request(method, url, self.headers)
        else:
            request = Request(method, url, self._form_headers, encoded(form).encode("ascii"))
        answer = await self.send(request, idempotent=method == "GET" if idempotent is None else idempotent)
        return _resource(answer, request, each) if answer.content else {}

    async def pages(
        self, path: str, key: str, params: Pairs, *, product: str = "api"
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """The pages of a list, followed by the link that each has to the next; ``key`` names the items in a page."""
        items, following = await self.page(path, key, params, product=product)
        yield items
        while following is not None:
            items, following = await self.page(following, key, product=product)
            yield items

    async def page(
        self, path: str, key: str, params: Pairs | None = None, *, product: str = "api", each: Each | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """One page of a list: its items, and the path of the page that follows (None after the last)."""
        page = await self.call("GET", path, params=params, product=product, each=each)
        items = page.get(key)
        if not isinstance(items, list):
            raise UnexpectedAnswerError(f"Twilio's answer to a list has no '{key}'", status=200)
        # The first API has a path in the page, the later ones a whole URL in its `meta`.
        meta = page.get("meta")
        following = page.get("next_page_uri") or (meta.get("next_page_url") if isinstance(meta, dict) else None)
        return items, self._on_same_host(following, product) if following else None

    def _on_same_host(self, link: Any, product: str) -> str:
        """A link to a next page as a path; credentials are not sent to wherever a page may lead."""
        path = link.removeprefix(self.credentials.origin(product)) if isinstance(link, str) else ""
        if not path.startswith("/") or path.startswith("//"):
            raise RequestRefusedError(
                "Twilio's link to the next page does not lead to the same host; it is not followed"
            )
        return path

    async def send(self, request: Request, *, idempotent: bool, redirects: bool = False) -> Response:
        """Send a request, repeat it as far as the rule allows, and return its successful answer.

        With ``redirects`` a redirection counts as one; it is the caller's to follow.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = await self.attempt(request, idempotent=idempotent)
                if redirects and answer.status in REDIRECTS and "location" in answer.headers:
                    return answer
                return checked(answer, request, idempotent=idempotent)
            except TwilioError as error:
                wait = self.retry.wait(attempt, getattr(error, "retry_after", None)) if _soon(error) else None
                if wait is None:
                    raise
                _LOGGER.info("%s, attempt %d; trying again in %.1f s", error.code, attempt, wait)
                await self.retry.sleep(wait)

    async def attempt(self, request: Request, *, idempotent: bool) -> Response:
        """Send a request once and return its answer, whatever its status.

        Raises ``NotSentError``; else ``NoResponseError`` or ``TooLargeError`` when it is ``idempotent`` and
        ``OutcomeUnknownError`` when not.
        """
        try:
            return await self._exchanged(request)
        except NotWrittenError as error:
            host = urlsplit(request.url).hostname
            failure = NotSentError(f"{_called(request)} could not reach {host}: {_words(error)}; nothing was sent")
            failure.retryable = error.transient
            raise failure from error
        except ResponseTooLargeError as error:
            text = f"{_called(request)}: {error}"
            raise (TooLargeError if idempotent else OutcomeUnknownError)(text) from error
        except ResponseLostError as error:
            text = f"{_called(request)}: the answer was lost ({_words(error)})"
            raise (NoResponseError if idempotent else OutcomeUnknownError)(text) from error
        except asyncio.CancelledError as error:
            if idempotent or not request.written:
                raise
            # The caller who gave up may never see the exception: a log line makes sure that somebody does.
            _LOGGER.warning("a %s was cancelled after it was written; its outcome is unknown", request.method)
            raise OutcomeUnknownError(f"The {request.method} was cancelled while it was under way") from error

    async def _exchanged(self, request: Request) -> Response:
        if self._log is None:
            return await self._transport.send(request)
        self._log.request(request)
        try:
            answer = await self._transport.send(request)
        except (NotWrittenError, ResponseLostError) as error:
            self._log.failure(error)
            raise
        self._log.answer(answer)
        return answer


def client_for(context: Context, connection: Mapping[str, Any]) -> TwilioClient:
    """The client of a connection: one a host, kept as long as the host is open."""
    resources = context.resources
    return resources.get_or_create(
        ("twilio client", context.debug, connection["key"], *connection["fields"].items()),
        lambda: TwilioClient(
            Credentials.from_connection(connection),
            resources.transport,
            retry=Retry(sleep=resources.sleep),
            debug=context.debug,
        ),
    )


def encoded(pairs: Pairs) -> str:
    """Pairs as a query string or a form."""
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in pairs])


def _quoted(text: str) -> str:
    # A sixth of what the host does for a send went into this, character by character.
    return text.translate(_QUOTING) if text.isascii() else quote_plus(text)


def checked(answer: Response, request: Request, *, idempotent: bool) -> Response:
    """The answer if it is a success; otherwise the error that it stands for, with its data and headers."""
    if 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP
        return answer
    error = _error_of(answer, request, idempotent=idempotent)
    error.data = answer.json() or answer.text
    error.headers = {name.lower(): value for name, value in answer.headers.items()}
    raise error


def _soon(error: TwilioError) -> bool:
    """Whether seconds may make the difference; a temporary refusal (a full queue, a daily limit) takes longer."""
    return error.retryable and (error.status is None or error.status == 429 or error.status >= 500)  # noqa: PLR2004 - HTTP


def _error_of(answer: Response, request: Request, *, idempotent: bool) -> TwilioError:
    status = answer.status
    if status < 400:  # noqa: PLR2004 - HTTP
        return UnexpectedAnswerError(
            f"{_called(request)} was answered with a redirect (HTTP {status}), which is not followed: the credentials "
            "would leave. Is baseUrl right, or is there a proxy that wants a login?",
            status=status,
        )
    body = answer.json()
    # A 5xx or a 408 may come from anywhere between here and the message: it proves nothing.
    if not idempotent and (status >= 500 or status == 408):  # noqa: PLR2004 - HTTP
        told = api_error(status, body) if isinstance(body, dict) else None
        return OutcomeUnknownError(f"{_called(request)} was answered with HTTP {status}", status=status, answer=told)
    wait = retry_after(answer.headers.get("retry-after"))
    if isinstance(body, dict):
        return api_error(status, body, wait)
    if status in CERTAIN_STATUSES or status >= 500:  # noqa: PLR2004 - HTTP
        # Clear by the status alone, whoever wrote the body.
        return api_error(status, {"message": f"no explanation from Twilio, the answer is {_described(answer)}"}, wait)
    return UnexpectedAnswerError(
        f"{_called(request)} was answered with HTTP {status} and {_described(answer)}, not Twilio's JSON",
        status=status,
        content_type=answer.headers.get("content-type", ""),
    )


def _resource(answer: Response, request: Request, each: Each | None) -> dict[str, Any]:
    body = answer.json(each)
    if isinstance(body, dict):
        return body
    text = f"{_called(request)} succeeded (HTTP {answer.status}), but the answer is {_described(answer)}"
    if request.method == "GET":
        raise UnexpectedAnswerError(f"{text}, not Twilio's JSON", status=answer.status)
    raise OutcomeUnknownError(f"{text}, not Twilio's JSON", status=answer.status)


def _called(request: Request) -> str:
    """The request for an error: method and last part of the path, which names the resource and no person."""
    return f"{request.method} {urlsplit(request.url).path.rpartition('/')[2] or '/'}"


def _words(error: Exception) -> str:
    return mask_numbers(str(error)) or type(error).__name__


def _described(answer: Response) -> str:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip() or "of no stated type"
    return f"{len(answer.content)} bytes of {kind}" if answer.content else "empty"
