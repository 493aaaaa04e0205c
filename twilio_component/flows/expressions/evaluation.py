"""Inputs and conditions, computed from what has happened so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twilio_component.flows.expressions.javascript import ABSENT
from twilio_component.flows.expressions.operators import OPERATORS
from twilio_component.flows.expressions.references import as_text, render
from twilio_component.flows.findings import EvaluationError
from twilio_component.flows.model import (
    BooleanExpression,
    Complex,
    Condition,
    ConfigVar,
    Fields,
    Input,
    Item,
    Reference,
    Template,
    Unreadable,
    Value,
    inner_inputs,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where references and config variables get their values; both raise ``EvaluationError`` for a missing one."""

    lookup: Callable[[Reference], Any]
    config: Callable[[ConfigVar], Any]

    def lenient(self) -> Scope:
        """This scope, except that a reference without a value is ``ABSENT``: a branch may ask whether it has one."""

        def lookup(reference: Reference) -> Any:
            try:
                return self.lookup(reference)
            except EvaluationError:
                return ABSENT

        return Scope(lookup, self.config)


def evaluate(value: Input, scope: Scope) -> Any:
    """The value of an input. A key-value list is a list of ``{"key", "value"}``; the short form an object."""
    if isinstance(value, Value):
        return value.value
    if isinstance(value, Reference):
        return scope.lookup(value)
    if isinstance(value, ConfigVar):
        return scope.config(value) if value.name else ""
    if isinstance(value, Template):
        return render(value, scope.lookup, scope.config)
    if isinstance(value, Fields):
        return {name: _member(part, scope) for name, part in value.fields}
    if isinstance(value, Unreadable):
        raise EvaluationError("an input cannot be read")
    return _complex(value, scope)


def _complex(value: Complex, scope: Scope) -> list[Any]:
    # A loop, not a comprehension: each level of nesting costs two frames of Python's stack instead of three.
    members = []
    for item in value.items:
        member = _member(item.value, scope)
        members.append(member if item.name is None else {"key": _name(item, scope), "value": member})
    return members


def _member(value: Input, scope: Scope) -> Any:
    member = evaluate(value, scope)
    return None if member is ABSENT else member


def _name(item: Item, scope: Scope) -> str:
    return as_text(evaluate(item.name, scope)) if item.name is not None else ""


def is_fixed(value: Input) -> bool:
    """Whether the value stands in the file, and needs neither a step nor a config variable."""
    return not any(
        isinstance(part, (Reference, Unreadable)) or (isinstance(part, ConfigVar) and part.name)
        for part in inner_inputs(value)
    )


def fixed_value(value: Input) -> Any:
    """The value that stands in the file, of an input that is fixed."""
    # Nothing asks this scope for anything: that is what `is_fixed` has found out.
    return evaluate(value, Scope(_nothing, _nothing))


def _nothing(part: Reference | ConfigVar) -> Any:
    raise EvaluationError(f"{part} needs a flow that runs")


def is_true(condition: Condition, scope: Scope) -> bool:
    """Whether a condition is true. ``and`` and ``or`` stop at the first condition that decides."""
    if isinstance(condition, BooleanExpression):
        decisive = condition.word == "or"
        for part in condition.conditions:
            if is_true(part, scope) is decisive:
                return decisive
        return not decisive
    terms = [evaluate(term, scope) for term in condition.terms]
    return OPERATORS[condition.operator](*terms)
