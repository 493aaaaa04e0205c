"""Shared keys as people write them down."""

from __future__ import annotations

import pytest

from twilio_component.twilio.signatures.shared_keys import clean, parse


def test_keys_stand_one_a_line_and_a_secret_may_hold_an_equals_sign() -> None:
    assert parse("a=one==\n  b_2=two \r\n\n") == {"a": "one==", "b_2": "two"}
    assert parse("a=one b=two") == {"a": "one", "b": "two"}
    assert parse("") == {}
    assert clean(" a=one  b=two ", {}) == "a=one\nb=two"


@pytest.mark.parametrize("text", ["secret-alone", "ok=1 secret-alone", "=secret-alone", "a=", "a,b=secret-alone"])
def test_what_is_not_a_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"of the form id=secret, one per line; the (first|second) is not") as caught:
        parse(text)
    assert "alone" not in str(caught.value)


def test_one_id_with_two_secrets_is_refused() -> None:
    with pytest.raises(ValueError, match="has the shared key a twice"):
        parse("a=one a=two")


def test_the_fourth_is_called_so() -> None:
    with pytest.raises(ValueError, match="the 4th is not"):
        parse("a=1 b=2 c=3 d")
