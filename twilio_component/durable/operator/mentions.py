"""Finds and erases what is said of a person in a text or in JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ERASED = "[erased]"
_ABROAD = re.compile(r"\+[0-9]{1,3}[^0-9]{0,3}$")
_SHORTEST = 7


class Mentions:
    """Recognizes a person by their addresses: a phone number however it is written, or another address as it is.

    Of ``+15558675310`` also ``1 (555) 867-5310``, ``555.867.5310`` and ``whatsapp:+15558675310`` are recognized.
    """

    def __init__(self, *addresses: str) -> None:
        self._addresses = [_Address(address) for address in addresses]

    def found_in(self, text: str) -> bool:
        """Whether the text mentions the person."""
        return any(address.found_in(text) for address in self._addresses)

    def erase(self, value: Any, keep: int = 0) -> Any:
        """The JSON value without what is about the person.

        An object with a member that mentions the person is about them as a whole, and is replaced; of the ``keep``
        outermost objects only such members are, and a member whose name mentions the person goes with its name.
        """
        if isinstance(value, Mapping):
            if keep <= 0 and any(self._is_mention(one) for pair in value.items() for one in pair):
                return ERASED
            return {key: self.erase(member, keep - 1) for key, member in value.items() if not self._is_mention(key)}
        if isinstance(value, list):
            return [self.erase(member, keep) for member in value]
        return ERASED if self._is_mention(value) else value

    def _is_mention(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return False
        return self.found_in(str(value))


class _Address:
    """One address of a person."""

    def __init__(self, address: str) -> None:
        bare = address.rpartition(":")[2]
        self._text = address
        self._full: re.Pattern[str] | None = None
        self._national: re.Pattern[str] | None = None
        if re.fullmatch(r"\+[0-9]+", bare):
            self._full = _digits(bare[1:])
            national = _national_digits(bare)
            self._national = _digits(national) if len(national) >= _SHORTEST else None

    def found_in(self, text: str) -> bool:
        if self._full is None:
            return self._text in text
        if self._full.search(text):
            return True
        matches = self._national.finditer(text) if self._national is not None else ()
        # The same digits behind another country's code are somebody else's number.
        return any(not _ABROAD.search(text, 0, match.start()) for match in matches)


def _digits(digits: str) -> re.Pattern[str]:
    return re.compile("(?<![0-9])" + "[^0-9]{0,3}".join(digits) + "(?![0-9])")


def _national_digits(number: str) -> str:
    import phonenumbers

    try:
        return str(phonenumbers.national_significant_number(phonenumbers.parse(number)))
    except phonenumbers.NumberParseException:
        return ""
