from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.flow_runs import RELAXED

from twilio_component.flows.expressions.operators import BINARY, OPERATORS, UNARY, loosely_equal, strictly_equal
from twilio_component.flows.findings import EvaluationError
from twilio_component.host.manifest.documents import read_document

FOLDER = Path(__file__).parents[2] / "fixtures" / "flows"
TABLE: dict[str, list[list[Any]]] = read_document(FOLDER / "operators.yaml").data
PUBLISHED: dict[str, list[list[Any]]] = read_document(FOLDER / "spectral-operators.yaml").data


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


@pytest.mark.parametrize("table", [TABLE, PUBLISHED], ids=["ours", "prismatic's"])
def test_each_operator_decides_as_its_table_says(table: dict[str, list[list[Any]]]) -> None:
    wrong = [
        f"{operator} of {terms} is not {expected}"
        for operator, cases in table.items()
        for *terms, expected in cases
        if OPERATORS[operator](*terms) is not expected
    ]
    assert wrong == []


def test_the_published_tables_name_every_operator() -> None:
    assert PUBLISHED.keys() == OPERATORS.keys()


def test_the_tables_cover_all_23_operators_with_the_right_number_of_terms() -> None:
    assert TABLE.keys() == OPERATORS.keys()
    assert len(OPERATORS) == 23
    for operator, cases in TABLE.items():
        assert {len(case) for case in cases} == {2 if operator in UNARY else 3}
        assert {case[-1] for case in cases} == {True, False}


@RELAXED
@given(left=JSON, right=JSON)
def test_no_pair_of_terms_makes_an_operator_crash(left: Any, right: Any) -> None:
    for name, operator in OPERATORS.items():
        try:
            verdict = operator(left) if name in UNARY else operator(left, right)
        except EvaluationError:
            assert name.startswith("dateTime")
        else:
            assert isinstance(verdict, bool)


@RELAXED
@given(left=JSON, right=JSON)
def test_each_operator_and_its_opposite_disagree(left: Any, right: Any) -> None:
    opposites = {
        "equal": "notEqual",
        "exactlyMatches": "doesNotExactlyMatch",
        "in": "notIn",
        "startsWith": "doesNotStartWith",
        "endsWith": "doesNotEndWith",
    }
    for name, opposite in opposites.items():
        assert BINARY[name](left, right) is not BINARY[opposite](left, right)


@RELAXED
@given(value=JSON)
def test_what_matches_exactly_is_also_equal(value: Any) -> None:
    if strictly_equal(value, value):
        assert loosely_equal(value, value)


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "[]", False, {}])
def test_an_operator_refuses_what_is_not_a_date(text: Any) -> None:
    with pytest.raises(EvaluationError, match="2026-01-31T12:00:00Z"):
        OPERATORS["dateTimeAfter"](text, "2026-01-01")


def test_json_text_nested_without_end_is_compared_as_text() -> None:
    deep = "[" * 100_000
    assert OPERATORS["equal"](deep, deep) is True
    assert OPERATORS["in"]("[[", deep) is True
    closed = deep + "]" * 100_000
    assert OPERATORS["isNotEmpty"](closed) is True
