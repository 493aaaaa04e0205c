"""An HTTP request as the payload of a trigger: what its body says, its query, and the path after the flow's URL."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterable, Mapping
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from twilio_component.host.errors import InputError, Problem
from twilio_component.host.http.multipart import Part, parse_multipart
from twilio_component.host.serialization import from_buffer

FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART_TYPE = "multipart/form-data"
_TEXT_TYPES = ("application/xml", "application/javascript", "application/graphql", "application/x-yaml")
# Longer ones first: UTF-32 begins as UTF-16 does.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DEEPEST = 100


class RequestBodyError(InputError):
    """The body of a request is not what its Content-Type says."""

    code = "request-body-invalid"


def request_parts(payload: Mapping[str, Any], flow_url: str = "", *, parses_body: bool = True) -> dict[str, Any]:
    """Return ``body``, ``queryParameters`` and ``pathFragment`` of the request in ``payload``.

    ``payload`` has ``headers``, ``rawBody`` (``{"data": bytes, a Buffer object or text, "contentType"?}``) and
    ``invokeUrl``; ``flow_url`` is where the flow's own URL ends and the path fragment begins. ``body`` is ``{"data": …,
    "contentType": …}``: JSON and forms parsed, one ``{"data": …, "contentType": …}`` for each part of a multipart body
    (with ``fileName`` for a file), text as text, anything else as bytes, an empty body as null. A repeated parameter or
    part is a list. Without ``parses_body`` the data is null. Raises ``RequestBodyError`` for a body that is not what
    its content type says.
    """
    raw = payload.get("rawBody") or {}
    content_type = str(raw.get("contentType") or _header(payload.get("headers") or {}, "content-type"))
    data = parse_body(_bytes(raw.get("data")), content_type) if parses_body else None
    url = urlsplit(str(payload.get("invokeUrl") or ""))
    path, base = url.path, urlsplit(flow_url).path
    return {
        "body": {"data": data, "contentType": content_type},
        "queryParameters": _by_name(parse_qsl(url.query, keep_blank_values=True)),
        "pathFragment": unquote(path[len(base) :]).strip("/") if base and path.startswith(f"{base}/") else "",
    }


def parse_body(body: bytes, content_type: str) -> Any:
    """Return what a body of this content type says; see ``request_parts``."""
    kind, parameters = _media_type(content_type)
    if not body:
        return None
    if kind == "application/json" or kind.endswith("+json"):
        return _json(_decode(body, parameters))
    if kind == FORM_TYPE:
        form = _decode(body, parameters)
        if form.lstrip()[:1] in ("{", "[") and _is_json(form):
            # Tools for the command line say that everything is a form, unless they are told otherwise.
            raise _invalid("it is JSON, and not a form: send it with Content-Type: application/json")
        return _by_name(parse_qsl(form, keep_blank_values=True, encoding=_charset(parameters), errors="replace"))
    if kind == MULTIPART_TYPE:
        return _parts(body, parameters)
    if not kind or kind.startswith("text/") or kind.endswith("+xml") or kind in _TEXT_TYPES:
        try:
            return _decode(body, parameters)
        except RequestBodyError:
            if "charset" in parameters:
                raise
    return body


def _bytes(data: Any) -> bytes:
    try:
        return b"" if data is None else from_buffer(data)
    except ValueError as error:
        raise RequestBodyError("The request is not valid", [Problem("$.rawBody.data", str(error))]) from error


def _header(headers: Mapping[str, Any], name: str) -> str:
    for key, value in headers.items():
        if key.lower() == name:
            return str(value[0] if isinstance(value, list) and value else value)
    return ""


def _media_type(content_type: str) -> tuple[str, dict[str, str]]:
    message = Message()
    message["Content-Type"] = content_type
    kind, *parameters = message.get_params(failobj=[("", "")])
    return kind[0].strip().lower(), {name.lower(): value for name, value in parameters}


def _charset(parameters: Mapping[str, str]) -> str:
    return parameters.get("charset", "").strip("'\" ") or "utf-8"


def _decode(body: bytes, parameters: Mapping[str, str]) -> str:
    charset = next((found for mark, found in _BYTE_ORDER_MARKS if body.startswith(mark)), _charset(parameters))
    try:
        return body.decode(charset)
    except LookupError as error:
        raise _invalid("the charset of its Content-Type is not known: send UTF-8") from error
    except UnicodeDecodeError as error:
        raise _invalid(f"byte {error.start + 1} is not valid {error.encoding.upper()}") from error
    except UnicodeError as error:
        raise _invalid("it cannot be decoded with the charset of its Content-Type: send UTF-8") from error


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json(text: str) -> Any:
    def finite(number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            raise ValueError(f"{number} is not a number that JSON can have")
        return value

    try:
        value = json.loads(text, parse_float=finite, parse_constant=finite)
    except json.JSONDecodeError as error:
        raise _invalid(f"it is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise _invalid(f"its JSON is nested more than {_DEEPEST} levels deep") from error
    except ValueError as error:
        raise _invalid("it has a number that is too long or not finite") from error
    if _is_deep(value):
        raise _invalid(f"its JSON is nested more than {_DEEPEST} levels deep")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def _parts(body: bytes, parameters: Mapping[str, str]) -> dict[str, Any]:
    try:
        parts = parse_multipart(body, parameters.get("boundary", ""))
    except ValueError as error:
        raise _invalid(str(error)) from error
    return _by_name((part.name, _part(part)) for part in parts)


def _part(part: Part) -> dict[str, Any]:
    if part.file_name:
        kind = part.content_type or "application/octet-stream"
        return {"data": part.data, "contentType": kind, "fileName": part.file_name}
    kind = part.content_type or "text/plain"
    try:
        return {"data": "" if not part.data else parse_body(part.data, kind), "contentType": kind}
    except RequestBodyError as error:
        (problem,) = error.problems
        raise _invalid(f"part '{part.name}': {problem.message}") from error


def _by_name(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the values by name, a list where a name is repeated."""
    values: dict[str, list[Any]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def _invalid(message: str) -> RequestBodyError:
    return RequestBodyError("The request's body is not what its Content-Type says", [Problem("", message)])
