"""The numbers that Twilio documents as always failing in one way, for tests of what an application does then."""

from __future__ import annotations

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.model.addresses import mask

VALID_SENDER = "+15005550006"

_SENDERS = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
_RECIPIENTS = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}


def refuse_magic(to: str, sender: str | None, *, test_credentials: bool) -> None:
    """Raise the documented `ApiError` of a magic number; test credentials send from `VALID_SENDER` alone."""
    code = _SENDERS.get(sender or "")
    if code is None and test_credentials and sender not in (None, VALID_SENDER):
        code = 21606
    code = code or _RECIPIENTS.get(to)
    if code is not None:
        raise ApiError(code, to=mask(to) if code == 21211 else to, sender=sender)  # noqa: PLR2004 - Twilio's code
