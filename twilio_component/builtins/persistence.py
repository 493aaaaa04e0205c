"""Values that outlive a step: those of the execution, of the flow, and of all flows of the integration.

A perform function reads a state from its context and returns what changes; null removes a value.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import PerformError
from twilio_component.host.results import Result

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Perform = Callable[["Context", dict[str, Any]], Awaitable[Any]]
_Change = Callable[[Any, dict[str, Any]], Any]


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


def _changer(state: str, change: _Change) -> Perform:
    async def perform(context: Context, inputs: dict[str, Any]) -> Result:
        """``{"key", "value"}`` after the change."""
        key = inputs["keyInput"]
        value = change(getattr(context, state).get(key), inputs)
        change_of_state: dict[str, Any] = {state: {key: value}}
        return Result(value={"key": key, "value": value}, **change_of_state)

    return perform


def _save(_old: Any, inputs: dict[str, Any]) -> Any:
    return inputs.get("valueInput")


def _remove(_old: Any, _inputs: dict[str, Any]) -> None:
    return None


def _append(old: Any, inputs: dict[str, Any]) -> list[Any]:
    if old is not None and not isinstance(old, list):
        raise PerformError("there is a value under this key that is not a list")
    return [*(old or []), inputs.get("valueInput")]


def _increment(old: Any, inputs: dict[str, Any]) -> int | float:
    if old is not None and (isinstance(old, bool) or not isinstance(old, (int, float))):
        raise PerformError("there is a value under this key that is not a number")
    total: int | float = (old or 0) + inputs["valueInput"]
    return total


get_execution = _getter("execution_state")
save_execution = _changer("execution_state", _save)
remove_execution = _changer("execution_state", _remove)
append_execution = _changer("execution_state", _append)
increment_execution = _changer("execution_state", _increment)
list_execution = _lister("execution_state")

get_instance = _getter("instance_state")
save_instance = _changer("instance_state", _save)
remove_instance = _changer("instance_state", _remove)
append_instance = _changer("instance_state", _append)
increment_instance = _changer("instance_state", _increment)
list_instance = _lister("instance_state")

get_crossflow = _getter("cross_flow_state")
save_crossflow = _changer("cross_flow_state", _save)
remove_crossflow = _changer("cross_flow_state", _remove)
append_crossflow = _changer("cross_flow_state", _append)
increment_crossflow = _changer("cross_flow_state", _increment)
list_crossflow = _lister("cross_flow_state")
