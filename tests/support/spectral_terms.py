"""The terms on which Spectral and this project are compared: some 150 values of every kind that flows compare."""

from __future__ import annotations

import math
from typing import Any

from twilio_component.flows.expressions.javascript import ABSENT

PLAIN_TEXTS = [
    "", " ", "a", "A", "abc", "b", "Hello", "hello", "World", "Hello, world!", "open", "pending", "open,pending",
    "yes", "Yes", "no", "NO", "y", "n", "t", "F", "true", "TRUE", "false", "False", " yes", "no ",
    "0", "1", "2", "-1", "5", "5.0", "5.2", "05", "+5", ".5", "5.", "1e3", "0x1F", " 7 ", "12abc", "NaN", "Infinity",
    "1_000", "+15558675310", "15558675310", "é", "e\u0301", "ß", "\U0001f600", "\ufb01", "line\nbreak", "undefined?",
]  # fmt: skip
NOTHING = ["null", "undefined", "[]", "{}", '""', '"5"', '"abc"', "[1,2,3]", "[1]", '{"a":1}', "[null]"]
DATES = [
    "2021", "2021-01", "2021-03-20", "2021-04-13", "2021-03-20T12:50:30Z", "2021-03-20T12:50:30.105Z",
    "2021-03-20T11:52:21.881Z", "2021-03-20T00:00:00.000Z", "2021-03-20T02:00:00+02:00", "2021-03-20 12:50:30",
    "2021-01-01T24:00:00Z", "2021-02-30", "2021-13-01", "2021-W11-6", "2021-079", "20210320", "20210320T125030Z",
    "1616198400", "1631568050", "1616244630000", "12:50", "tomorrow", "Sat, 20 Mar 2021 12:50:30 +0000", "3/20/2021",
]  # fmt: skip
NUMBERS = [
    0, 1, 2, 3, -1, 5, 5.0, 5.2, 5.3, 0.5, 1e-7, 1.5e-5, 1e21, 31, 1000, 1616198400, 1631568050, 1616244630000,
    9007199254740991, -0.5,
]  # fmt: skip
CONTAINERS: list[Any] = [
    [], [1], [1, 2, 3], ["1", "2", "3"], [0, 1, 2], ["a"], ["a", "b"], ["open", "pending"], [5], ["5"], [None], [False],
    [True], [""], [[1, 2, 3]], [[], {}], [{"a": 1}], [5.2, "x", None, True], ["2021-03-20"], [1, [2, [3]]],
    {}, {"a": 1}, {"a": "1"}, {"a": ""}, {"a": False}, {"a": None}, {"a": {"b": [1]}}, {"a": {"b": ["1"]}},
    {"open": True}, {"1": "one", "true": "yes"}, {"b": 2, "a": 1}, {"a": 1, "b": 2}, {"5": 5},
]  # fmt: skip
TERMS: list[Any] = [
    ABSENT, None, True, False, *PLAIN_TEXTS, *NOTHING, *DATES, *NUMBERS, math.nan, math.inf, *CONTAINERS,
]  # fmt: skip


def encode(term: Any) -> dict[str, Any]:
    """A term as JSON that keeps what JSON has no word for."""
    if term is ABSENT:
        return {"absent": True}
    if isinstance(term, float) and not math.isfinite(term):
        return {"nan": True} if math.isnan(term) else {"infinity": True}
    return {"json": term}


def is_plain(term: Any) -> bool:
    """Whether a term is absent, null, text, a boolean or a finite number: what flows compare most."""
    return (
        term is ABSENT
        or term is None
        or isinstance(term, (str, bool, int))
        or (isinstance(term, float) and math.isfinite(term))
    )
