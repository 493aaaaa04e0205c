"""Values that outlive a step: those of the execution, of the flow, of all flows, and of the integration.

A perform function reads a state from its context and returns what changes; null removes a value. The manifest names
each function by what it does and by its state: ``save_execution``, ``append_cross_flow``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.builtins.formats import parse_json
from twilio_component.flows.expressions.javascript import to_number
from twilio_component.flows.expressions.operators import strictly_equal
from twilio_component.host.errors import PerformError
from twilio_component.host.results import Result
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Perform = Callable[["Context", dict[str, Any]], Awaitable[Any]]
_Change = Callable[[Any, dict[str, Any]], Any]
_STATES = {name: f"{name}_state" for name in ("execution", "instance", "cross_flow", "integration")}


def _getter(state: str) -> Perform:
    async def get(context: Context, inputs: dict[str, Any]) -> Any:
        """The value, or the default."""
        values: Mapping[str, Any] = getattr(context, state)
        return values.get(inputs["keyInput"], inputs.get("defaultValueInput"))

    return get


def _lister(state: str) -> Perform:
    async def list_keys(context: Context, _inputs: dict[str, Any]) -> list[str]:
        """The keys that have a value."""
        return list(getattr(context, state))

    return list_keys


def _clearer(state: str) -> Perform:
    async def clear(context: Context, _inputs: dict[str, Any]) -> Result:
        """Nothing; every value of the state is removed."""
        removed: dict[str, Any] = {state: dict.fromkeys(getattr(context, state))}
        return Result(value=None, **removed)

    return clear


def _saver(state: str) -> Perform:
    async def save(context: Context, inputs: dict[str, Any]) -> Result:
        """``{"key", "value"}``, or a list of these for several."""
        several = inputs.get("dynamicValues")
        if several:
            changes: dict[str, Any] = {state: {pair["key"]: pair.get("value") for pair in several}}
            return Result(value=[{"key": pair["key"], "value": pair.get("value")} for pair in several], **changes)
        result: Result = await _changer(state, lambda _old, given: given.get("valueInput"))(context, inputs)
        return result

    return save


def _remover(state: str) -> Perform:
    async def remove(context: Context, inputs: dict[str, Any]) -> Result:
        """``{"key", "value": null}``; several keys are removed where they are given."""
        several = inputs.get("multipleKeys")
        if several:
            changes: dict[str, Any] = {state: dict.fromkeys(several)}
            return Result(value=[{"key": key, "value": None} for key in several], **changes)
        result: Result = await _changer(state, lambda _old, _given: None)(context, inputs)
        return result

    return remove


def _changer(state: str, change: _Change) -> Perform:
    async def perform(context: Context, inputs: dict[str, Any]) -> Result:
        """``{"key", "value"}`` after the change; raises ``PerformError`` where the value is of another kind."""
        key = inputs.get("keyInput")
        if not key:
            raise PerformError("keyInput is required: the name under which the value is kept")
        value = change(getattr(context, state).get(key), inputs)
        changes: dict[str, Any] = {state: {key: value}}
        return Result(value={"key": key, "value": value}, **changes)

    return perform


def _list(old: Any) -> list[Any]:
    if old is not None and not isinstance(old, list):
        raise PerformError("there is a value under this key that is not a list")
    return list(old or [])


def _append(old: Any, inputs: dict[str, Any]) -> list[Any]:
    return [*_list(old), inputs.get("valueInput")]


def _extend(old: Any, inputs: dict[str, Any]) -> list[Any]:
    given = inputs.get("dynamicValues") or inputs.get("valuesInput") or []
    values = parse_json(given) if isinstance(given, str) else given
    if not isinstance(values, list):
        raise PerformError("the values must be a list")
    if inputs["flattenValues"]:
        values = [inner for value in values for inner in (value if isinstance(value, list) else [value])]
    return [*_list(old), *values]


def _add_to_set(old: Any, inputs: dict[str, Any]) -> list[Any]:
    members, value = _list(old), inputs.get("valueInput")
    return members if any(strictly_equal(value, member) for member in members) else [*members, value]


def _remove_member(old: Any, inputs: dict[str, Any]) -> list[Any]:
    return [member for member in _list(old) if not strictly_equal(inputs.get("valueInput"), member)]


def _count(sign: int) -> _Change:
    def change(old: Any, inputs: dict[str, Any]) -> int | float:
        # A counter may have been kept as text, by a form or by another system.
        number = to_number(old) if isinstance(old, str) and old.strip() else 0 if old is None else old
        if isinstance(number, bool) or not isinstance(number, (int, float)) or number != number:  # noqa: PLR0124 - NaN
            raise PerformError("there is a value under this key that is not a number")
        total: int | float = number + sign * inputs["amountInput"]
        return int(total) if isinstance(total, float) and total.is_integer() else total

    return change


def _now(_old: Any, _inputs: dict[str, Any]) -> str:
    return iso_time(dt.datetime.now(dt.UTC))


_VERBS: Mapping[str, Callable[[str], Perform]] = {
    "get": _getter,
    "list": _lister,
    "clear": _clearer,
    "save": _saver,
    "remove": _remover,
    "append": lambda state: _changer(state, _append),
    "extend": lambda state: _changer(state, _extend),
    "add_member": lambda state: _changer(state, _add_to_set),
    "remove_member": lambda state: _changer(state, _remove_member),
    "increment": lambda state: _changer(state, _count(1)),
    "decrement": lambda state: _changer(state, _count(-1)),
    "save_time": lambda state: _changer(state, _now),
}
_FUNCTIONS = {f"{verb}_{name}": make(state) for verb, make in _VERBS.items() for name, state in _STATES.items()}


def __getattr__(name: str) -> Perform:
    try:
        return _FUNCTIONS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
