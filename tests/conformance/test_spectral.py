"""Conditions and conversions beside those of @prismatic-io/spectral under Node, on every pair of some 150 terms.

``make conformance`` installs Spectral where there is npm. What differs on purpose is in
``support/spectral_differences.py``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from support.node import ask_node
from support.spectral_differences import CONVERSIONS, DIFFERENCES, INPUT_TITLES, INPUTS
from support.spectral_terms import TERMS, encode, is_plain

from twilio_component.flows.expressions.conversions import as_bool, as_int, as_number
from twilio_component.flows.expressions.dates import moment
from twilio_component.flows.expressions.operators import BINARY, UNARY
from twilio_component.flows.expressions.references import as_text
from twilio_component.flows.findings import EvaluationError
from twilio_component.host.errors import PerformError
from twilio_component.host.inputs.form import convert

OURS: dict[str, Any] = {"toBool": as_bool, "toInt": as_int, "toNumber": as_number, "toString": as_text}
PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "flow-language.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def spectral() -> dict[str, Any]:
    """Spectral's verdicts and conversions of all terms."""
    asked = {"terms": [encode(term) for term in TERMS], "conversions": [*OURS, "toDate"]}
    verdicts: dict[str, Any] = ask_node("spectral.cjs", asked, package="@prismatic-io/spectral")
    return verdicts


def verdict(operator: Any, *terms: Any) -> str:
    try:
        return "t" if operator(*terms) else "f"
    except EvaluationError:
        return "e"


def pairs_of(spectral: dict[str, Any]) -> list[tuple[str, str, str, tuple[Any, ...]]]:
    """Operator, Spectral's verdict, ours, and the terms, where the two verdicts differ."""
    found: list[tuple[str, str, str, tuple[Any, ...]]] = []
    for name, operator in UNARY.items():
        for term, theirs in zip(TERMS, spectral["unary"][name], strict=True):
            found.append((name, theirs, verdict(operator, term), (term,)))
    for name, binary in BINARY.items():
        for left, row in zip(TERMS, spectral["binary"][name], strict=True):
            for right, theirs in zip(TERMS, row, strict=True):
                found.append((name, theirs, verdict(binary, left, right), (left, right)))
    return [one for one in found if one[1] != one[2]]


def test_every_operator_decides_as_spectral_does_but_for_what_the_page_says(spectral: dict[str, Any]) -> None:
    unexplained = [
        (name, theirs, ours, terms)
        for name, theirs, ours, terms in pairs_of(spectral)
        if not any(name in one.operators and one.applies(theirs, ours, terms) for one in DIFFERENCES)
    ]
    assert unexplained == []


def test_among_plain_terms_both_decide_alike_where_both_decide(spectral: dict[str, Any]) -> None:
    """Two differences are left: milliseconds, which Prismatic's page has and its program has not, and words."""
    allowed = [one for one in DIFFERENCES if one.title in ("milliseconds", "the words `null` and `undefined`")]
    different = [
        (name, terms)
        for name, theirs, ours, terms in pairs_of(spectral)
        if all(is_plain(term) for term in terms)
        and "e" not in (theirs, ours)
        and not any(name in one.operators and one.applies(theirs, ours, terms) for one in allowed)
    ]
    assert different == []


def test_each_difference_occurs_and_is_in_the_page(spectral: dict[str, Any]) -> None:
    different = pairs_of(spectral)
    for one in DIFFERENCES:
        occurs = any(
            name in one.operators and one.applies(theirs, ours, terms) for name, theirs, ours, terms in different
        )
        assert occurs, one.title
        assert f"| {one.title} |" in PAGE
    for title in (*(title for title, _ in CONVERSIONS.values()), *INPUT_TITLES):
        assert f"| {title} |" in PAGE


def _differ(theirs: Any, ours: Any) -> bool:
    # To Python, True equals 1.
    return bool(theirs != ours) or isinstance(theirs, bool) is not isinstance(ours, bool)


def converted(name: str, term: Any) -> Any:
    try:
        return OURS[name](term)
    except PerformError:
        return {"error": True}


@pytest.mark.parametrize("name", OURS)
def test_conversions_agree_with_spectral(spectral: dict[str, Any], name: str) -> None:
    _, applies = CONVERSIONS[name]
    different = []
    for term, given in zip(TERMS, spectral["conversions"][name], strict=True):
        theirs, ours = given.get("json", given), converted(name, term)
        if _differ(theirs, ours) and not applies(term, theirs, ours):
            different.append((term, theirs, ours))
    assert different == []


def test_dates_are_the_same_points_in_time(spectral: dict[str, Any]) -> None:
    different = []
    for term, given in zip(TERMS, spectral["conversions"]["toDate"], strict=True):
        if "date" not in given or isinstance(term, list) or given["date"] is None:
            continue
        try:
            found = moment(term)
        except EvaluationError:
            found = None
        number = None if found is None else round(found.timestamp() * 1000)
        is_milliseconds = isinstance(term, (int, float, str)) and abs(given["date"]) >= 1e14
        if number != given["date"] and not is_milliseconds:
            different.append((term, given["date"], number))
    assert different == []


@pytest.mark.parametrize(
    ("name", "kind"), [("toBool", "boolean"), ("toInt", "integer"), ("toNumber", "number"), ("toString", "string")]
)
def test_an_input_that_is_converted_is_converted_as_spectral_converts_it(
    spectral: dict[str, Any], name: str, kind: str
) -> None:
    """Inputs are stricter: what Spectral guesses, the schema refuses. What they take means the same."""
    types: dict[str, Any] = {"boolean": bool, "integer": int, "number": (int, float), "string": str}
    different = []
    for term, given in zip(TERMS, spectral["conversions"][name], strict=True):
        ours = convert(term, {"type": kind})
        if not isinstance(ours, types[kind]) or (kind != "boolean" and isinstance(ours, bool)):
            continue  # unchanged, for the schema to refuse
        if isinstance(ours, float) and not math.isfinite(ours):
            continue  # JSON has no such number
        theirs = given.get("json", given)
        if theirs != ours and not any(one(term, theirs, ours) for one in (CONVERSIONS[name][1], INPUTS[kind])):
            different.append((term, theirs, ours))
    assert different == []
