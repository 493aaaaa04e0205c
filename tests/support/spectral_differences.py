"""Where this project decides otherwise than Spectral on purpose, each with the words of the page that says why."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twilio_component.flows.expressions.javascript import ABSENT, to_number, to_text
from twilio_component.flows.expressions.operators import parse_term

_DATES = ("dateTimeAfter", "dateTimeBefore", "dateTimeSame")
_NOTHING = (None, ABSENT)


@dataclass(frozen=True, slots=True)
class Difference:
    """``applies`` gets Spectral's verdict (t, f or e), ours, and the terms; ``title`` is in the page's table."""

    title: str
    operators: tuple[str, ...]
    applies: Callable[[str, str, tuple[Any, ...]], bool]


def _is_missing(term: Any) -> bool:
    return parse_term(term) in ("", *_NOTHING)


def _is_milliseconds(term: Any) -> bool:
    value = parse_term(term)
    return not isinstance(value, (list, dict)) and abs(to_number(value)) >= 1e11


def _is_mail_date(term: Any) -> bool:
    return isinstance(term, str) and term.startswith("Sat,")


def _is_container(term: Any) -> bool:
    return isinstance(parse_term(term), (list, dict))


def _word_of_nothing(left: Any, right: Any) -> bool:
    texts = [to_text(parse_term(term)) for term in (left, right)]
    return any(term in _NOTHING or parse_term(term) is None for term in (left, right)) and any(
        text and (text.strip("?") in ("null", "undefined") or "null".startswith(text) or text.startswith("undefined"))
        for text in texts
    )


DIFFERENCES = [
    Difference(
        "`isEmpty` of a number, a boolean, an object, or nothing",
        ("isEmpty", "isNotEmpty"),
        lambda theirs, _ours, terms: theirs == "e" and not isinstance(terms[0], (str, list)),
    ),
    Difference(
        "`in` a number, a boolean, or nothing",
        ("in", "notIn"),
        lambda theirs, _ours, terms: theirs == "e" and not isinstance(parse_term(terms[1]), (str, list, dict)),
    ),
    Difference(
        "the words `null` and `undefined`",
        ("in", "notIn", "startsWith", "doesNotStartWith", "endsWith", "doesNotEndWith"),
        lambda _theirs, _ours, terms: _word_of_nothing(*terms),
    ),
    Difference(
        "a date that is missing",
        _DATES,
        lambda theirs, ours, terms: (theirs, ours) == ("e", "f") and any(_is_missing(term) for term in terms),
    ),
    Difference(
        "milliseconds",
        _DATES,
        lambda _theirs, _ours, terms: any(_is_milliseconds(term) for term in terms),
    ),
    Difference(
        "dates of mail headers",
        _DATES,
        lambda theirs, ours, terms: theirs == "e" and ours in "tf" and any(_is_mail_date(term) for term in terms),
    ),
    Difference(
        "a list as a date",
        _DATES,
        lambda theirs, ours, terms: theirs in "tf" and ours == "e" and any(_is_container(term) for term in terms),
    ),
]
CONVERSIONS: dict[str, tuple[str, Callable[[Any, Any, Any], bool]]] = {
    "toBool": (
        "`0` and `1` as text",
        lambda term, _theirs, _ours: isinstance(term, str) and term.strip() in ("0", "1"),
    ),
    "toInt": (
        "whole numbers beyond 32 bits, and NaN",
        lambda term, _theirs, _ours: isinstance(term, float) and (not math.isfinite(term) or abs(term) >= 2**31),
    ),
    "toNumber": ("infinite numbers", lambda _term, theirs, _ours: isinstance(theirs, dict)),
    "toString": (
        "lists and objects as text",
        lambda term, _theirs, _ours: isinstance(term, (list, dict)),
    ),
}
# Of inputs that are converted, not guessed: what they take beyond what Spectral takes for the same.
INPUTS: dict[str, Callable[[Any, Any, Any], bool]] = {
    "boolean": lambda term, _theirs, ours: isinstance(term, str) and term != term.strip() and isinstance(ours, bool),
    "integer": lambda term, _theirs, _ours: isinstance(term, str) and (term.startswith(".") or "e" in term.lower()),
    "number": lambda _term, _theirs, _ours: False,
    "string": lambda _term, _theirs, _ours: False,
}
INPUT_TITLES = ("blanks around yes and no", "`.5` and `1e3` as whole numbers")
