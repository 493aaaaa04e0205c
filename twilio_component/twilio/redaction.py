"""Masks what logs and errors must not show."""

from __future__ import annotations

import re

# Seven digits or more, with the separators of a phone number, that are not part of a SID or a longer word, nor a count
# of what the next word says: a limit in Twilio's messages must stay readable.
_NUMBER = re.compile(
    r"(?<![0-9A-Za-z_/.-])\+?\(?\d(?:[\s().-]*\d){6,}(?![0-9A-Za-z_]| (?:second|minute|byte|character|segment)s?\b)"
)
_SHOWN_DIGITS = 2
# A service often quotes what was sent.
_QUOTED = re.compile(r"(?<![0-9A-Za-z])(['\"])((?:(?!\1).){13,})\1(?![0-9A-Za-z])")


def mask_quoted(text: str) -> str:
    """Return ``text`` with phone numbers masked, and quotations longer than a parameter's name left out."""
    return mask_numbers(_QUOTED.sub(lambda found: f"{found[1]}…{found[1]}", text))


def mask_numbers(text: str) -> str:
    """Return ``text`` with every phone number reduced to its last two digits: ``+15558675310`` becomes ``…10``."""
    return _NUMBER.sub(lambda found: f"…{found[0][-_SHOWN_DIGITS:]}", text)
