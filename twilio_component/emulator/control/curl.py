"""An exchange as a line for the shell, to be done again by hand. It holds no secret but the emulator's own."""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from twilio_component.emulator.http import FORM, Fields
from twilio_component.emulator.model.accounts import DEFAULT_AUTH_TOKEN
from twilio_component.emulator.model.sids import is_sid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twilio_component.emulator.request_log import RequestRecord, WebhookRecord

_NEXT = " \\\n  "
# curl has these of its own; whatever else a webhook carries, it needs to be believed.
_CURLS_OWN = ("User-Agent", "Accept", "Content-Type")


def of_request(record: RequestRecord) -> str:
    """Return a request to the API. A secret that was really presented is replaced by the name of a variable."""
    request = record.request
    query = f"?{request.query}" if request.query else ""
    parts = [_call(request.method, f"{request.base_url}{request.path}{query}")]
    credentials = _credentials(request.headers.get("authorization", ""))
    if credentials:
        parts.append(f"-u {credentials}")
    if request.body:
        content_type = request.headers.get("content-type", FORM)
        is_form = content_type.partition(";")[0].strip().lower() == FORM
        fields = list(Fields.parse(request.body.decode("utf-8", "replace"))) if is_form else []
        if fields:
            parts += _fields(fields)
        else:
            parts += [f"-H {shlex.quote(f'Content-Type: {content_type}')}", _raw(request.body)]
    return _NEXT.join(parts)


def of_webhook(record: WebhookRecord) -> str:
    """Return a webhook, with its signature: it is valid for exactly this URL and these parameters."""
    parts = [_call(record.method, record.url)]
    parts += [
        f"-H {shlex.quote(f'{name}: {value}')}" for name, value in record.headers.items() if name not in _CURLS_OWN
    ]
    if record.method == "POST":
        parts += _fields(record.parameters)
    return _NEXT.join(parts)


def _call(method: str, url: str) -> str:
    return f"curl -X {shlex.quote(method)} {shlex.quote(url)}"


def _credentials(authorization: str) -> str | None:
    """User and password for ``-u``, quoted; None where there are none that Twilio could have given."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        user, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    if scheme.lower() != "basic" or not is_sid(user, "AC", "SK"):
        return None
    if secret == DEFAULT_AUTH_TOKEN:
        return f"{user}:{secret}"
    return f'"{user}:${"TWILIO_AUTH_TOKEN" if user.startswith("AC") else "TWILIO_API_SECRET"}"'


def _fields(fields: Iterable[tuple[str, str]]) -> list[str]:
    return [
        f"--data-urlencode {shlex.quote(f'{name}={value}')}"
        if _is_plain(name, value)
        else f"--data-raw {shlex.quote(urlencode([(name, value)]))}"
        for name, value in fields
    ]


def _is_plain(name: str, value: str) -> bool:
    """Return whether curl can encode it: a program's arguments hold no null character, and a name no ``=`` or ``@``."""
    return "\0" not in value and re.fullmatch(r"\w+", name) is not None


def _raw(body: bytes) -> str:
    return f"--data-raw {shlex.quote(body.decode('utf-8', 'replace').replace(chr(0), chr(0xFFFD)))}"
