"""Any request to Twilio's API, with the connection's credentials, and only to there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx

from twilio_component.client import READ_SECONDS, TwilioClient, checked, client_for, parsed
from twilio_component.credentials import API_VERSION
from twilio_component.errors import NotSentError, RequestRefusedError, TwilioError
from twilio_component.host.errors import InputError, Problem
from twilio_component.host.json_ready import from_buffer

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_OWN_HEADERS = frozenset({"authorization", "host", "content-length", "transfer-encoding"})
_FIRST_BACKOFF_MS = 200
_FORM = "application/x-www-form-urlencoded"


async def send(context: Context, inputs: Mapping[str, Any]) -> Any:
    """Send the request and return the body of its answer by ``responseType``.

    Raises ``RequestRefusedError`` for a URL of another host, and for an answer that is no success the ``TwilioError``
    that fits, with ``status``, ``data`` and ``headers``. ``maxRetries`` times it repeats what failed: after a network
    error or a 5xx if the method may be repeated or certainly was not processed, or after any error with
    ``retryAllErrors``.
    """
    client = client_for(context, inputs["twilioConnection"])
    url = _url(client, inputs)
    headers, content = _body(inputs, {**client.request_headers(), **_headers(inputs)})
    response = await _repeated(
        client, inputs, lambda: httpx.Request(inputs["method"], url, headers=headers, content=content)
    )
    match inputs["responseType"]:
        case "arraybuffer":
            return response.content
        case "json":
            body = parsed(response)
            return response.text or None if body is None else body
        case _:
            return response.text


async def _repeated(client: TwilioClient, inputs: Mapping[str, Any], make: Any) -> httpx.Response:
    repeatable = inputs["method"] in _REPEATABLE
    seconds = (inputs.get("timeout") or 0) / 1_000 or READ_SECONDS
    delay = inputs["retryDelayMS"]
    if inputs["useExponentialBackoff"]:
        delay = delay or _FIRST_BACKOFF_MS
    for attempt in range(inputs["maxRetries"] + 1):
        request = make()
        try:
            return checked(
                await client.attempt(request, repeatable=repeatable, seconds=seconds), request, repeatable=repeatable
            )
        except TwilioError as error:
            if attempt == inputs["maxRetries"] or not (inputs["retryAllErrors"] or _transient(error, repeatable)):
                raise
        await client.retry.sleep(delay * (2**attempt if inputs["useExponentialBackoff"] else 1) / 1_000)
    raise AssertionError("the last attempt returns or raises")  # pragma: no cover


def _transient(error: TwilioError, repeatable: bool) -> bool:  # noqa: FBT001 - two words of one rule
    if isinstance(error, NotSentError):
        return error.retryable
    return repeatable and (error.status is None or error.status >= 500)  # noqa: PLR2004 - HTTP


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
        pairs = urlencode([(pair["key"], pair["value"]) for pair in inputs["queryParams"]])
        url = f"{url}{'&' if '?' in url else '?'}{pairs}"
    try:
        parsed_url, own = httpx.URL(url), httpx.URL(origin)
    except httpx.InvalidURL as error:
        raise InputError("The inputs are not valid", [Problem("$.inputs.url", "is not a URL")]) from error
    if (parsed_url.scheme, parsed_url.host, parsed_url.port) != (own.scheme, own.host, own.port) or parsed_url.userinfo:
        raise RequestRefusedError(
            f"$.inputs.url leads to another host than the connection's API ({origin}); its credentials never go "
            "elsewhere. Give the path alone, such as /Accounts/AC…/Messages.json"
        )
    return url.partition("#")[0]


def _headers(inputs: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    problems = []
    for index, pair in enumerate(inputs.get("headers", ())):
        name, value = pair["key"].strip(), pair["value"].strip()
        if name.lower() in _OWN_HEADERS:
            problems.append(Problem(f"$.inputs.headers[{index}]", f"cannot set {name}; the connection and the body do"))
        elif not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            problems.append(Problem(f"$.inputs.headers[{index}].key", "must have only letters, digits, - and _"))
        elif not value.isprintable() or not value.isascii():
            problems.append(Problem(f"$.inputs.headers[{index}].value", "must have only printable ASCII characters"))
        else:
            headers[name] = value
    if problems:
        raise InputError("The inputs are not valid", problems)
    return headers


def _body(inputs: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[httpx.Headers, bytes | None]:
    """The request's headers and body: text, JSON, a form, or a form with files."""
    given = httpx.Headers(headers)
    if "data" in inputs:
        data = inputs["data"]
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        given.setdefault("Content-Type", "application/json" if _is_json(text) else _FORM)
        return given, text.encode()
    fields = [(pair["key"], pair["value"]) for pair in inputs.get("formData", ())]
    if "fileData" in inputs:
        names = {pair["key"]: pair["value"] for pair in inputs.get("fileDataFileNames", ())}
        # httpx writes the multipart body and chooses its boundary, which the header has to name.
        grouped: dict[str, list[str]] = {}
        for key, value in fields:
            grouped.setdefault(key, []).append(value)
        built = httpx.Request("POST", "http://localhost", data=grouped, files=list(_files(inputs["fileData"], names)))
        given["Content-Type"] = built.headers["Content-Type"]
        return given, built.read()
    if fields:
        given.setdefault("Content-Type", _FORM)
        return given, urlencode(fields).encode("ascii")
    return given, None


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
