"""Numbers of North America in E.164 form are taken as they are; libphonenumber would return the same."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twilio_component.twilio.inputs import phone_numbers
from twilio_component.twilio.inputs.phone_numbers import parse_number

# The numbers of every area code, those in use and the others.
_NUMBERS = st.from_regex(re.compile(r"\+1[2-9][0-9]{9}", re.ASCII), fullmatch=True)


@settings(max_examples=100, deadline=None)
@given(_NUMBERS, st.sampled_from(["US", "CA", "JM", "AG", "DE", "IT"]))
def test_libphonenumber_returns_the_same(number: str, region: str) -> None:
    assert parse_number(number, region) == number == phone_numbers._parse(number, region)


def test_they_are_not_given_to_libphonenumber(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_numbers, "_parse", partial(pytest.fail, "it was"))
    assert parse_number("+15558675310", "US") == "+15558675310"


@pytest.mark.parametrize("text", ["+1 555 867 5310", "+1555867531", "+11558675310", "+155586753100", "+15558675310;1"])
def test_all_others_are(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given_texts: list[str] = []

    def parse(text: str, _region: str) -> str:
        given_texts.append(text)
        return "read"

    monkeypatch.setattr(phone_numbers, "_plain", lambda text: text)
    monkeypatch.setattr(phone_numbers, "_parse", parse)
    assert parse_number(text, "US") == "read"
    assert given_texts == [text]
