"""The 23 operators of conditions, on values as JSON has them.

Terms that are JSON text are taken for what they hold (``"5"`` for 5, ``"[1]"`` for a list) before they are compared,
and compared as JavaScript does (``javascript``). Null and absent values are in nothing and start or end no text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.dates import moment
from twilio_component.flows.expressions.javascript import (
    ABSENT,
    compare,
    equals,
    is_nothing,
    parse_json,
    to_text,
)

if TYPE_CHECKING:
    import datetime as dt

_TRUE = frozenset({"t", "true", "y", "yes"})
_FALSE = frozenset({"f", "false", "n", "no"})


def parse_term(term: Any) -> Any:
    """A term as it is compared: text that is JSON as what it holds, everything else as it is."""
    if not isinstance(term, str):
        return term
    try:
        return parse_json(term)
    except (ValueError, RecursionError):  # not JSON, or nested too deep to be compared
        return term


def truth(value: Any) -> bool:
    """``t true y yes`` in any case are true, ``f false n no`` false; else null, "", 0 and NaN are false."""
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    return exists(value)


def exists(value: Any) -> bool:
    """Everything but null, an absent value, "", 0, NaN and false."""
    if isinstance(value, (list, Mapping)):
        return True
    return bool(value) and value == value  # noqa: PLR0124 - NaN is the value that differs from itself


def is_empty(term: Any) -> bool:
    """Null, an absent value, text without characters, a list (also as text) or an object without members."""
    value = parse_term(term)
    if isinstance(value, list) or not isinstance(term, str):
        return is_nothing(value) or (isinstance(value, (list, Mapping)) and not value)
    return not term


def strictly_equal(left: Any, right: Any) -> bool:
    """Equal in type and value, lists and objects member by member; 1 and 1.0 are one number, NaN equals itself."""
    pairs = [(left, right)]
    while pairs:
        left, right = pairs.pop()
        members = _member_pairs(left, right)
        if members is not None:
            pairs.extend(members)
        elif isinstance(left, bool) or isinstance(right, bool) or left is ABSENT or right is ABSENT:
            if left is not right:
                return False
        elif isinstance(left, (list, Mapping)) or (left != right and not (_is_nan(left) and _is_nan(right))):
            return False
    return True


def loosely_equal(left: Any, right: Any) -> bool:
    """``==`` of JavaScript; lists and objects equal their like, member by member, as loosely."""
    if equals(left, right):
        return True
    pairs = [(left, right)]
    while pairs:
        left, right = pairs.pop()
        members = _member_pairs(left, right)
        if members is not None:
            pairs.extend(members)
        elif isinstance(left, (list, Mapping)) or isinstance(right, (list, Mapping)):
            return False
        elif left is None or right is None or left is ABSENT or right is ABSENT:
            if left is not right:
                return False
        elif not equals(left, right):
            return False
    return True


def _member_pairs(left: Any, right: Any) -> list[tuple[Any, Any]] | None:
    """The members of two lists or two objects of one shape, side by side; None for anything else."""
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return list(zip(left, right, strict=True))
    if isinstance(left, Mapping) and isinstance(right, Mapping) and left.keys() == right.keys():
        return [(left[key], right[key]) for key in left]
    return None


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _order(decide: Callable[[int], bool]) -> Callable[[Any, Any], bool]:
    def operator(left: Any, right: Any) -> bool:
        order = compare(parse_term(left), parse_term(right))
        return order is not None and decide(order)

    return operator


def _contains(part: Any, whole: Any) -> bool:
    container = parse_term(whole)
    if isinstance(container, list):
        members = (part, parse_term(part))
        # Lists and objects are members of nothing: JavaScript compares them by identity.
        return any(
            strictly_equal(wanted, member)
            for member in container
            if not isinstance(member, (list, Mapping))
            for wanted in members
        )
    if isinstance(container, Mapping):
        return to_text(part) in container
    if is_nothing(container):
        return False
    # A number in text keeps its digits as they were written.
    return to_text(part) in to_text(container if isinstance(container, str) else whole)


def _starts(part: Any, whole: Any) -> bool:
    return to_text(parse_term(whole)).startswith(to_text(parse_term(part)))


def _ends(part: Any, whole: Any) -> bool:
    return to_text(parse_term(whole)).endswith(to_text(parse_term(part)))


def _compare_dates(decide: Callable[[dt.datetime, dt.datetime], bool]) -> Callable[[Any, Any], bool]:
    def operator(left: Any, right: Any) -> bool:
        first, second = moment(parse_term(left)), moment(parse_term(right))
        return first is not None and second is not None and decide(first, second)

    return operator


def _not(operator: Callable[..., bool]) -> Callable[..., bool]:
    return lambda *terms: not operator(*terms)


def _parsing(operator: Callable[..., bool]) -> Callable[..., bool]:
    return lambda *terms: operator(*(parse_term(term) for term in terms))


UNARY: Mapping[str, Callable[[Any], bool]] = {
    "isTrue": _parsing(truth),
    "isFalse": _not(_parsing(truth)),
    "exists": _parsing(exists),
    "doesNotExist": _not(_parsing(exists)),
    "isEmpty": is_empty,
    "isNotEmpty": _not(is_empty),
}
# For the last six that speak of text, the left term is the part and the right one the whole.
BINARY: Mapping[str, Callable[[Any, Any], bool]] = {
    "equal": _parsing(loosely_equal),
    "notEqual": _not(_parsing(loosely_equal)),
    "exactlyMatches": _parsing(strictly_equal),
    "doesNotExactlyMatch": _not(_parsing(strictly_equal)),
    "greaterThan": _order(lambda order: order > 0),
    "greaterThanOrEqual": _order(lambda order: order >= 0),
    "lessThan": _order(lambda order: order < 0),
    "lessThanOrEqual": _order(lambda order: order <= 0),
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
