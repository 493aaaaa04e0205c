"""Who sends and who receives: E.164 numbers, short codes, alphanumeric senders and channel addresses.

National numbers are read with the region of the input ``defaultRegion`` (US without one) and must be numbers that the
region has. A number with ``+`` is checked for a possible length only: whether it exists is for Twilio to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

CHANNELS = ("whatsapp", "messenger", "rcs")

_CHANNEL = re.compile(r"([A-Za-z]+):(.*)", re.DOTALL)
_REGION = re.compile(r"[A-Z]{2}")
_SHORT_CODE = re.compile(r"\d{3,6}")
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")
_DIALLED = re.compile(r"[\d\s().+/-]+")
_CHANNEL_ID = re.compile(r"[\w.@+-]{1,256}", re.ASCII)
_SIM = re.compile(r"(sim|wireless):[A-Za-z0-9]+")

# By phonenumbers.ValidationResult: 1 calling code, 2 short, 3 long, 4 local only, 5 a length that does not occur.
_LENGTHS = {
    1: "no country has this calling code",
    2: "it has too few digits for {}",
    3: "it has too many digits for {}",
    4: "the area code is missing",
    5: "no number of {} has this many digits",
}

_RECIPIENT = "The recipient must be a valid phone number"
_SENDER = "The sender must be a phone number, a short code, an alphanumeric sender ID or a channel address"


def clean_recipient(value: str, inputs: Mapping[str, Any]) -> str:
    """A recipient as Twilio takes it; raises ``ValueError`` with the reason."""
    try:
        return _address(value, _region(inputs), short_codes=False)
    except ValueError as error:
        raise ValueError(f"{_RECIPIENT}: {error}. Write it as +15558675310, or whatsapp:+15558675310") from error


def clean_sender(value: str, inputs: Mapping[str, Any]) -> str:
    """A sender as Twilio takes it; raises ``ValueError`` with the reason."""
    text = value.strip()
    if _ALPHANUMERIC.fullmatch(text) or _SIM.fullmatch(text):
        return text
    try:
        return _address(text, _region(inputs), short_codes=True)
    except ValueError as error:
        raise ValueError(f"{_SENDER}: {error}") from error


def clean_own_number(value: str, inputs: Mapping[str, Any]) -> str:
    """A number of the account's own; raises ``ValueError`` with the reason."""
    try:
        return _number(value.strip(), _region(inputs))
    except ValueError as error:
        raise ValueError(f"must be a phone number of the account, such as +15017122661: {error}") from error


def clean_party(value: str, inputs: Mapping[str, Any]) -> str:
    """Either of them, as a filter for messages that were sent or received."""
    return clean_sender(value, inputs)


def _region(inputs: Mapping[str, Any]) -> str:
    region = inputs.get("defaultRegion", "US")
    # An invalid region falls back to US here: schema validation reports it, and error messages must not echo it.
    return region if isinstance(region, str) and _REGION.fullmatch(region) else "US"


def _address(value: str, region: str, *, short_codes: bool) -> str:
    text = value.strip()
    if found := _CHANNEL.fullmatch(text):
        return _channel_address(found[1].lower(), found[2].strip(), region)
    if short_codes and _SHORT_CODE.fullmatch(text):
        return text
    return _number(text, region)


def _channel_address(channel: str, rest: str, region: str) -> str:
    if channel not in CHANNELS:
        raise ValueError(f"the channel before the colon must be one of {', '.join(CHANNELS)}")
    # A prefix that is there already is not put before it once more.
    rest = rest.removeprefix(f"{channel}:").strip()
    if channel == "whatsapp" or _DIALLED.fullmatch(rest):
        return f"{channel}:{rest}" if channel != "whatsapp" and rest.isdigit() else f"{channel}:{_number(rest, region)}"
    if not _CHANNEL_ID.fullmatch(rest):
        raise ValueError(f"{channel}: must be followed by an identifier of letters, digits and . _ @ + -")
    return f"{channel}:{rest}"


@lru_cache(maxsize=4_096)
def _number(text: str, region: str) -> str:
    import phonenumbers  # its metadata costs 30 ms to import

    if not _DIALLED.fullmatch(text):
        raise ValueError("it may have only digits, spaces, brackets, dots, hyphens and a leading +")
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise ValueError(_why(error, region)) from error
    international = text.startswith("+")
    reason = _LENGTHS.get(phonenumbers.is_possible_number_with_reason(number))
    if reason:
        raise ValueError(reason.format("its country" if international else f"the region {region}"))
    # Without its country a number is a guess; one that the region does not have would reach a stranger elsewhere.
    if not international and not phonenumbers.is_valid_number(number):
        raise ValueError(f"the region {region} has no such number, and without + and a country code it is read as one")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _why(error: Any, region: str) -> str:
    if error.error_type == error.INVALID_COUNTRY_CODE:
        return f"it has no country calling code, and '{region}' is not a known region"
    return "it has too many digits" if error.error_type == error.TOO_LONG else "it has too few digits"
