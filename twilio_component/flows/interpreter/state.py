"""The state of an execution: one value that JSON can hold, and all that an execution knows.

It has the payload, the results so far, where the execution is (``frames``, see ``position``), what it stores for later
executions (``stored_state``), the calls that must not be made again (``completed``), and the failures that were
handled. Config variables, which may be secrets, are not part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.references import as_text

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Failure

STORED_STATES = ("executionState", "instanceState", "crossFlowState", "integrationState")
MOST_HANDLED = 1_000


def initial_state(
    payload: Mapping[str, Any], *, stored_state: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """The state of an execution that is about to begin.

    ``stored_state`` has what earlier executions stored, by the names of the states.
    """
    return {
        "version": 1,
        "payload": payload,
        "stored_state": {name: dict((stored_state or {}).get(name, {})) for name in STORED_STATES},
        "flow_attempt": 1,
        "completed": {},
        "handled": [],
        "unrepeatable": False,
        **_beginning(),
    }


def _beginning() -> dict[str, Any]:
    return {
        "frames": [{"block": 0, "position": 0}],
        "results": {},
        "last": "",
        "attempt": 1,
        "since": None,
        "steps": 0,
        "wait": None,
        "response": None,
        "stopped": False,
        "error": None,
        "iterations": None,
    }


def begin_again(state: dict[str, Any]) -> None:
    """Begin another attempt of the same execution: only its own state is lost, not what it stored for others."""
    state.update(_beginning())
    state["stored_state"]["executionState"] = {}
    state["flow_attempt"] += 1


def pause(state: dict[str, Any], step_id: str, seconds: float, reason: str, until: float | None = None) -> None:
    """Let ``seconds`` pass before the execution does anything else."""
    if seconds > 0:
        state["wait"] = {"id": step_id, "seconds": seconds, "reason": reason, "until": until}


def store_changes(state: dict[str, Any], envelope: Mapping[str, Any]) -> None:
    """Store what a result has under the names of the four states.

    A state changes key by key, since a component does not know what others store there. Null removes a key.
    """
    for name in STORED_STATES:
        if name not in envelope:  # most results have none
            continue
        for key, value in (envelope[name] or {}).items():
            if value is None:
                state["stored_state"][name].pop(key, None)
            else:
                state["stored_state"][name][key] = value


def note(state: dict[str, Any], name: str, step_id: str, failure: Failure, resolution: str) -> None:
    """Record a failure that errorConfig or retryConfig took care of, with what they did (``resolution``)."""
    if len(state["handled"]) < MOST_HANDLED:
        state["handled"].append({**failure_record(name, step_id, failure), "resolution": resolution})


def failure_record(name: str, step_id: str, failure: Failure) -> dict[str, Any]:
    """A failure as an outcome reports it: the step's name and id, and why.

    ``reason`` and ``concerns`` are there only where they are known.
    """
    return {
        "step": name,
        "id": step_id,
        "code": failure.code,
        **({"reason": failure.reason} if failure.reason else {}),
        **({"concerns": failure.concerns} if failure.concerns else {}),
        "message": failure.message,
        "outcomeUnknown": failure.outcome_unknown,
    }


def record_completion(
    state: dict[str, Any], step_id: str, inputs: Mapping[str, Any], envelope: Mapping[str, Any]
) -> None:
    """Record that a step was done with these inputs, for another attempt of the same execution."""
    state["completed"][step_id] = {"inputs": _digest(inputs), "envelope": dict(envelope)}


def completed_before(state: dict[str, Any], step_id: str, inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The result of an earlier attempt that did the same step with the same inputs; None if none did."""
    before = state["completed"].get(step_id)
    if before is None or before["inputs"] != _digest(inputs):
        return None
    envelope: Mapping[str, Any] = before["envelope"]
    return envelope


def _digest(inputs: Mapping[str, Any]) -> str:
    # Not the inputs themselves: the state is stored, and they may hold a connection.
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=as_text).encode()).hexdigest()
