"""HTTP requests to hosts that the configuration allows by name."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from twilio_component.builtins.formats import as_bytes, as_text, file_in
from twilio_component.builtins.multipart import multipart_form
from twilio_component.host.errors import PerformError, join_names
from twilio_component.host.http.messages import NotWrittenError, Request, Response, ResponseLostError
from twilio_component.host.http.retries import send_with_retries
from twilio_component.host.trace_context import HEADER, current_trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.host.context import Context

_UNSAFE = frozenset({"POST", "PATCH"})
_LONGEST_TIMEOUT = 600.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AS_GET = frozenset({301, 302, 303})
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "api-key", "x-api-key"})
_BYTES = "application/octet-stream"


class RequestError(PerformError):
    """A request that failed: no response, or a response of 400 and more."""

    code = "http-request-failed"

    def __init__(self, message: str, *, retryable: bool = False, may_have_happened: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.may_have_happened = may_have_happened


async def get(context: Context, inputs: dict[str, Any]) -> Any:
    """Send a GET request; the same for the others below."""
    return await _send("GET", context, inputs)


async def delete(context: Context, inputs: dict[str, Any]) -> Any:
    """Send a DELETE request."""
    return await _send("DELETE", context, inputs)


async def post(context: Context, inputs: dict[str, Any]) -> Any:
    """Send a POST request."""
    return await _send("POST", context, inputs)


async def put(context: Context, inputs: dict[str, Any]) -> Any:
    """Send a PUT request."""
    return await _send("PUT", context, inputs)


async def patch(context: Context, inputs: dict[str, Any]) -> Any:
    """Send a PATCH request."""
    return await _send("PATCH", context, inputs)


async def post_form(context: Context, inputs: dict[str, Any]) -> Any:
    """Send a multipart form by POST or PUT, with its fields and files."""
    return await _send(inputs["httpMethod"].upper(), context, inputs, multipart_form(inputs))


async def _send(method: str, context: Context, inputs: dict[str, Any], form: tuple[bytes, str] | None = None) -> Any:
    request = _request(method, inputs, form)
    host = _allowed_host(request.url, context)

    longest = request.seconds

    async def send(seconds_left: float) -> Any:
        request.seconds = min(longest, seconds_left)
        response, has_acted = await _follow(context, request, host, inputs["maxRedirects"])
        if inputs["debugRequest"]:
            context.logger.info("%s %s: %d", method, host, response.status)
        return _result(response, inputs, host, has_acted=has_acted)

    return await send_with_retries(
        send,
        inputs,
        is_transient=lambda error: error.retryable and method not in _UNSAFE,
        retry_all=inputs["retryOnAllErrors"],
        unknown=lambda last: RequestError(
            f"{last}; an earlier attempt may have been processed", may_have_happened=True
        ),
        context=context,
    )


async def _follow(context: Context, request: Request, host: str, redirects: int) -> tuple[Response, bool]:
    """The response, after the redirects that lead to allowed hosts; credentials stay with the host they are for.

    It also says whether the request has been processed: a redirect of a POST to a URL for GET means that it has.
    """
    has_acted = False
    while True:
        try:
            response = await _exchange(context, request, host)
            has_acted = has_acted or (response.status in _AS_GET and request.method in _UNSAFE)
            location = response.headers.get("location")
            if response.status not in _REDIRECTS or not location or redirects == 0:
                return response, has_acted
            redirects -= 1
            url = urljoin(request.url, location)
            host = _allowed_host(url, context)
        except PerformError as error:
            error.may_have_happened = error.may_have_happened or has_acted
            raise
        headers = dict(request.headers)
        if urlsplit(url)[:2] != urlsplit(request.url)[:2]:
            headers = {name: value for name, value in headers.items() if name.lower() not in _CREDENTIALS}
        method, content = request.method, request.content
        if response.status in _AS_GET and method not in ("GET", "HEAD"):
            method, content = "GET", None
            headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
        following = Request(method, url, headers, content)
        following.seconds = request.seconds
        request = following


def _request(method: str, inputs: dict[str, Any], form: tuple[bytes, str] | None) -> Request:
    headers = {pair["key"]: pair["value"] for pair in inputs["headers"]}
    if any(set(name + value) & set("\r\n\0") for name, value in headers.items()):
        raise PerformError("a header must be on one line")
    connection = inputs.get("connection")
    if connection and not any(name.lower() == "authorization" for name in headers):
        headers["Authorization"] = _authorization(connection)
    content, kind = form or _body(inputs.get("data"))
    if kind and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    if (trace := current_trace()) and not any(name.lower() == HEADER for name in headers):
        headers[HEADER] = trace
    # What is encoded already stays; what no URL may hold (a space, an umlaut) is encoded.
    url = quote(inputs["url"], safe="%/:?#[]@!$&'()*+,;=~-._")
    if inputs["queryParams"]:
        query = urlencode([(pair["key"], pair["value"]) for pair in inputs["queryParams"]])
        url = f"{url}{'&' if '?' in url else '?'}{query}"
    request = Request(method, url, headers, content)
    request.seconds = inputs["timeout"] / 1000 or _LONGEST_TIMEOUT
    return request


def _authorization(connection: Mapping[str, Any]) -> str:
    fields = connection["fields"]
    if connection["key"] == "basic":
        pair = f"{fields['username']}:{fields['password']}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    return f"{fields['authScheme']} {fields['apiKey']}"


def _body(data: Any) -> tuple[bytes | None, str]:
    """What to send of an input, and its content type where the input tells one."""
    if data is None:
        return None, ""
    file = file_in(data)
    if file is not None:
        return file
    if isinstance(data, dict) and data.get("type") == "Buffer":
        return as_bytes(data), ""
    return as_text(data).encode(), "" if isinstance(data, str) else "application/json"


def _allowed_host(url: str, context: Context) -> str:
    """The URL's host, if the configuration allows it; raises ``PerformError`` if not."""
    allowed = context.instance.get("httpHosts", [])
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise PerformError("the URL cannot be read") from error
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or "\\" in url:
        raise PerformError("the URL must start with https:// (or http://) and have no user name or backslash")
    if host not in {name.lower() for name in allowed}:
        names = f"it allows {join_names(allowed)}" if allowed else "it allows none"
        raise PerformError(f"the configuration's httpHosts do not allow requests to '{host}' ({names})")
    return host


async def _exchange(context: Context, request: Request, host: str) -> Response:
    try:
        return await context.resources.transport.send(request)
    except NotWrittenError as error:
        raise RequestError(f"{host} could not be reached: {error}", retryable=error.transient) from error
    except ResponseLostError as error:
        text = f"{host} gave no response: {error}"
        raise RequestError(text, retryable=True, may_have_happened=True) from error


def _result(response: Response, inputs: dict[str, Any], host: str, *, has_acted: bool) -> Any:
    if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's successes
        server = response.status >= 500  # noqa: PLR2004 - the server's own errors
        raise RequestError(
            f"{host} answered {response.status}",
            retryable=server or response.status == 429,  # noqa: PLR2004 - too many requests
            may_have_happened=server or has_acted or response.status == 408,  # noqa: PLR2004 - a proxy lost patience
        )
    data: Any = response.text
    if inputs["responseType"] in ("binary", "arraybuffer"):
        data = {"data": response.content, "contentType": response.headers.get("content-type", _BYTES)}
    if inputs["responseType"] == "json":
        with contextlib.suppress(ValueError, RecursionError):  # as documented, it stays text
            data = json.loads(data)
    if inputs["includeFullResponse"]:
        return {"status": response.status, "headers": dict(response.headers), "data": data}
    return data
