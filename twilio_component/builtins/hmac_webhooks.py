"""The trigger for webhooks that another service signs with an HMAC of their body."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.builtins.triggers import static_response
from twilio_component.host.errors import PerformError
from twilio_component.host.serialization import from_buffer

if TYPE_CHECKING:
    from twilio_component.host.context import Context
    from twilio_component.host.results import Result

_TOLERANCE_SECONDS = 300


class SignatureRefusedError(PerformError):
    """The request is not signed with the secret key, or was signed too long ago."""

    code = "signature-refused"


async def receive(_context: Context, payload: dict[str, Any], inputs: dict[str, Any]) -> Result:
    """Return the payload of a request that is signed; raises ``SignatureRefusedError`` for any other."""
    headers = {str(name).lower(): value for name, value in (payload.get("headers") or {}).items()}
    body = from_buffer((payload.get("rawBody") or {}).get("data") or b"")
    timestamp = _timestamp(headers, inputs)
    content = str(inputs.get("signedContent") or "{body}").encode()
    signed = content.replace(b"{timestamp}", timestamp.encode()).replace(b"{body}", body)
    given = _header(headers, inputs["hmacHeaderName"])
    prefix = str(inputs.get("signaturePrefix") or "")
    if not given.startswith(prefix):
        raise SignatureRefusedError("the signature does not begin with signaturePrefix")
    secrets = [line.strip() for line in str(inputs["secretKey"]).splitlines() if line.strip()]
    expected = [_signature(secret, signed, inputs) for secret in secrets]
    # All of them are compared, so that the time tells nothing.
    if not sum(hmac.compare_digest(one, given[len(prefix) :].strip().encode()) for one in expected):
        raise SignatureRefusedError("the signature is not that of the body with the secret key")
    return static_response(payload, inputs)


def _signature(secret: str, signed: bytes, inputs: Mapping[str, Any]) -> bytes:
    digest = hmac.digest(secret.encode(), signed, str(inputs.get("hmacHashFunction") or "sha256"))
    return base64.b64encode(digest) if inputs.get("signatureEncoding") == "base64" else digest.hex().encode()


def _timestamp(headers: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    name = inputs.get("timestampHeader")
    if not name:
        return ""
    text = _header(headers, name)
    tolerance = float(inputs.get("toleranceSeconds") or _TOLERANCE_SECONDS)
    if not (text.isascii() and text.isdigit()):
        raise SignatureRefusedError("the timestamp is not a number of seconds since 1970")
    if abs(time.time() - int(text)) > tolerance:
        raise SignatureRefusedError(f"the timestamp is more than {tolerance:g} seconds away from this machine's clock")
    return text


def _header(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name.lower())
    if not isinstance(value, str):
        raise SignatureRefusedError(f"the request has no header {name}" if value is None else f"{name} comes twice")
    return value
