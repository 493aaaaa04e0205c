"""Who sends and who receives: phone numbers, short codes, sender IDs and channel addresses.

An address that Twilio itself sends as ``From`` passes unchanged, so that everybody who wrote to us can be answered.
Only plain phone numbers are checked against a numbering plan, and only for their calling code and length: whether a
number exists is for Twilio to say. Without ``+`` a number is read with the rules of the input ``defaultRegion`` (US
without one), and must be a number of that region.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twilio_component.twilio.inputs.phone_numbers import parse_number, written_digits
from twilio_component.twilio.inputs.secrets import trim

CHANNELS = ("whatsapp", "messenger", "instagram", "rcs")

_CHANNEL = re.compile(r"([A-Za-z]+):(.*)", re.DOTALL)
_REGION = re.compile(r"[A-Z]{2}")
_SHORT_CODE = re.compile(r"[0-9]{3,6}")
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")
_LONG_NAME = re.compile(r"(?=[^0-9]*[A-Za-z][^0-9]*)[A-Za-z0-9 _&-]+")
_LONGEST_SENDER_ID = 11
_SIM = re.compile(r"(sim|wireless):[A-Za-z0-9]+")
_CHANNEL_ID = re.compile(r"[\w.@+-]{1,256}", re.ASCII)
# Numbers behind a channel may follow an older plan (+521…), and WhatsApp users may have no visible number.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_WHATSAPP_USER = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_MIN_DIGITS, _MAX_DIGITS = 3, 20
_PUNCTUATED = re.compile(r"[\s\d().+/~-]+")

_RECIPIENT = "The recipient must be a valid phone number"
_SENDER = "The sender must be a phone number, a short code, an alphanumeric sender ID or a channel address"


def clean_recipient(value: str, inputs: Mapping[str, Any]) -> str:
    """Return a recipient in the form that Twilio takes; raises ``ValueError`` with the reason."""
    text = trim(value)
    if _SIM.fullmatch(text):
        return text
    try:
        if _SHORT_CODE.fullmatch(text):
            return _short_code_or_number(text, _region(inputs))
        return _address(text, _region(inputs))
    except ValueError as error:
        if _WHATSAPP_USER.fullmatch(text):
            raise ValueError(f"{_RECIPIENT}: write whatsapp: before a user of WhatsApp without a number") from error
        if is_alphanumeric(text) and text[0].isalpha():
            raise ValueError(f"{_RECIPIENT}: {error}. A sender ID has letters, and receives no messages") from error
        raise ValueError(f"{_RECIPIENT}: {error}. Write it as +15558675310, or whatsapp:+15558675310") from error


def clean_sender(value: str, inputs: Mapping[str, Any]) -> str:
    """Return a sender in the form that Twilio takes; raises ``ValueError`` with the reason."""
    text = trim(value)
    if _ALPHANUMERIC.fullmatch(text) or _SIM.fullmatch(text) or _SHORT_CODE.fullmatch(text):
        return text
    try:
        return _address(text, _region(inputs))
    except ValueError as error:
        reason = f"a sender ID has at most {_LONGEST_SENDER_ID} characters" if _LONG_NAME.fullmatch(text) else error
        raise ValueError(f"{_SENDER}: {reason}") from error


def clean_sms_sender(value: str, inputs: Mapping[str, Any]) -> str:
    """Return a sender of SMS, which a channel address is not; raises ``ValueError`` with the reason."""
    sender = clean_sender(value, inputs)
    if ":" in sender:
        raise ValueError("must be a sender of SMS: a phone number, a short code or an alphanumeric sender ID")
    return sender


def is_alphanumeric(sender: str) -> bool:
    """Return whether a sender is an alphanumeric sender ID, to which nobody can reply."""
    return _ALPHANUMERIC.fullmatch(sender) is not None and not sender.startswith("+")


def clean_contact(value: str, inputs: Mapping[str, Any]) -> str:
    """Return whom a code goes to: an email address for the channel email, else a phone number.

    A ``whatsapp:`` before the number is left out, since Verify names the channel apart. Raises ``ValueError`` with the
    reason.
    """
    text = trim(value)
    if inputs.get("channel") == "email":
        if not _EMAIL.fullmatch(text):
            raise ValueError("must be an email address, such as ada@example.com, for the channel email")
        return text
    try:
        return parse_number(re.sub("^whatsapp:", "", text, flags=re.IGNORECASE), _region(inputs))
    except ValueError as error:
        raise ValueError(f"{_RECIPIENT}: {error}. Write it as +15558675310") from error


def clean_verified_contact(value: str, inputs: Mapping[str, Any]) -> str:
    """Return whom a code was sent to, an email address or a phone number; raises ``ValueError`` with the reason."""
    return clean_contact(value, {**inputs, "channel": "email"} if "@" in value else inputs)


def clean_number_to_look_up(value: str, inputs: Mapping[str, Any]) -> str:
    """Return a number in E.164 form, or as it is written when it is not a possible one: Twilio says what is wrong.

    Raises ``ValueError`` for text that is not a number at all.
    """
    try:
        return parse_number(value, _region(inputs))
    except ValueError:
        digits = written_digits(value)
    if not _MIN_DIGITS <= len(digits.removeprefix("+")) <= _MAX_DIGITS:
        raise ValueError(f"must be a phone number, such as +15558675310, of at most {_MAX_DIGITS} digits")
    return digits


def clean_own_number(value: str, inputs: Mapping[str, Any]) -> str:
    """Return a phone number of the account in E.164 form; raises ``ValueError`` with the reason."""
    try:
        return parse_number(value, _region(inputs))
    except ValueError as error:
        raise ValueError(f"must be a phone number of the account, such as +15017122661: {error}") from error


def clean_party(value: str, inputs: Mapping[str, Any]) -> str:
    """Return a sender or a recipient, for a filter of messages; raises ``ValueError`` with the reason."""
    return clean_sender(value, inputs)


def _region(inputs: Mapping[str, Any]) -> str:
    region = inputs.get("defaultRegion", "US")
    # An invalid region falls back to US here: schema validation reports it, and error messages must not echo it.
    return region if isinstance(region, str) and _REGION.fullmatch(region) else "US"


def _short_code_or_number(text: str, region: str) -> str:
    """A few digits: a number where the region has numbers as short as that, else a short code."""
    try:
        return parse_number(text, region)
    except ValueError:
        return text


def _address(text: str, region: str) -> str:
    if (found := _CHANNEL.fullmatch(text)) and found[1].lower() != "tel":
        return _channel_address(found[1].lower(), trim(found[2]), region)
    return parse_number(text, region)


def _channel_address(channel: str, rest: str, region: str) -> str:
    if channel not in CHANNELS:
        raise ValueError(f"the channel before the colon must be one of {', '.join(CHANNELS)}")
    # A prefix that is there already is not repeated.
    rest = trim(rest.removeprefix(f"{channel}:"))
    if channel == "whatsapp":
        known = _E164.fullmatch(rest) or _WHATSAPP_USER.fullmatch(rest)
        return f"whatsapp:{rest if known else parse_number(rest, region)}"
    if _PUNCTUATED.fullmatch(rest) and not rest.isdigit():
        return f"{channel}:{rest if _E164.fullmatch(rest) else parse_number(rest, region)}"
    if not _CHANNEL_ID.fullmatch(rest):
        raise ValueError(f"{channel}: must be followed by an identifier of letters, digits and . _ @ + -")
    return f"{channel}:{rest}"
