"""Phone numbers as people write and paste them, read by libphonenumber, in E.164 form."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

# What libphonenumber takes for a blank, a dash or the pause of an international prefix, as in 8~10.
_LIKE = {"\t": " ", "\u2212": "-", "\u30fc": "-", "\u2053": "~", "\u223c": "~"}
# Fullwidth forms of ASCII stand this far behind it.
_FULLWIDTH, _FULLWIDTH_OFFSET = range(0xFF01, 0xFF5F), 0xFEE0
_WRITTEN = re.compile(r"[0-9 ().\[\]+/~-]*")
_TEL = "tel:"
_ALLOWED = "it may have only digits, spaces, brackets, dots, hyphens and a leading +"
# libphonenumber returns each of them as it is, which takes a twentieth of a durable send; a test compares them.
_NORTH_AMERICAN = re.compile(r"\+1[2-9][0-9]{9}")
_NORTH_AMERICAN_LETTERS = re.compile(r"[0-9 ().+/-]*[0-9][0-9 ().+/-]*[A-Za-z]{3,}[0-9A-Za-z -]*")

# Countries with their dependencies, whose numbers are dialled alike and belong together. Others of one calling code are
# strangers to each other: Jamaica to the United States, Kazakhstan to Russia.
_FAMILIES = (
    frozenset({"GB", "GG", "IM", "JE"}),
    frozenset({"US", "AS", "GU", "MP", "PR", "VI"}),
    frozenset({"AU", "CC", "CX"}),
    frozenset({"FI", "AX"}),
    frozenset({"NO", "SJ"}),
    frozenset({"IT", "VA"}),
    frozenset({"MA", "EH"}),
    frozenset({"GP", "BL", "MF"}),
)

# By phonenumbers.ValidationResult: 1 calling code, 2 short, 3 long, 4 local only, 5 a length that does not occur.
_LENGTHS = {
    1: "no country has this calling code",
    2: "it has too few digits for {}",
    3: "it has too many digits for {}",
    4: "the area code is missing",
    5: "no number of {} has this many digits",
}


def parse_number(text: str, region: str) -> str:
    """Return a number in E.164 form; raises ``ValueError`` with the reason, which does not repeat the number.

    A number with ``+`` or an international prefix needs a known calling code and a possible length. Any other is read
    with the rules of ``region`` and must be a valid number of it: elsewhere it could be a stranger's.
    """
    if _NORTH_AMERICAN.fullmatch(text):
        return text
    return _parse(_plain(text.strip()), region)


def written_digits(text: str) -> str:
    """Return the digits of a number as they are written, behind a ``+`` if it starts with one.

    Raises ``ValueError`` for a character that no number has.
    """
    plain = _plain(text.strip())
    return ("+" if plain.lstrip("([ ").startswith("+") else "") + re.sub("[^0-9]", "", plain)


def _plain(text: str) -> str:
    """The number in ASCII, without invisible characters; raises ``ValueError`` for a character that no number has."""
    if text[: len(_TEL)].lower() == _TEL:
        text = text[len(_TEL) :]
    if _WRITTEN.fullmatch(text) or _NORTH_AMERICAN_LETTERS.fullmatch(text):
        return text
    return "".join(_plain_character(character) for character in text).strip()


def _plain_character(character: str) -> str:
    code = ord(character)
    plain = chr(code - _FULLWIDTH_OFFSET) if code in _FULLWIDTH else character
    category = unicodedata.category(character)
    if category == "Cf":  # directional marks, zero-width spaces and soft hyphens, which copied numbers carry
        return ""
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category == "Zs":
        return " "
    if category == "Pd":
        return "-"
    plain = _LIKE.get(character, plain)
    if _WRITTEN.fullmatch(plain):
        return plain
    shown = f"'{plain}'" if plain.isascii() and plain.isprintable() else f"U+{code:04X}"
    raise ValueError(f"{_ALLOWED}, not {shown}")


@lru_cache(maxsize=4_096)
def _parse(text: str, region: str) -> str:
    import phonenumbers  # its metadata costs 30 ms to import

    try:
        number = phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException as error:
        raise ValueError(_reason(error, text, region)) from error
    if number.extension:
        raise ValueError("it has an extension, and extensions receive no messages")
    source = number.country_code_source
    international = source in (
        phonenumbers.CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN,
        phonenumbers.CountryCodeSource.FROM_NUMBER_WITH_IDD,
    )
    reason = _LENGTHS.get(phonenumbers.is_possible_number_with_reason(number))
    if reason:
        raise ValueError(reason.format("its country" if international else f"the region {region}"))
    if not international and not _belongs_to(region, number):
        raise ValueError(
            f"the region {region} has no such number, and without + and a country code it is read as one of {region}"
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _belongs_to(region: str, number: Any) -> bool:
    """Whether a number without ``+`` is one of the region's, or of its dependencies.

    A number that starts with the region's calling code needs only to be valid, as do free numbers, which the countries
    of one calling code share.
    """
    import phonenumbers

    family = next((regions for regions in _FAMILIES if region in regions), frozenset({region}))
    if any(phonenumbers.is_valid_number_for_region(number, one) for one in (region, *family)):
        return True
    written_out = number.country_code_source == phonenumbers.CountryCodeSource.FROM_NUMBER_WITHOUT_PLUS_SIGN
    shared = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.TOLL_FREE
    return (written_out or shared) and phonenumbers.is_valid_number(number)


def _reason(error: Any, text: str, region: str) -> str:
    if error.error_type == error.INVALID_COUNTRY_CODE:
        if "+" in text:
            return "no country has this calling code"
        return f"it has no country calling code, and '{region}' is not a known region"
    if error.error_type == error.TOO_LONG:
        return "it has too many digits"
    if error.error_type == error.NOT_A_NUMBER and text.count("+") > 1:
        return "it has more than one +"
    return "it has too few digits"
