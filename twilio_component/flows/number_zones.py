"""The time zones that a phone number tells: by libphonenumber's rules, from a table of its facts.

The table is ``number_zones.txt`` beside this file; ``tools/number_zones.py`` in the repository writes it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from twilio_component.flows.time_zones import is_zone
from twilio_component.host.errors import DocumentError, Problem

if TYPE_CHECKING:
    import phonenumbers

_TABLE = Path(__file__).with_name("number_zones.txt")
_DIGEST = re.compile(r"^# sha256 of the lines below: ([0-9a-f]{64})$", re.MULTILINE)


def zones_of_number(address: str, otherwise: str) -> tuple[str, ...]:
    """The zones that a phone number may be in; ``otherwise`` where it tells none that this machine knows.

    The address may have a channel, as in ``whatsapp:+15558675310``. Raises ``DocumentError`` when the table is missing
    or damaged.
    """
    import phonenumbers  # its metadata costs 30 ms to import

    try:
        number = phonenumbers.parse(address.rpartition(":")[2])
    except phonenumbers.NumberParseException:
        return (otherwise,)
    return tuple(zone for zone in _zones_told_by(_telling_digits(number)) if is_zone(zone)) or (otherwise,)


def check_table() -> None:
    """Read the table, so that no message waits for one that cannot be read; raises ``DocumentError``."""
    _zones_by_prefix()


def _telling_digits(number: phonenumbers.PhoneNumber) -> str:
    """The digits that tell where the number is: all, or only its country code; empty when the number is not valid."""
    import phonenumbers

    kind = phonenumbers.number_type(number)
    if kind == phonenumbers.PhoneNumberType.UNKNOWN:
        return ""
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    is_all = phonenumbers.is_number_type_geographical(kind, number.country_code or 0)
    return digits if is_all else str(number.country_code)


def _zones_told_by(digits: str) -> tuple[str, ...]:
    by_prefix = _zones_by_prefix()
    prefixes = (digits[:length] for length in range(len(digits), 0, -1))
    return next((by_prefix[prefix] for prefix in prefixes if prefix in by_prefix), ())


@cache
def _zones_by_prefix() -> dict[str, tuple[str, ...]]:
    try:
        text = _TABLE.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable("cannot be read") from error
    digest = _DIGEST.search(text)
    lines = "" if digest is None else text[digest.end() + 1 :]
    if digest is None or hashlib.sha256(lines.encode()).hexdigest() != digest[1]:
        raise _unreadable("is damaged: it is not as it was written")
    groups = (line.partition(": ") for line in lines.splitlines())
    return {prefix: tuple(zones.split(",")) for zones, _, written in groups for prefix in _prefixes(written)}


def _prefixes(written: str) -> Iterator[str]:
    """The prefixes of a line: one that is as long as the one before lacks the digits with which both begin."""
    prefix = ""
    for part in written.split(" "):
        prefix = part if len(part) > len(prefix) else prefix[: len(prefix) - len(part)] + part
        yield prefix


def _unreadable(message: str) -> DocumentError:
    problem = Problem("", f"{message}; reinstall twilio-component", file=str(_TABLE))
    return DocumentError("The time zones of phone numbers are not there", [problem])
