"""Results that stand in for actions and triggers, installed or not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from twilio_component.flows.findings import FlowError
from twilio_component.host.errors import did_you_mean, join_names
from twilio_component.host.model import Action
from twilio_component.host.questions import OTHERWISE, OUTCOMES
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
        if result is EXAMPLE and not call.is_trigger:
            return example_of(operation)
        if result is EXAMPLE:
            result = dict(call.payload)
        name = "payload" if call.is_trigger else "data"
        if isinstance(result, Result):
            envelope = {name: json_ready(result.value), **json_ready(result.rest())}
        elif isinstance(result, Mapping) and _is_envelope(result, name):
            envelope = dict(json_ready(result))
        else:
            envelope = {name: json_ready(result)}
        return _as_asked(operation, envelope)


def _as_asked(operation: Operation | None, envelope: dict[str, Any]) -> dict[str, Any]:
    # A step that asks takes the branch of its outcome, or Else where the flow has no branch for it.
    if not isinstance(operation, Action) or operation.asks is None:
        return envelope
    data = envelope["data"]
    outcome = data.get("outcome") if isinstance(data, Mapping) else None
    return {**({"branch": outcome} if outcome in OUTCOMES else {}), **envelope, "otherBranch": OTHERWISE}


def _is_envelope(result: Mapping[str, Any], name: str) -> bool:
    # An action's data may be any object; only one that names a branch too is more than data.
    return name in result if name == "payload" else result.keys() == {"data", "branch"}


def example_of(operation: Operation | None) -> dict[str, Any]:
    """The envelope of the action's example, which shows its whole result; its data is null when there is none."""
    example = operation.example if operation else None
    envelope = {"data": None}
    if isinstance(example, Mapping):
        envelope = {name: example.get(name) for name in ("data", "branch") if name == "data" or name in example}
    return _as_asked(operation, envelope)
