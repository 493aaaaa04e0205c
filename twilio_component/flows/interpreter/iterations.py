"""Rounds of a loop that run side by side: each an execution of its own, that sees what was there before the loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.references import RESULTS
from twilio_component.flows.interpreter.state import initial_state
from twilio_component.flows.model import Flow, Reference, Step, all_steps, step_inputs

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Failure

MOST_FAILURES = 100
"""How many failures a loop tells one by one; it counts them all."""


def captured_state(state: Mapping[str, Any], loop: Step) -> dict[str, Any]:
    """What the rounds of a loop can see of the execution in this state; JSON, and no more than they refer to."""
    wanted = {
        part.step
        for step in all_steps(loop.steps or ())
        for part in step_inputs(step)
        if isinstance(part, Reference) and part.part == RESULTS
    }
    return {
        "results": {key: value for key, value in state["results"].items() if key in wanted},
        "frames": [_present(frame) for frame in state["frames"] if "loop" in frame],
        "storedState": {name: dict(kept) for name, kept in state["storedState"].items()},
        "flowAttempt": state["flowAttempt"],
    }


def _present(frame: Mapping[str, Any]) -> dict[str, Any]:
    """A loop around, with the item of its present round and no other."""
    items, at = frame["items"], frame["round"]
    present = None if items is None else [items[at - frame["base"]]]
    return {**frame, "items": present, "base": at, "rounds": [], "next": None}


@dataclass(frozen=True, slots=True)
class Iteration:
    """The ``number``-th round (from 0) of the loop with the key ``loop``, with its item.

    ``captured`` is that of the loop's ``FanOut``.
    """

    captured: Mapping[str, Any]
    loop: str
    number: int
    item: Any

    def state(self, payload: Mapping[str, Any], block: int) -> dict[str, Any]:
        """The state of an execution that is to run this round; ``block`` is the number of the loop's steps."""
        state = initial_state(payload, stored_state=self.captured["storedState"])
        state["results"] = dict(self.captured["results"])
        state["flowAttempt"] = self.captured["flowAttempt"]
        frame = loop_frame(block, self.loop, [self.item], self.number + 1)
        frame.update(base=self.number, round=self.number, alone=True)
        state["frames"] = [*(dict(around) for around in self.captured["frames"]), frame]
        return state


def loop_frame(block: int, loop: str, items: list[Any] | None, count: int) -> dict[str, Any]:
    """Where a loop is that has just begun.

    ``items`` are those of the rounds from ``base`` on, None for a counted loop; ``count`` is the number of the round
    before which it ends. Of a loop over pages, ``next`` is what the next page comes after (None when there is none),
    and ``wants`` says that it is needed now. A round that runs ``alone`` is all that its execution does.
    """
    return {"block": block, "at": 0, "loop": loop, "items": items, "base": 0, "count": count, "round": 0, "rounds": []}


def partial_failure(failure: Failure, rounds: int) -> Failure:
    """Why a loop failed of which some rounds have been carried out: it must not simply begin again."""
    if not rounds:
        return failure
    message = f"the items after the first {rounds:,} could not be had: {failure.message}"
    return replace(failure, message=message, permanent=True, outcome_unknown=True)


def without_retry(flow: Flow) -> Flow:
    """The flow as a round runs it: a round that fails is counted; only the execution around it may run again."""
    return replace(flow, retry=None)


def failure_code(error: Mapping[str, Any]) -> str:
    """The code by which an error is counted: the service's own, where it has one."""
    return str(error.get("reason") or error["code"])


@dataclass(slots=True)
class Tally:
    """How the rounds of a loop have ended; ``as_data`` is what the loop's step returns."""

    succeeded: int = 0
    failed: int = 0
    unknown: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, number: int, error: Mapping[str, Any] | None) -> None:
        """Count a round; ``error`` is that of its ``Done``."""
        if error is None:
            self.succeeded += 1
            return
        if error["outcomeUnknown"]:
            self.unknown += 1
        else:
            self.failed += 1
        self.by_code[failure_code(error)] += 1
        if len(self.failures) < MOST_FAILURES:
            self.failures.append({"index": number, **error})

    def as_data(self) -> dict[str, Any]:
        """``{"count", "succeeded", "failed", "unknown", "byCode": {code: rounds}, "failures": [the first 100]}``."""
        return {
            "count": self.succeeded + self.failed + self.unknown,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "unknown": self.unknown,
            "byCode": dict(self.by_code),
            "failures": self.failures,
        }
