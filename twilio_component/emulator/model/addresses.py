"""Where messages go to and come from: numbers, short codes, sender names, channel addresses, as Twilio reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twilio_component.emulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNELS = ("whatsapp", "messenger", "instagram", "rcs")

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_NATIONAL = re.compile(r"1?([2-9][0-9]{9})")
_SHORT_CODE = re.compile(r"[0-9]{3,6}")
# Where a query has a + that is not written as %2B, a blank arrives.
_LOST_PLUS = re.compile(r"((?:[a-z]+:)?) (?=[0-9])")
_SENDER_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}")
# A WhatsApp user without a visible number: a country, perhaps an enterprise parent, and letters and digits.
_USERNAME = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
# Verify sends codes to mail addresses too.
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_LEAST_DIGITS = 5
_PUNCTUATION = str.maketrans("", "", " -().\u00a0")


def channel_of(address: str) -> str | None:
    """Return the channel of an address, ``whatsapp`` of ``whatsapp:+1…``; None for a number or a sender name."""
    scheme, colon, _ = address.partition(":")
    return scheme if colon and scheme in CHANNELS else None


def recipient(text: str) -> str:
    """Return the recipient in the form in which Twilio keeps it.

    Raises `ApiError` 21265 for a short code, 21211 for anything else that receives no message.
    """
    if _SHORT_CODE.fullmatch(text):
        raise ApiError(21265, to=mask(text))
    channel = channel_of(text)
    if channel in ("messenger", "instagram", "rcs") or username_of(text):
        return text
    number = _number(text.removeprefix("whatsapp:"))
    if number is None:
        raise ApiError(21211, to=mask(text))
    return f"{channel}:{number}" if channel else number


def sender(text: str) -> str:
    """Return the sender in the form in which Twilio keeps it; `ApiError` 21212 where there is none."""
    channel = channel_of(text)
    if channel in ("messenger", "instagram", "rcs") or username_of(text):
        return text
    if channel is None and (_SHORT_CODE.fullmatch(text) or _SENDER_NAME.fullmatch(text)):
        return text
    number = _number(text.removeprefix("whatsapp:"))
    if number is None:
        raise ApiError(21212, sender=text)
    return f"{channel}:{number}" if channel else number


def fault_in_recipient(text: str) -> str | None:
    """Return why no message or verification is ever to ``text``; None where one may be."""
    return None if _EMAIL.fullmatch(text) else _fault_in_address(text, recipient)


def fault_in_sender(text: str) -> str | None:
    """Return why no message is ever from ``text``; None where one may be."""
    return _fault_in_address(text, sender)


def _fault_in_address(text: str, kept: Callable[[str], str]) -> str | None:
    try:
        found = kept(text)
    except ApiError:
        return "no message has such an address; a number is written as +15558675310"
    return None if found == text else f"Twilio keeps this address as {found}; write it like that"


def username_of(address: str) -> str | None:
    """Return the username in the address of a WhatsApp user whose number is hidden, ``US.1349…``; None without one."""
    name = address.removeprefix("whatsapp:")
    return name if name != address and _USERNAME.fullmatch(name) else None


def is_number(text: str) -> bool:
    """Return whether ``text`` is a number in E.164 form."""
    return _E164.fullmatch(text) is not None


def is_short_code(text: str) -> bool:
    """Return whether ``text`` is a short code that an account can have: five or six digits, such as 12345."""
    return _SHORT_CODE.fullmatch(text) is not None and len(text) >= _LEAST_DIGITS


def restore_plus(text: str) -> str:
    """Return an address from a query with its ``+``, which arrives as a blank where it is not written as ``%2B``."""
    return _LOST_PLUS.sub(r"\1+", text, count=1) if _LOST_PLUS.match(text) else text


def strip_channel(address: str) -> str:
    """Return the number in an address, without its channel."""
    return address.partition(":")[2] if channel_of(address) else address


def mask(address: str) -> str:
    """Return an address as Twilio's error texts show it, without its last four characters."""
    return address[:-4] + "XXXX"


def _number(text: str) -> str | None:
    """E.164, also of a number written the North American way."""
    bare = text.translate(_PUNCTUATION)
    if _E164.fullmatch(bare):
        return bare
    national = _NATIONAL.fullmatch(bare)
    return f"+1{national[1]}" if national else None
