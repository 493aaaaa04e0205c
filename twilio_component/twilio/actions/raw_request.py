"""Any request to Twilio's API with the connection's credentials, and to no other host."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from twilio_component.host.errors import InputError, PerformError, Problem
from twilio_component.host.http.messages import CONNECT_SECONDS, Request, Response
from twilio_component.host.http.retries import send_with_retries
from twilio_component.host.serialization import from_buffer
from twilio_component.twilio.client import TwilioClient, client_for, encode_pairs, raise_for_status
from twilio_component.twilio.credentials import API_VERSION
from twilio_component.twilio.errors import (
    NotSentError,
    OutcomeUnknownError,
    RequestRefusedError,
    TwilioAPIError,
    TwilioError,
)
from twilio_component.twilio.signatures.forms import FORM_TYPE

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_OWN_HEADERS = frozenset({"authorization", "host", "content-length", "transfer-encoding"})
_FIRST_BACKOFF_MS = 200


async def send(context: Context, inputs: Mapping[str, Any]) -> Any:
    """Send the request and return the response's body as ``responseType`` says.

    Raises ``RequestRefusedError`` for a URL of another host, and for an error response the ``TwilioError`` that fits,
    with ``status``, ``data`` and ``headers``. Repeats a failed request ``maxRetries`` times: after a network error or a
    5xx when the method is idempotent or nothing was sent, or after any error with ``retryAllErrors``. Raises
    ``OutcomeUnknownError`` where an earlier attempt of those may have been processed and the last one failed.
    """
    client = client_for(context, inputs["twilioConnection"])
    url = _url(client, inputs)
    headers, content = _body(inputs, {**client.headers, **_headers(inputs)})
    seconds = (inputs.get("timeout") or 0) / 1_000 or context.resources.request_seconds
    response = await _send(context, client, inputs, Request(inputs["method"], url, headers, content, seconds))
    match inputs["responseType"]:
        case "arraybuffer":
            return response.content
        case "json":
            body = response.json()
            return response.text or None if body is None else body
        case _:
            return response.text


async def _send(context: Context, client: TwilioClient, inputs: Mapping[str, Any], request: Request) -> Response:
    idempotent = request.method in _IDEMPOTENT
    delay = inputs["retryDelayMS"] or (_FIRST_BACKOFF_MS if inputs["useExponentialBackoff"] else 0)

    longest = request.seconds

    async def send(seconds_left: float) -> Response:
        request.seconds = min(longest, seconds_left)
        # A request that has no connection by then was certainly not sent.
        request.connect_seconds = min(CONNECT_SECONDS, request.seconds / 2)
        response = await client.send_once(request, idempotent=idempotent)
        return raise_for_status(response, request, idempotent=idempotent)

    def is_transient(error: PerformError) -> bool:
        if isinstance(error, NotSentError) or not isinstance(error, TwilioError):
            return error.retryable
        return idempotent and (error.status is None or error.status >= 500)  # noqa: PLR2004 - HTTP

    return await send_with_retries(
        send,
        {**inputs, "retryDelayMS": delay},
        is_transient=is_transient,
        retry_all=inputs["retryAllErrors"],
        unknown=_unknown,
        context=context,
    )


def _unknown(last: PerformError) -> OutcomeUnknownError:
    reported = last if isinstance(last, TwilioAPIError) else None
    status = last.status if isinstance(last, TwilioError) else None
    return OutcomeUnknownError(
        f"An earlier attempt got no response that tells its outcome, and the last one failed ({last.code})",
        status=status,
        reported=reported,
    )


def _url(client: TwilioClient, inputs: Mapping[str, Any]) -> str:
    origin = client.credentials.origin()
    given: str = inputs["url"].strip()
    if "\\" in given or any(ord(character) <= 32 or ord(character) == 127 for character in given):  # noqa: PLR2004 - ASCII
        raise InputError(
            "The inputs are not valid",
            [Problem("$.inputs.url", "must have no spaces, backslashes and control characters")],
        )
    if given.startswith("//") or "://" in given.partition("?")[0]:
        url = given
    else:
        path = given if given.startswith("/") else f"/{given}"
        url = origin + (path if path.startswith(f"/{API_VERSION}/") else f"/{API_VERSION}{path}")
    if "queryParams" in inputs:
        pairs = encode_pairs((pair["key"], pair["value"]) for pair in inputs["queryParams"])
        url = f"{url}{'&' if '?' in url else '?'}{pairs}"
    try:
        target, own = urlsplit(url), urlsplit(origin)
        same = (target.scheme.lower(), target.hostname, _port(target)) == (own.scheme.lower(), own.hostname, _port(own))
    except ValueError as error:
        raise InputError("The inputs are not valid", [Problem("$.inputs.url", "is not a URL")]) from error
    if not same or "@" in target.netloc:
        raise RequestRefusedError(
            f"$.inputs.url has another host than the connection's API ({origin}), and its credentials go nowhere else. "
            "Give the path alone, such as /Accounts/AC…/Messages.json"
        )
    return url.partition("#")[0]


def _port(parts: SplitResult) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower())


def _headers(inputs: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    problems = []
    for index, pair in enumerate(inputs.get("headers", ())):
        name, value = pair["key"].strip(), pair["value"].strip()
        if name.lower() in _OWN_HEADERS:
            problems.append(Problem(f"$.inputs.headers[{index}]", f"cannot set {name}, which follows from the rest"))
        elif not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            problems.append(Problem(f"$.inputs.headers[{index}].key", "must have only letters, digits, - and _"))
        elif not value.isprintable() or not value.isascii():
            problems.append(Problem(f"$.inputs.headers[{index}].value", "must have only printable ASCII characters"))
        else:
            headers[name] = value
    if problems:
        raise InputError("The inputs are not valid", problems)
    return headers


def _body(inputs: Mapping[str, Any], given: dict[str, str]) -> tuple[dict[str, str], bytes | None]:
    """The request's headers and body, which is text, JSON, a form, or a form with files."""
    fields = [(pair["key"], pair["value"]) for pair in inputs.get("formData", ())]
    if "data" in inputs:
        data = inputs["data"]
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        return _with_content_type(given, "application/json" if _is_json(text) else FORM_TYPE), text.encode()
    if "fileData" in inputs:
        names = {pair["key"]: pair["value"] for pair in inputs.get("fileDataFileNames", ())}
        kind, content = _multipart(fields, list(_files(inputs["fileData"], names)))
        # The content type must name the boundary of this body.
        return {name: value for name, value in given.items() if name.lower() != "content-type"} | {
            "Content-Type": kind
        }, content
    if fields:
        return _with_content_type(given, FORM_TYPE), encode_pairs(fields).encode("ascii")
    return given, None


def _with_content_type(headers: dict[str, str], kind: str) -> dict[str, str]:
    """The headers with a content type, unless the caller gave one."""
    return headers if any(name.lower() == "content-type" for name in headers) else {**headers, "Content-Type": kind}


def _multipart(fields: list[tuple[str, str]], files: list[tuple[str, Any]]) -> tuple[str, bytes]:
    """A multipart form and its content type, written by httpx."""
    import httpx  # only uploads need it

    grouped: dict[str, list[str]] = {}
    for key, value in fields:
        grouped.setdefault(key, []).append(value)
    request = httpx.Request("POST", "http://localhost", data=grouped, files=files)
    return request.headers["Content-Type"], request.read()


def _files(pairs: list[dict[str, Any]], names: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for index, pair in enumerate(pairs):
        value: Any = pair["value"]
        content_type = "application/octet-stream"
        if isinstance(value, dict) and "contentType" in value:
            value, content_type = value.get("data"), str(value["contentType"])
        try:
            content = from_buffer(value)
        except ValueError as error:
            problem = Problem(f"$.inputs.fileData[{index}].value", str(error))
            raise InputError("The inputs are not valid", [problem]) from error
        yield pair["key"], (names.get(pair["key"], pair["key"]), content, content_type)


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
