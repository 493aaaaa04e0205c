"""The state of an execution: one value that JSON can hold, and all that an execution knows.

It has the payload, the results so far, where the execution is (``frames``: for each list of steps around the current
one its number, the place in it, and a loop's items and rounds), what it has kept for later executions (``states``), and
what happened to it. Config variables, which may be secrets, are not part of it.
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
    """The state of an execution that is about to begin. ``stored_state`` is what earlier executions kept, by name."""
    return {
        "version": 1,
        "payload": payload,
        "storedState": {name: dict((stored_state or {}).get(name, {})) for name in STORED_STATES},
        "flowAttempt": 1,
        "kept": {},
        "handled": [],
        "unknown": False,
        **_beginning(),
    }


def _beginning() -> dict[str, Any]:
    return {
        "frames": [{"block": 0, "at": 0}],
        "results": {},
        "last": "",
        "attempt": 1,
        "since": None,
        "steps": 0,
        "wait": None,
        "response": None,
        "stopped": False,
        "error": None,
    }


def begin_again(state: dict[str, Any]) -> None:
    """Begin another run of the same execution: what it kept for itself is gone, what it kept for others stays."""
    state.update(_beginning())
    state["storedState"]["executionState"] = {}
    state["flowAttempt"] += 1


def pause(state: dict[str, Any], place: str, seconds: float, reason: str, until: float | None = None) -> None:
    """Let time pass before anything else is done."""
    if seconds > 0:
        state["wait"] = {"id": place, "seconds": seconds, "reason": reason, "until": until}


def keep(state: dict[str, Any], envelope: Mapping[str, Any]) -> None:
    """Keep what a result wants kept.

    A state is changed key by key, since a component does not know what others keep there. Null removes a key.
    """
    for name in STORED_STATES:
        for key, value in (envelope.get(name) or {}).items():
            if value is None:
                state["storedState"][name].pop(key, None)
            else:
                state["storedState"][name][key] = value


def note(state: dict[str, Any], name: str, place: str, failure: Failure, resolution: str) -> None:
    """Remember a failure that errorConfig or retryConfig took care of, and what became of it."""
    if len(state["handled"]) < MOST_HANDLED:
        state["handled"].append({**failure_record(name, place, failure), "resolution": resolution})


def failure_record(name: str, place: str, failure: Failure) -> dict[str, Any]:
    """A failure as an outcome tells it: the step's name and id, and why (``reason`` only where there is one)."""
    return {
        "step": name,
        "id": place,
        "code": failure.code,
        **({"reason": failure.reason} if failure.reason else {}),
        "message": failure.message,
        "outcomeUnknown": failure.outcome_unknown,
    }


def remember_done(state: dict[str, Any], place: str, inputs: Mapping[str, Any], envelope: Mapping[str, Any]) -> None:
    """Remember that the step at ``place`` was done with these inputs, for another run of the same execution."""
    state["kept"][place] = {"inputs": _digest(inputs), "envelope": dict(envelope)}


def done_before(state: dict[str, Any], place: str, inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What an earlier run got when it did the same at the same place; None if it did not."""
    kept = state["kept"].get(place)
    if kept is None or kept["inputs"] != _digest(inputs):
        return None
    envelope: Mapping[str, Any] = kept["envelope"]
    return envelope


def _digest(inputs: Mapping[str, Any]) -> str:
    # Not the inputs themselves: the state is stored, and they may hold a connection.
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=as_text).encode()).hexdigest()
