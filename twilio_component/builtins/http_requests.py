"""HTTP requests to hosts that the configuration allows by name."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import PerformError, listed
from twilio_component.host.json_ready import from_buffer

if TYPE_CHECKING:
    import httpx

    from twilio_component.host.context import Context

_UNSAFE = frozenset({"POST", "PATCH"})
_LARGEST_BODY = 50_000_000


class RequestError(PerformError):
    """A request that failed: no answer, or an answer of 400 and more."""

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


async def _send(method: str, context: Context, inputs: dict[str, Any]) -> Any:
    request = _request(method, inputs)
    _check_host(request.url, context)
    for attempt in range(inputs["maxRetries"] + 1):
        if attempt:
            factor = 2 ** (attempt - 1) if inputs["useExponentialBackoff"] else 1
            await context.resources.sleep(inputs["retryDelayMS"] * factor / 1000)
        try:
            response = await _answer(context, request)
            if inputs["debugRequest"]:
                context.logger.info("%s %s: %d", method, request.url.host, response.status_code)
            return _result(response, inputs)
        except RequestError as error:
            repeat = inputs["retryOnAllErrors"] or (error.retryable and method not in _UNSAFE)
            if attempt == inputs["maxRetries"] or not repeat:
                raise
    raise AssertionError("the last attempt returns or raises")


def _request(method: str, inputs: dict[str, Any]) -> httpx.Request:
    import httpx  # a flow without requests need not wait for it

    headers = [(pair["key"], pair["value"]) for pair in inputs["headers"]]
    data = inputs.get("data")
    content: str | bytes | None
    if data is None or isinstance(data, str):
        content = data
    elif isinstance(data, dict) and data.get("type") == "Buffer":
        content = from_buffer(data)
    else:
        content = json.dumps(data, ensure_ascii=False)
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("content-type", "application/json"))
    try:
        url = httpx.URL(inputs["url"])
        if inputs["queryParams"]:
            url = url.copy_merge_params([(pair["key"], pair["value"]) for pair in inputs["queryParams"]])
        seconds = inputs["timeout"] / 1000 or None
        timeout = httpx.Timeout(seconds).as_dict()
        return httpx.Request(method, url, headers=headers, content=content, extensions={"timeout": timeout})
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise PerformError("the URL or a header cannot be sent as it is written") from error


def _check_host(url: httpx.URL, context: Context) -> None:
    allowed = context.instance.get("httpHosts", [])
    if url.scheme not in ("http", "https") or url.host.lower() not in {host.lower() for host in allowed}:
        names = f"it allows {listed(allowed)}" if allowed else "it allows none"
        raise PerformError(f"the configuration's httpHosts do not allow requests to '{url.host}' ({names})")


async def _answer(context: Context, request: httpx.Request) -> httpx.Response:
    import httpx

    try:
        response = await context.resources.transport.handle_async_request(request)
        try:
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > _LARGEST_BODY:
                    raise RequestError(f"{request.url.host} answers with more than {_LARGEST_BODY:,} bytes")
        finally:
            await response.aclose()
    except (httpx.TransportError, httpx.StreamError) as error:
        unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
        raise RequestError(
            f"{request.url.host} gave no answer: {type(error).__name__}", retryable=True, may_have_happened=not unsent
        ) from error
    return httpx.Response(response.status_code, headers=response.headers, content=bytes(body), request=request)


def _result(response: httpx.Response, inputs: dict[str, Any]) -> Any:
    if response.status_code >= 400:  # noqa: PLR2004 - where errors start in HTTP
        server = response.status_code >= 500  # noqa: PLR2004 - and where the server's own
        raise RequestError(
            f"{response.request.url.host} answers {response.status_code} {response.reason_phrase}".rstrip(),
            retryable=server or response.status_code == 429,  # noqa: PLR2004 - too many requests
            may_have_happened=server,
        )
    data: Any = response.content
    if inputs["responseType"] != "binary":
        data = response.text
    if inputs["responseType"] == "json":
        with contextlib.suppress(ValueError, RecursionError):  # as documented, it stays text
            data = json.loads(data)
    if inputs["includeFullResponse"]:
        return {"status": response.status_code, "headers": dict(response.headers), "data": data}
    return data
