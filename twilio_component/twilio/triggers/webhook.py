"""The ``webhook`` trigger: verifies a request of Twilio's and returns what it says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from twilio_component.twilio.signatures.forms import FORM_TYPE, group_by_name, parse_form
from twilio_component.twilio.signatures.shared_keys import parse
from twilio_component.twilio.signatures.verification import WebhookRefusedError, media_type, normalize_headers, verify

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_LARGEST_BYTE = 255


class _Request(NamedTuple):
    """The HTTP request inside a payload."""

    url: str
    method: str
    headers: list[tuple[str, str]]
    body: bytes


async def receive(context: Context, payload: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Verify the request in ``payload`` and return the documented payload.

    ``payload`` needs ``headers``, ``rawBody`` (``{"data": bytes, a Buffer object or text, "contentType"?}``) and
    ``invokeUrl``, the URL that Twilio was given; ``method`` defaults to POST. In the result, ``rawBody.data`` is bytes
    and ``body.data`` their content: a form's parameters or a JSON value; ``body`` is empty for any other type. Raises
    ``WebhookRefusedError`` for a request that is not provably Twilio's, and for a payload that is not a request.
    """
    request = _request(payload)
    if inputs.get("validateSignature") is not False:
        verify(request.url, request.headers, request.body, method=request.method, **_keys(inputs))
    given = {key: value for key, value in payload.items() if value is not None}
    documented = {
        "headers": dict(payload["headers"]),
        "body": _parse_body(request),
        "rawBody": {**payload["rawBody"], "data": request.body},
        "queryParameters": given.pop("queryParameters", None) or _query_parameters(request.url),
    }
    return {**documented, **_host_context(context, request.method), **given, **documented}


def _request(payload: Mapping[str, Any]) -> _Request:
    headers, raw_body, url = payload.get("headers"), payload.get("rawBody"), payload.get("invokeUrl")
    method = payload.get("method") or "POST"
    if not (isinstance(headers, Mapping) and isinstance(raw_body, Mapping) and isinstance(url, str)):
        raise WebhookRefusedError(
            "Refused: the payload is not a request. It needs headers and rawBody, both objects, and invokeUrl, the URL "
            "that Twilio was given."
        )
    if not isinstance(method, str):
        raise WebhookRefusedError("Refused: the payload's method is not text; Twilio sends GET and POST.")
    named = normalize_headers(headers)
    content_type = raw_body.get("contentType")
    if isinstance(content_type, str) and not any(name == "content-type" for name, _ in named):
        named.append(("content-type", content_type))
    return _Request(url, method, named, _bytes(raw_body.get("data")))


def _bytes(data: Any) -> bytes:
    """The raw body from bytes, text, or Node's ``{"type": "Buffer", "data": [69, 120, …]}``; None is an empty body."""
    if data is None:
        return b""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if isinstance(data, str):
        return data.encode("utf-8", "surrogatepass")
    numbers = data.get("data") if isinstance(data, Mapping) and data.get("type") == "Buffer" else None
    if isinstance(numbers, list) and all(type(number) is int and 0 <= number <= _LARGEST_BYTE for number in numbers):
        return bytes(numbers)
    raise WebhookRefusedError(
        'Refused: rawBody.data is neither bytes nor text nor {"type": "Buffer", "data": [bytes]}.'
    )


def _keys(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The Auth Tokens and shared keys of the inputs; an API key's secret cannot verify anything."""
    connection = inputs.get("twilioConnection") or {}
    fields = connection["fields"] if connection else {}
    of_connection = fields.get("password") if connection.get("key") == "basic" else fields.get("authToken")
    # Of a basic connection, authToken is the sub-account's.
    given = (inputs.get("authToken"), inputs.get("secondaryAuthToken"), of_connection, fields.get("authToken"))
    tokens = [token for token in given if isinstance(token, str) and token.strip()]
    shared = {**_shared_keys(fields), **_shared_keys(inputs)}
    if not tokens and not shared:
        raise WebhookRefusedError(
            "Refused: there is no Auth Token to check the signature with. Set the input authToken to the account's "
            "primary Auth Token (or twilioConnection to a connection that has one: an API key's secret cannot verify "
            "a signature), or sharedKeys to the webhook shared keys that sign. Only an explicit validateSignature: "
            "false turns the check off."
        )
    return {"auth_tokens": tokens, "shared_keys": shared}


def _shared_keys(fields: Mapping[str, Any]) -> dict[str, str]:
    text = fields.get("sharedKeys")
    return parse(text) if isinstance(text, str) else {}


def _parse_body(request: _Request) -> dict[str, Any]:
    """``{"data": …, "contentType": …}`` for a form or JSON, else an empty object: ``rawBody`` has the bytes."""
    kind = media_type(request.headers)
    if kind == FORM_TYPE and request.body:
        data: Any = group_by_name(parse_form(request.body))
    elif kind == "application/json" or kind.endswith("+json"):
        try:
            data = json.loads(request.body, parse_float=_finite, parse_constant=_finite)
        except (ValueError, RecursionError):
            return {}
    else:
        return {}
    return {
        "data": data,
        "contentType": next((value for name, value in request.headers if name == "content-type"), kind),
    }


def _finite(number: str) -> float:
    """A number that JSON can represent: Python would also read ``NaN`` and ``1e999``."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _query_parameters(url: str) -> dict[str, Any] | None:
    query = url.partition("#")[0].partition("?")[2]
    return group_by_name(parse_form(query.encode("utf-8", "replace"))) or None


def _host_context(context: Context, method: str) -> dict[str, Any]:
    """What the host knows beyond the request, as defaults for the payload."""
    return {
        "webhookUrls": dict(context.webhook_urls),
        "webhookApiKeys": dict(context.webhook_api_keys),
        "customer": dict(context.customer),
        "method": method,
        "pathFragment": "",
        "executionId": context.execution_id,
        "instance": dict(context.instance),
        "user": dict(context.user),
        "integration": dict(context.integration),
        "flow": dict(context.flow),
        "startedAt": context.started_at,
        "globalDebug": context.debug,
    }
