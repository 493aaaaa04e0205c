"""How texts are cut into segments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_component.twilio.segments import segment


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
