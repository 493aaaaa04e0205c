"""Results that stand in for actions and triggers, installed or not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from twilio_component.flows.findings import FlowError
from twilio_component.host.errors import did_you_mean, join_names
from twilio_component.host.results import Result
from twilio_component.host.serialization import json_ready

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.host.model import Operation


class _Example:
    def __repr__(self) -> str:
        return "EXAMPLE"


EXAMPLE: Final = _Example()
"""As a mock: the action's own example, or null when there is none; a trigger passes its payload on."""


class Mocks:
    """Results by ``component.action``.

    A mock is the action's data; or ``{"data": …, "branch": …}``; for a trigger its payload, or
    ``{"payload": …, "branch": …}``. It may also be
    ``EXAMPLE``, an exception to raise, a ``Result``, or a function of the inputs that returns any of these, which may
    be asynchronous.
    """

    def __init__(self, mocks: Mapping[str, Any] | None = None) -> None:
        self._mocks = dict(mocks or {})

    def __contains__(self, operation: object) -> bool:
        """Whether ``component.action`` is mocked."""
        return operation in self._mocks

    def check(self, operations: Iterable[str]) -> None:
        """Raise ``FlowError`` for a mock that no step would use: it is misspelt."""
        known = sorted(set(operations))
        for name in self._mocks:
            if name not in known:
                hint = did_you_mean(name, known) or f" (there are: {join_names(known, limit=40)})"
                raise FlowError(f"the mock '{name}' stands for no step{hint}")

    async def envelope(self, call: Call, operation: Operation | None) -> dict[str, Any]:
        """The envelope of the call, in the form that a host returns."""
        result = self._mocks[f"{call.component}.{call.action}"]
        if isinstance(result, Callable):  # type: ignore[arg-type]  # collections.abc.Callable is a class that isinstance knows
            result = result(dict(call.inputs))
            if inspect.isawaitable(result):
                result = await result
        if isinstance(result, BaseException):
            raise result
        if result is EXAMPLE:
            result = dict(call.payload) if call.is_trigger else example_of(operation)
        name = "payload" if call.is_trigger else "data"
        if isinstance(result, Result):
            return {name: json_ready(result.value), **json_ready(result.rest())}
        if isinstance(result, Mapping) and _is_envelope(result, name):
            return dict(json_ready(result))
        return {name: json_ready(result)}


def _is_envelope(result: Mapping[str, Any], name: str) -> bool:
    # An action's data may be any object; only one that names a branch too is more than data.
    return name in result if name == "payload" else result.keys() == {"data", "branch"}


def example_of(operation: Operation | None) -> Any:
    """The data in the action's example, which shows its whole result."""
    example = operation.example if operation else None
    return example.get("data") if isinstance(example, Mapping) else None
