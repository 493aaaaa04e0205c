"""Ten thousand addresses as people write and paste them, held against libphonenumber."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

import phonenumbers
import pytest
from phonenumbers import CountryCodeSource, PhoneNumberFormat

from twilio_component.twilio.inputs.addresses import clean_party, clean_recipient, clean_sender

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
# What copied numbers carry: directional marks, spaces of no width, dashes and digits of other scripts.
INVISIBLE = "\u200b\u200e\u200f\u202a\u202c\u2060\u2068\u2069\ufeff\u00ad"
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d"
SPACES = " \u00a0\u2007\u2009\u202f\u3000"
NUMBERS = 2_500  # each is written in four ways


@cache
def example(region: str, kind: int) -> phonenumbers.PhoneNumber | None:
    return phonenumbers.example_number_for_type(region, kind)


def numbers(chance: random.Random) -> Iterator[tuple[phonenumbers.PhoneNumber, str]]:
    """Numbers near to those of every region, valid and not, with the region."""
    while True:
        region = chance.choice(REGIONS)
        number = example(region, chance.choice([0, 1, 2, 3]))
        if number is None:
            continue
        digits = list(str(number.national_number))
        for _ in range(chance.randrange(4)):
            digits[chance.randrange(len(digits))] = chance.choice("0123456789")
        if chance.random() < 0.1:
            digits.append(chance.choice("0123456789"))
        if chance.random() < 0.1:
            digits.pop()
        changed = phonenumbers.PhoneNumber(country_code=number.country_code, national_number=int("".join(digits)))
        changed.italian_leading_zero = number.italian_leading_zero
        yield changed, region


def written(number: phonenumbers.PhoneNumber, chance: random.Random) -> Iterator[tuple[str, str]]:
    """The number as people write it, for other countries, for their own, and for links; each as it is pasted, too."""
    for form in (PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL, PhoneNumberFormat.RFC3966):
        text = phonenumbers.format_number(number, form)
        yield text, text
    text = phonenumbers.format_number(
        number, chance.choice([PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL])
    )
    yield text, paste(text, chance)


def paste(text: str, chance: random.Random) -> str:
    text = "".join(
        chance.choice(DASHES) if one == "-" else chance.choice(SPACES) if one == " " else wide(one, chance)
        for one in text
    )
    for _ in range(3):
        at = chance.choice([0, len(text), chance.randrange(len(text))])
        text = text[:at] + chance.choice(INVISIBLE) + text[at:]
    return text


def wide(character: str, chance: random.Random) -> str:
    return chr(ord(character) + 0xFEE0) if character in "+0123456789()" and chance.random() < 0.1 else character


def address(text: str, region: str) -> str | None:
    try:
        return clean_recipient(text, {"defaultRegion": region})
    except ValueError:
        return None


def test_ten_thousand_addresses_are_read_as_libphonenumber_reads_them() -> None:
    chance = random.Random(20_260_731)  # noqa: S311 - a test's
    source = numbers(chance)
    taken = refused = 0
    for _ in range(NUMBERS):
        number, region = next(source)
        for plain, text in written(number, chance):
            ours = address(text, region)
            theirs = reading(plain, region)
            if theirs is not None and certain(theirs, region):
                assert ours == phonenumbers.format_number(theirs, PhoneNumberFormat.E164), ascii(text)
            if ours is not None and ours.startswith("+"):
                assert theirs is not None, ascii(text)
                # Nobody but the one who was written to gets it.
                assert ours == phonenumbers.format_number(theirs, PhoneNumberFormat.E164), ascii(text)
                taken += 1
            else:
                refused += 1
    # Neither is rare, so that this proves something.
    assert taken > 5_000
    assert refused > 500


def reading(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None


def certain(number: phonenumbers.PhoneNumber, region: str) -> bool:
    """Whether libphonenumber takes it: a possible number with its country, or else a valid one of the region."""
    if number.extension:
        return False
    if number.country_code_source in (
        CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN,
        CountryCodeSource.FROM_NUMBER_WITH_IDD,
    ):
        return phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    return phonenumbers.is_valid_number_for_region(number, region)


def test_anything_at_all_is_taken_or_refused_and_never_crashes() -> None:
    chance = random.Random(7)  # noqa: S311 - a test's
    alphabet = f"+0123456789 ()-./[]:;=*#,xX~@_abcSTOPwhatsapp:rcs.ENT{INVISIBLE}{DASHES}{SPACES}é漢\u0663\0\n\ud83d"
    for _ in range(5_000):
        text = "".join(chance.choices(alphabet, k=chance.randrange(1, 24)))
        for clean in (clean_recipient, clean_sender, clean_party):
            try:
                found = clean(text, {"defaultRegion": chance.choice(REGIONS)})
            except ValueError:
                continue
            # What was taken is taken again, unchanged.
            assert clean(found, {}) == found, ascii(text)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("6588765432", "US"),  # of Singapore, without its +; in North America it would be Jamaica's
        ("8 701 234 56 78", "RU"),  # Kazakhstan's
        ("876 555 1234", "US"),  # Jamaica's
    ],
)
def test_a_number_of_another_country_of_the_same_calling_code_is_refused(text: str, region: str) -> None:
    assert reading(text, region) is not None
    with pytest.raises(ValueError, match=f"the region {region} has no such number"):
        clean_recipient(text, {"defaultRegion": region})


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [("07797 712345", "GB", "+447797712345"), ("787 234 5678", "US", "+17872345678")],
)
def test_a_number_of_a_dependency_belongs_to_the_country(text: str, region: str, number: str) -> None:
    assert clean_recipient(text, {"defaultRegion": region}) == number


@pytest.mark.parametrize("wave", ["~", "\u2053", "\u223c", "\uff5e"])
def test_the_pause_of_an_international_prefix_is_read(wave: str) -> None:
    assert clean_recipient(f"8{wave}10 44 7911 123456", {"defaultRegion": "RU"}) == "+447911123456"


def test_a_free_number_belongs_to_all_countries_of_its_calling_code() -> None:
    assert clean_recipient("(800) 234-5678", {"defaultRegion": "CA"}) == "+18002345678"
