"""Twilio's identifiers: two letters and 32 hexadecimal digits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from twilio_component.twilio.inputs.secrets import trim

_LENGTH = 34
_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_NAMES = {
    "AC": "an Account SID",
    "SK": "an API Key SID",
    "SM": "a message SID",
    "MM": "a message SID",
    "MG": "a messaging service SID",
    "HX": "a content template SID",
    "AP": "a TwiML application SID",
    "PN": "a phone number SID",
    "ME": "a media SID",
    "VA": "a Verify service SID",
    "VE": "a verification SID",
    "HJ": "a Verify template SID",
}


def _cleaner(*prefixes: str) -> Callable[[str, Mapping[str, Any]], str]:
    wanted, starts = _NAMES[prefixes[0]], " or ".join(prefixes)

    def clean(value: str, _inputs: Mapping[str, Any]) -> str:
        sid = trim(value)
        if _SID.fullmatch(sid) and sid[:2] in prefixes:
            return sid
        if sid[:2] in _NAMES and sid[:2] not in prefixes:
            raise ValueError(f"starts with {sid[:2]}, so it is {_NAMES[sid[:2]]}; {wanted} belongs here ({starts}…)")
        length = f"not {len(sid)} characters" if len(sid) != _LENGTH else "and no others"
        raise ValueError(f"must be {wanted}: {starts} and 32 hexadecimal digits, {length}")

    return clean


account_sid = _cleaner("AC")
api_key_sid = _cleaner("SK")
message_sid = _cleaner("SM", "MM")
messaging_service_sid = _cleaner("MG")
content_sid = _cleaner("HX")
application_sid = _cleaner("AP")
phone_number_sid = _cleaner("PN")
media_sid = _cleaner("ME")
verify_service_sid = _cleaner("VA")
verification_sid = _cleaner("VE")
verify_template_sid = _cleaner("HJ")
