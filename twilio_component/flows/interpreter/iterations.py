"""Iterations of a concurrent loop: each is an execution of its own that reads what was there before the loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.references import RESULTS
from twilio_component.flows.interpreter.position import Frame, LoopFrame
from twilio_component.flows.interpreter.state import initial_state
from twilio_component.flows.model import Flow, Reference, Step, all_steps, step_inputs

if TYPE_CHECKING:
    from twilio_component.flows.interpreter.effects import Failure

MOST_FAILURES = 100
"""How many failures a loop lists one by one; it counts them all."""


def captured_state(state: Mapping[str, Any], frames: Sequence[Frame], loop: Step) -> dict[str, Any]:
    """What the iterations of a loop can read of the execution in this state; JSON, and no more than they refer to."""
    wanted = {
        part.step
        for step in all_steps(loop.steps or ())
        for part in step_inputs(step)
        if isinstance(part, Reference) and part.part == RESULTS
    }
    return {
        "results": {key: value for key, value in state["results"].items() if key in wanted},
        "frames": [frame.capture().as_json() for frame in frames if isinstance(frame, LoopFrame)],
        "stored_state": {name: dict(values) for name, values in state["stored_state"].items()},
        "flow_attempt": state["flow_attempt"],
    }


@dataclass(frozen=True, slots=True)
class Iteration:
    """The ``number``-th iteration (from 0) of the loop with the key ``loop``, with its item.

    ``captured`` is that of the loop's ``FanOut``.
    """

    captured: Mapping[str, Any]
    loop: str
    number: int
    item: Any

    def state(self, payload: Mapping[str, Any], block: int) -> dict[str, Any]:
        """The state of an execution that is to run this iteration; ``block`` is the number of the loop's steps."""
        state = initial_state(payload, stored_state=self.captured["stored_state"])
        state["results"] = dict(self.captured["results"])
        state["flow_attempt"] = self.captured["flow_attempt"]
        frame = LoopFrame(
            block=block,
            loop=self.loop,
            items=[self.item],
            count=self.number + 1,
            first_index=self.number,
            iteration=self.number,
            single_iteration=True,
        )
        state["frames"] = [*(dict(around) for around in self.captured["frames"]), frame.as_json()]
        return state


def partial_failure(failure: Failure, iterations: int) -> Failure:
    """The failure of a loop some of whose iterations have run: it must not simply begin again."""
    if not iterations:
        return failure
    message = f"the items after the first {iterations:,} could not be read: {failure.message}"
    return replace(failure, message=message, permanent=True, outcome_unknown=True)


def without_retry(flow: Flow) -> Flow:
    """The flow as an iteration runs it: one that fails is counted; only the execution around it may run again."""
    return flow if flow.retry is None else replace(flow, retry=None)


def failure_code(error: Mapping[str, Any]) -> str:
    """The code under which an error is counted: the service's own, where it has one."""
    return str(error.get("reason") or error["code"])


def add_counts(counts: Mapping[str, Any] | None, tally: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of an execution's concurrent loops together, after a loop that returned ``tally``."""
    found = counts or {"succeeded": 0, "failed": 0, "unknown": 0, "byCode": {}}
    by_code = Counter(found["byCode"])
    by_code.update(tally["byCode"])
    return {**{name: found[name] + tally[name] for name in ("succeeded", "failed", "unknown")}, "byCode": dict(by_code)}


@dataclass(slots=True)
class Tally:
    """Counts how the iterations of a loop ended; ``as_data`` is what the loop's step returns."""

    succeeded: int = 0
    failed: int = 0
    unknown: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, number: int, error: Mapping[str, Any] | None) -> None:
        """Count an iteration; ``error`` is that of its ``Done``."""
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
        """``{"count", "succeeded", "failed", "unknown", "byCode", "failures"}``: numbers, and the first failures."""
        return {
            "count": self.succeeded + self.failed + self.unknown,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "unknown": self.unknown,
            "byCode": dict(self.by_code),
            "failures": self.failures,
        }
