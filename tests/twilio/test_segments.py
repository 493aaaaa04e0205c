"""How texts are cut into segments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_component.twilio.segments import segment, smart_encode


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 0),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
    ],
)
def test_a_gsm_text_takes_160_units_alone_and_153_joined(text: str, segments: int) -> None:
    found = segment(text)
    assert (found.encoding, found.segments, found.unicode_characters) == ("GSM-7", segments, ())


@pytest.mark.parametrize(
    ("text", "segments", "units"),
    [("ю" * 70, 1, 70), ("ю" * 71, 2, 71), ("ю" * 134, 2, 134), ("ю" * 135, 3, 135), ("👍" * 35, 1, 70)],
)
def test_a_unicode_text_takes_70_units_alone_and_67_joined(text: str, segments: int, units: int) -> None:
    found = segment(text)
    assert (found.encoding, found.segments, found.units) == ("UCS-2", segments, units)


def test_a_character_of_two_units_is_never_split_between_segments() -> None:
    assert segment("a" * 152 + "€" + "a" * 152).segments == 3
    assert segment("👍" * 67).segments == 3


def test_the_characters_that_force_unicode_are_named_once_in_order() -> None:
    assert segment("“Hi” … “there” ♥").unicode_characters == ("“", "”", "…", "♥")


@given(st.text(max_size=400))
def test_a_text_always_fits_into_its_segments_and_not_into_fewer_than_its_units_need(text: str) -> None:
    found = segment(text)
    assert found.units <= found.segments * found.capacity
    assert found.segments >= -(-found.units // found.capacity)


DIGITS = "1234567890" * 40


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        (DIGITS[:160], "GSM-7", 1),
        (DIGITS[:161], "GSM-7", 2),
        (DIGITS[:307], "GSM-7", 3),
        ("\U0001f61c" + DIGITS[:68], "UCS-2", 1),
        ("\U0001f61c" + DIGITS[:69], "UCS-2", 2),
        ("\U0001f61c" + DIGITS[:133], "UCS-2", 3),
        ("\U0001f1ee\U0001f1f9" + DIGITS[:66], "UCS-2", 1),  # a flag is two characters of two units each
        ("\U0001f1ee\U0001f1f9" + DIGITS[:67], "UCS-2", 2),
        ("\U0001f3f3\ufe0f\u200d\U0001f308" + DIGITS[:64], "UCS-2", 1),
        ("\U0001f3f3\ufe0f\u200d\U0001f308" + DIGITS[:65], "UCS-2", 2),
        *((escaped + DIGITS[:158], "GSM-7", 1) for escaped in "|^€{}[]~\\"),
        *((escaped + DIGITS[:159], "GSM-7", 2) for escaped in "|^€{}[]~\\"),
        *((accented * 70, "UCS-2", 1) for accented in "ÁÚúçíÍóÓ"),
        *((accented * 71, "UCS-2", 2) for accented in "ÁÚúçíÍóÓ"),
        ("\U0001f600" + "]" * 68, "UCS-2", 1),
    ],
)
def test_the_cases_of_twilios_own_calculator(text: str, encoding: str, segments: int) -> None:
    found = segment(text)
    assert (found.encoding, found.segments) == (encoding, segments)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("It\u2019s \u201cyours\u201d", 'It\'s "yours"'),
        ("1\u20442 \u2013 \u2014 \u2026", "1/2 - - ..."),
        ("\u00bd\u00a0l", "1/2  l"),
        ("\u2039a\u203a\u200b\ufeff", "<a>"),
        ("ＡＢＣ１２３！", "ABC123!"),  # noqa: RUF001 - fullwidth
        ("Gr\u00fc\u00dfe \U0001f389", "Gr\u00fc\u00dfe \U0001f389"),  # what GSM-7 has, and what it cannot have, stay
    ],
)
def test_smart_encoding_replaces_what_looks_alike(text: str, plain: str) -> None:
    assert smart_encode(text) == plain


@given(st.text())
def test_smart_encoding_is_done_once_and_adds_no_unicode(text: str) -> None:
    encoded = smart_encode(text)
    assert smart_encode(encoded) == encoded
    assert set(segment(encoded).unicode_characters) <= set(segment(text).unicode_characters)
