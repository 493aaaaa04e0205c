"""What an execution asks of whoever carries it out, and what it is told in return.

An execution does nothing by itself. Its ``next()`` returns one of these; a runner does it and reports back with
``succeeded()``, ``failed()`` or ``waited()``. ``id`` names a step's place in the execution and never changes:
``loopOverItems[3].sendSms`` is the step ``sendSms`` in the fourth round of that loop, whenever and wherever it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Invoke an action, or the trigger on ``payload``. ``run`` and ``attempt`` count from 1.

    ``states`` are the four states by their names in the field (``executionState`` …), to be read, not changed.
    """

    id: str
    name: str
    component: str
    action: str
    inputs: Mapping[str, Any]
    is_trigger: bool = False
    payload: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    run: int = 1
    states: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFlow:
    """Start another flow of the integration with ``payload``; the answer is its execution's id, or its result."""

    id: str
    name: str
    flow: str
    payload: Mapping[str, Any]
    attempt: int = 1
    run: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Let ``seconds`` pass: a sleep step, or the time before a step or the whole execution is tried again.

    ``reason`` is ``sleep``, ``retry-step`` or ``retry-execution``.
    """

    id: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call failed.

    ``permanent``: the same call would fail again. ``outcome_unknown``: it may have happened all the same, and doing it
    again might do it twice.
    """

    code: str
    message: str
    permanent: bool = False
    outcome_unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The end of an execution.

    ``result`` is what the last step returned. ``response`` is the HTTP answer, when the trigger, stopExecution or a
    synchronous flow gives one: statusCode, contentType, headers, body. ``error`` says why the execution failed:
    step, id, code, message, outcomeUnknown. ``handled`` are the errors that errorConfig or retryConfig took care of,
    each with what became of it.
    """

    result: Any
    response: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    handled: tuple[Mapping[str, Any], ...]


Effect = Call | StartFlow | Wait | Done
