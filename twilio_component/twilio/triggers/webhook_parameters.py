"""The parameters of a webhook, read as the types that they have."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from twilio_component.twilio.error_codes import explain
from twilio_component.twilio.inputs.addresses import CHANNELS

_MAX_DIGITS = 15
_MAX_CODE_DIGITS = 6
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,20})?")


class WebhookParameters:
    """Reads Twilio's parameters by name. An absent or blank parameter, and a value of another type, reads as None."""

    def __init__(self, received: Mapping[str, Any]) -> None:
        """Take the parameters of a webhook trigger's payload: those of the form, or of the query of a GET."""
        data = received["body"].get("data")
        found = data if isinstance(data, Mapping) else received.get("queryParameters")
        self._data: Mapping[str, Any] = found or {}

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def text(self, name: str) -> str | None:
        """Return a parameter's text, the first of several."""
        value = self._data.get(name)
        first = value[0] if isinstance(value, list) and value else value
        return first if isinstance(first, str) and first else None

    def integer(self, name: str) -> int | None:
        """Return a whole number that is not negative."""
        text = self.text(name) or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None

    def decimal(self, name: str) -> float | None:
        """Return a decimal number, such as a latitude."""
        text = self.text(name) or ""
        return float(text) if _DECIMAL.fullmatch(text) else None

    def boolean(self, name: str) -> bool | None:
        """Return whether the parameter is ``true``."""
        text = self.text(name)
        return None if text is None else text.lower() == "true"

    def json(self, name: str) -> Any:
        """Return the value of a parameter that holds JSON."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return json.loads(text, parse_float=_finite, parse_constant=_finite)
        except (ValueError, RecursionError):
            return None

    def error(self) -> dict[str, Any]:
        """Return ``errorCode`` (a number, or text that is not one), ``errorMessage``, and the catalogue's entry."""
        code = self.text("ErrorCode")
        is_number = code is not None and code.isascii() and code.isdigit() and len(code) <= _MAX_CODE_DIGITS
        explanation = explain(code)
        return {
            "errorCode": int(code) if code is not None and is_number else code,
            "errorMessage": self.text("ErrorMessage"),
            "errorMeaning": explanation.meaning if explanation else None,
            "errorRemedy": explanation.remedy if explanation else None,
        }

    def group(self, names: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return ``names`` without change if one of its values is not None, else None."""
        return {**names} if any(value is not None for value in names.values()) else None


def channel_of(*addresses: str | None) -> str:
    """Return the channel of the first address that names one (``whatsapp``, ``rcs`` …), or ``sms``.

    A channel that this version does not know is returned as Twilio writes it.
    """
    for address in addresses:
        prefix, colon, _ = (address or "").partition(":")
        if colon and (prefix in CHANNELS or re.fullmatch(r"[a-z][a-z0-9_]{1,30}", prefix)):
            return prefix
    return "sms"


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value
