"""The 23 operators of conditions, on values as JSON has them.

Terms that are JSON text are taken for what they hold (``"5"`` for 5, ``"[1]"`` for a list) before they are compared.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from twilio_component.flows.expressions.references import as_text
from twilio_component.flows.findings import EvaluationError

_TRUE = frozenset({"t", "true", "y", "yes"})
_FALSE = frozenset({"f", "false", "n", "no"})


def parse_term(term: Any) -> Any:
    """A term as it is compared: text that is JSON as what it holds, everything else as it is."""
    if not isinstance(term, str):
        return term
    try:
        return json.loads(term)
    except (ValueError, RecursionError):  # no JSON, or nested deeper than anybody compares
        return term


def truth(value: Any) -> bool:
    """``t true y yes`` in any case are true, ``f false n no`` false; else null, "", 0 and NaN are false."""
    if isinstance(value, str) and value.strip().lower() in _TRUE | _FALSE:
        return value.strip().lower() in _TRUE
    return exists(value)


def exists(value: Any) -> bool:
    """Everything but null, "", 0, NaN and false."""
    if isinstance(value, (list, Mapping)):
        return True
    return bool(value) and value == value  # noqa: PLR0124 - NaN is the value that differs from itself


def is_empty(value: Any) -> bool:
    """Null, "", a list or an object without members."""
    return value is None or (isinstance(value, (str, list, Mapping)) and not value)


def strictly_equal(left: Any, right: Any) -> bool:
    """Equal in type and value, lists and objects member by member; 1 and 1.0 are one number."""
    pairs = [(left, right)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
            pairs.extend(zip(left, right, strict=True))
        elif isinstance(left, Mapping) and isinstance(right, Mapping) and left.keys() == right.keys():
            pairs.extend((left[key], right[key]) for key in left)
        elif isinstance(left, bool) or isinstance(right, bool):
            if left is not right:
                return False
        elif left != right or isinstance(left, (list, Mapping)):
            return False
    return True


def loosely_equal(left: Any, right: Any) -> bool:
    """As ``==`` of JavaScript for plain values: booleans and text count as numbers beside a number or a boolean.

    Lists and objects equal only their like, member by member.
    """
    plain = (str, int, float, bool)
    if isinstance(left, plain) and isinstance(right, plain) and type(left) is not type(right):
        return _number(left) == _number(right)
    return strictly_equal(left, right)


def _number(value: Any) -> float:
    if isinstance(value, str):
        text = value.strip()
        try:
            return float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            return math.nan if text else 0.0
    return value if isinstance(value, (int, float)) else math.nan


def _order(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def decide(left: Any, right: Any) -> bool:
        left, right = parse_term(left), parse_term(right)
        if isinstance(left, str) and isinstance(right, str):
            return compare(left, right)
        # NaN, the number of whatever is none, is neither smaller nor greater than anything.
        return compare(_number(left), _number(right))

    return decide


def _contains(part: Any, whole: Any) -> bool:
    container = parse_term(whole)
    if isinstance(container, list):
        wanted = parse_term(part)
        return any(loosely_equal(wanted, parse_term(member)) for member in container)
    if isinstance(container, Mapping):
        return as_text(part) in container
    return whole is not None and as_text(part) in _plain_text(whole)


def _plain_text(term: Any) -> str:
    # Text that is JSON for text loses its quotation marks; a number in text keeps its digits as they were written.
    held = parse_term(term)
    return as_text(held if isinstance(held, str) else term)


def _starts(part: Any, whole: Any) -> bool:
    return whole is not None and part is not None and _plain_text(whole).startswith(_plain_text(part))


def _ends(part: Any, whole: Any) -> bool:
    return whole is not None and part is not None and _plain_text(whole).endswith(_plain_text(part))


def moment(value: Any) -> dt.datetime | None:
    """A point in time: ISO 8601, the form of mail headers, or milliseconds since 1970; None for what is missing.

    A time without a zone is UTC. Raises ``EvaluationError`` for anything else.
    """
    if value is None or value == "":
        return None
    try:
        number = parse_term(value)
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            return dt.datetime.fromtimestamp(number / 1000, dt.UTC)
        found = _date_in(str(value).strip())
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise EvaluationError(
            "a date or a time is needed, such as 2026-01-31T12:00:00Z or milliseconds since 1970"
        ) from error
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found


def _date_in(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)


def _compare_dates(compare: Callable[[dt.datetime, dt.datetime], bool]) -> Callable[[Any, Any], bool]:
    def decide(left: Any, right: Any) -> bool:
        first, second = moment(left), moment(right)
        return first is not None and second is not None and compare(first, second)

    return decide


def _not(operator: Callable[..., bool]) -> Callable[..., bool]:
    return lambda *terms: not operator(*terms)


def _parsing(operator: Callable[..., bool]) -> Callable[..., bool]:
    return lambda *terms: operator(*(parse_term(term) for term in terms))


UNARY: Mapping[str, Callable[[Any], bool]] = {
    "isTrue": _parsing(truth),
    "isFalse": _not(_parsing(truth)),
    "exists": _parsing(exists),
    "doesNotExist": _not(_parsing(exists)),
    "isEmpty": _parsing(is_empty),
    "isNotEmpty": _not(_parsing(is_empty)),
}
# For the last six that speak of text, the left term is the part and the right one the whole.
BINARY: Mapping[str, Callable[[Any, Any], bool]] = {
    "equal": _parsing(loosely_equal),
    "notEqual": _not(_parsing(loosely_equal)),
    "exactlyMatches": _parsing(strictly_equal),
    "doesNotExactlyMatch": _not(_parsing(strictly_equal)),
    "greaterThan": _order(lambda left, right: left > right),
    "greaterThanOrEqual": _order(lambda left, right: left >= right),
    "lessThan": _order(lambda left, right: left < right),
    "lessThanOrEqual": _order(lambda left, right: left <= right),
    "in": _contains,
    "notIn": _not(_contains),
    "startsWith": _starts,
    "doesNotStartWith": _not(_starts),
    "endsWith": _ends,
    "doesNotEndWith": _not(_ends),
    "dateTimeAfter": _compare_dates(lambda left, right: left > right),
    "dateTimeBefore": _compare_dates(lambda left, right: left < right),
    "dateTimeSame": _compare_dates(lambda left, right: left == right),
}
OPERATORS: Mapping[str, Callable[..., bool]] = {**UNARY, **BINARY}
