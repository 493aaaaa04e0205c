"""What steps of control decide: which branch to take, how often a loop runs and over which items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows import control_steps
from twilio_component.flows.expressions.evaluation import Scope, evaluate, is_true
from twilio_component.flows.expressions.javascript import is_nothing
from twilio_component.flows.expressions.operators import loosely_equal, parse_term
from twilio_component.flows.findings import EvaluationError
from twilio_component.host.inputs.messages import display, type_name

if TYPE_CHECKING:
    from twilio_component.flows.model import Step

MAX_ITERATIONS = 100_000
# How often loopNTimes runs, and how many milliseconds sleep waits, where a form was left as it was.
DEFAULT_NUMBER = 1_000


def branch_to_take(step: Step, scope: Scope) -> str:
    """The name of the branch that a branch step takes. A reference without a value counts as null here."""
    scope = scope.lenient()
    if step.operation == control_steps.BRANCH_ON_EXPRESSION:
        return next(
            (name for name, condition in step.conditions or () if is_true(condition, scope)), control_steps.ELSE
        )
    value = parse_term(_input(step, "inputValue", scope))
    if not is_nothing(value):
        for name, wanted in _pairs(_input(step, "branchValueMappings", scope)):
            if loosely_equal(value, parse_term(wanted)):
                return name
    return control_steps.ELSE


def loop_items(step: Step, scope: Scope) -> tuple[int, list[Any] | None]:
    """How many iterations a loop has, and the items that it goes over (None for a counted one)."""
    if step.operation == control_steps.LOOP_N_TIMES:
        return int(number_input(step, "iterationCount", MAX_ITERATIONS, scope)), None
    given = _input(step, "items", scope)
    items = parse_term(given)
    if isinstance(items, Mapping):
        items = [{"key": key, "value": value} for key, value in items.items()]
    if not isinstance(items, list):
        raise EvaluationError(f"items must be a list or an object, not {type_name(given)}")
    if len(items) > MAX_ITERATIONS:
        raise EvaluationError(f"a loop can go over at most {MAX_ITERATIONS:,} items, not {len(items):,}")
    return len(items), items


def number_input(step: Step, name: str, most: int, scope: Scope) -> float:
    """The number that an input holds, also as text; ``DEFAULT_NUMBER`` where it was left empty.

    Raises ``EvaluationError`` unless it is from 0 to ``most``.
    """
    given = _input(step, name, scope)
    number = DEFAULT_NUMBER if is_nothing(given) or given == "" else parse_term(given)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= most:
        raise EvaluationError(f"{name} must be a number from 0 to {most:,}, not {display(given)}")
    return number


def _input(step: Step, name: str, scope: Scope) -> Any:
    return evaluate(step.inputs[name], scope) if name in step.inputs else None


def _pairs(mappings: Any) -> list[tuple[str, Any]]:
    """Names and values, from a key-value list or an object."""
    if isinstance(mappings, Mapping):
        return list(mappings.items())
    if not isinstance(mappings, list) or not all(isinstance(pair, Mapping) and "key" in pair for pair in mappings):
        raise EvaluationError("branchValueMappings must be values by the name of a branch")
    return [(str(pair["key"]), pair.get("value")) for pair in mappings]
