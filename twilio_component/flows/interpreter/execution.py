"""One execution of a flow, as a machine that only says what is to be done next.

It never calls, waits, asks the time or throws dice: given the same definition, config variables and answers it takes
the same way. Everything it knows is in ``state``, a value that JSON can hold, so that an execution can be stored after
any step and go on elsewhere. Config variables, which may be secrets, are not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from twilio_component.flows import control_steps
from twilio_component.flows.expressions.evaluation import Scope, evaluate
from twilio_component.flows.expressions.references import INDEX, RESULTS, as_text, follow
from twilio_component.flows.findings import EvaluationError
from twilio_component.flows.interpreter.backoff import delay_before
from twilio_component.flows.interpreter.decisions import branch_to_take, number_input, rounds
from twilio_component.flows.interpreter.effects import (
    Call,
    Done,
    Effect,
    Failure,
    FanOut,
    ItemSource,
    StartFlow,
    TakePage,
    Wait,
)
from twilio_component.flows.interpreter.iterations import Iteration, captured_state, loop_frame, without_retry
from twilio_component.flows.interpreter.responses import final_response
from twilio_component.flows.interpreter.state import (
    begin_again,
    done_before,
    failure_record,
    initial_state,
    keep,
    note,
    pause,
    remember_done,
)
from twilio_component.flows.model import ConfigVar, Flow, Reference, Step, all_steps, environment_name
from twilio_component.host.errors import join_names

MOST_STEPS = 1_000_000
LONGEST_SLEEP = 7 * 24 * 3600


class Execution:
    """``next()`` says what to do; ``succeeded``, ``failed`` and ``waited`` say how it went.

    ``config`` are the values of config variables by name.
    """

    def __init__(self, flow: Flow, config: Mapping[str, Any], state: dict[str, Any]) -> None:
        self.flow = flow
        self.state = state
        self._config_values = config
        self._loops = {step.key: step for step in all_steps(flow.steps) if step.steps is not None}
        self._blocks: list[tuple[Step, ...]] = [flow.steps]
        self._numbers: dict[int, int] = {}
        for step in all_steps(flow.steps):
            for holder, steps in (
                (id(step), step.steps),
                *((id(branch), branch.steps) for branch in step.branches or ()),
            ):
                if steps is not None:
                    self._numbers[holder] = len(self._blocks)
                    self._blocks.append(steps)
        self._inside = [[step.key for step in all_steps(block)] for block in self._blocks]
        self._scope = Scope(self._lookup, self._config)

    @classmethod
    def of_iteration(
        cls, flow: Flow, config: Mapping[str, Any], payload: Mapping[str, Any], iteration: Iteration
    ) -> Self:
        """The execution that is one round of a loop whose rounds run side by side."""
        execution = cls(without_retry(flow), config, initial_state(payload))
        block = execution._numbers[id(execution._loops[iteration.loop])]
        execution.state = iteration.state(payload, block)
        return execution

    def next(self) -> Effect:
        """What is to be done now; the same again until it is reported."""
        while True:
            if self.state["wait"] is not None:
                return Wait(**self.state["wait"])
            if self.state["steps"] > MOST_STEPS and self.state["frames"]:
                self._give_up("", "", Failure(code=EvaluationError.code, message=f"more than {MOST_STEPS:,} steps"))
            if not self.state["frames"]:
                return self._done()
            frame = self.state["frames"][-1]
            steps = self._blocks[frame["block"]]
            if frame["at"] == len(steps) and not self._wants_page():
                self._close(frame)
                continue
            step = self._current()
            try:
                effect = self._take_page(step, frame) if self._wants_page() else self._begin(step)
            except EvaluationError as error:
                self._fail(step, Failure(code=error.code, message=str(error), permanent=True))
                continue
            if effect is not None:
                return effect

    def succeeded(self, envelope: Mapping[str, Any], *, idempotent: bool = False) -> None:
        """The call was answered. ``idempotent`` says whether doing it twice would do no harm."""
        if envelope.get("failed"):
            reason = envelope.get("error")
            message = reason if isinstance(reason, str) else "the action says that it failed"
            self.failed(Failure(code="perform-failed", message=message))
            return
        step = self._current()
        if self._wants_page():
            self._turn_page(envelope["data"])
            return
        if not step.is_trigger and "again" in envelope:
            self.state["since"] = envelope["since"]
            pause(self.state, self._id(step), envelope["again"], "ask-again", envelope["until"])
            return
        # A trigger tells what it tells once: another run of this execution is still about the same event.
        if self.flow.retry is not None and (step.is_trigger or not idempotent):
            remember_done(self.state, self._id(step), self._told_apart_by(step), envelope)
        self._accept(step, envelope)

    def failed(self, failure: Failure) -> None:
        """The call failed; ``errorConfig`` and ``retryConfig`` decide what follows."""
        self._fail(self._current(), failure)

    def waited(self) -> None:
        """The time of a wait has passed."""
        self.state["wait"] = None

    # Steps

    def _current(self) -> Step:
        frame = self.state["frames"][-1]
        if self._wants_page():
            return self._loops[frame["loop"]]
        step: Step = self._blocks[frame["block"]][frame["at"]]
        return step

    def _id(self, step: Step) -> str:
        around = self.state["frames"][: -1 if self._wants_page() else None]
        rounds = [f"{frame['loop']}[{frame['round']}]." for frame in around if "loop" in frame]
        return "".join((*rounds, step.key))

    def _begin(self, step: Step) -> Effect | None:
        """Carry out a step of control, or say what else the step needs."""
        operation = step.operation
        if operation in control_steps.LOOPS:
            if step.concurrency is not None:
                return self._fan_out(step)
            self._begin_loop(step)
        elif operation in control_steps.BRANCHES:
            name = branch_to_take(step, self._scope)
            self._pass(step, {"branch": name})
            self._enter(step, name)
        elif operation == control_steps.BREAK_LOOP:
            self._break(step)
        elif operation == control_steps.SLEEP:
            seconds = number_input(step, "ms", LONGEST_SLEEP * 1000, self._scope) / 1000
            pause(self.state, self._id(step), seconds, "sleep")
            self._pass(step, None)
        else:
            return self._ask(step)
        return None

    def _ask(self, step: Step) -> Effect | None:
        """What a step needs done by somebody else; None when an earlier run did it and it must not be done twice."""
        inputs, place = self._inputs(step), self._id(step)
        before = done_before(self.state, place, inputs)
        if before is not None:
            self._accept(step, before)
            return None
        attempt, flow_attempt = self.state["attempt"], self.state["flowAttempt"]
        if step.operation == control_steps.INVOKE_FLOW:
            name = inputs.get("flowName")
            if not isinstance(name, str) or not name:
                raise EvaluationError("flowName must be the name of a flow")
            body = {"data": inputs.get("data"), "contentType": inputs.get("contentType") or "application/json"}
            return StartFlow(
                id=place, name=step.name, flow=name, payload={"body": body}, attempt=attempt, flow_attempt=flow_attempt
            )
        return Call(
            id=place,
            name=step.name,
            component=step.component,
            action=step.action,
            inputs=inputs,
            is_trigger=step.is_trigger,
            payload=self.state["payload"] if step.is_trigger else {},
            attempt=attempt,
            flow_attempt=flow_attempt,
            stored_state=self.state["storedState"],
            valid_for=step.valid_for,
            since=self.state["since"],
        )

    def _inputs(self, step: Step) -> dict[str, Any]:
        return {name: evaluate(value, self._scope) for name, value in step.inputs.items()}

    def _told_apart_by(self, step: Step) -> dict[str, Any]:
        # Rounds side by side are not begun again whatever the items are now: some of them may be the same.
        return {} if step.concurrency is not None else self._inputs(step)

    def _accept(self, step: Step, envelope: Mapping[str, Any]) -> None:
        if step.concurrency is not None:
            self._count(step, envelope["data"])
            return
        keep(self.state, envelope)
        response = envelope.get("response")
        if response is not None:
            self.state["response"] = response
        result = envelope.get("payload" if step.is_trigger else "data")
        # A trigger that polled and found nothing new starts no execution: its steps are not run.
        if step.operation == control_steps.STOP_EXECUTION or (
            step.is_trigger and envelope.get("polledNoChanges") is True
        ):
            self._pass(step, result)
            self.state["stopped"] = True
            self.state["frames"].clear()
            return
        branch = envelope.get("branch")
        if step.branches is not None and step.is_trigger and not isinstance(branch, str):
            names = join_names(branch.name for branch in step.branches)
            message = f"the trigger's result names no branch to take (the step has: {names})"
            self._fail(step, Failure(code=EvaluationError.code, message=message, permanent=True))
            return
        self._pass(step, result)
        if isinstance(branch, str) and step.branches is not None:
            self._enter(step, branch)

    def _pass(self, step: Step, result: Any) -> None:
        """Note a step's result and go on to the step after it."""
        self.state["results"][step.key] = result
        self.state.update(last=step.key, attempt=1, since=None)
        self.state["frames"][-1]["at"] += 1
        self.state["steps"] += 1

    # Loops and branches

    def _begin_loop(self, step: Step) -> None:
        paged = step.source is not None
        count, items = (0, []) if paged else rounds(step, self._scope)
        self._pass(step, {"count": 0} if paged else [])
        if count or paged:
            frame = loop_frame(self._numbers[id(step)], step.key, items, count)
            self.state["frames"].append({**frame, "next": None, "wants": True} if paged else frame)
            self.state["last"] = ""

    def _fan_out(self, step: Step) -> Effect | None:
        if step.source is not None:
            source = self._source(step)
        else:
            count, items = rounds(step, self._scope)
            source = ItemSource(items=list(range(count)) if items is None else items)
        before = done_before(self.state, self._id(step), self._told_apart_by(step))
        if before is not None:
            self._accept(step, before)
            return None
        return FanOut(
            id=self._id(step),
            name=step.name,
            operation=step.operation,
            loop=step.key,
            concurrency=step.concurrency or 1,
            source=source,
            captured=captured_state(self.state, step),
            attempt=self.state["attempt"],
            flow_attempt=self.state["flowAttempt"],
        )

    def _count(self, step: Step, tally: Mapping[str, Any]) -> None:
        if tally["unknown"]:
            # The flow goes on, and somebody has to know.
            self.state["unknown"] = True
            words = f"of {tally['unknown']:,} of {tally['count']:,} rounds the outcome is unknown"
            open_ = Failure(code="outcome-unknown", message=words, outcome_unknown=True)
            note(self.state, step.name, self._id(step), open_, "counted")
        self._pass(step, tally)

    def _source(self, step: Step) -> ItemSource:
        assert step.source is not None  # noqa: S101 - the callers have looked
        if step.source.file is not None:
            return ItemSource(file=as_text(evaluate(step.source.file, self._scope)))
        listing = step.source.listing
        assert listing is not None  # noqa: S101 - it is one or the other
        call = Call(
            id=self._id(step),
            name=step.name,
            component=listing.component,
            action=listing.action,
            inputs=self._inputs(listing),
            attempt=self.state["attempt"],
            flow_attempt=self.state["flowAttempt"],
            stored_state=self.state["storedState"],
        )
        return ItemSource(listing=call)

    def _wants_page(self) -> bool:
        frames = self.state["frames"]
        return bool(frames and frames[-1].get("wants"))

    def _take_page(self, step: Step, frame: Mapping[str, Any]) -> Effect:
        return TakePage(
            id=f"{self._id(step)}.page[{frame['round']}]",
            name=step.name,
            source=self._source(step),
            after=frame["next"],
            attempt=self.state["attempt"],
            flow_attempt=self.state["flowAttempt"],
        )

    def _turn_page(self, page: Mapping[str, Any]) -> None:
        frame = self.state["frames"][-1]
        frame["items"], frame["base"], frame["next"] = page["items"], frame["round"], page["next"]
        frame["count"] = frame["base"] + len(page["items"])
        self.state["attempt"] = 1
        frame["wants"] = not page["items"] and page["next"] is not None
        if not page["items"] and page["next"] is None:
            self._end_loop()

    def _close(self, frame: dict[str, Any]) -> None:
        """Go on after the last step of a block: with the loop's next round, or with what follows the block."""
        if "loop" not in frame:
            self.state["frames"].pop()
            return
        self._end_round(frame)
        if frame["round"] < frame["count"]:
            return
        if frame.get("next") is not None:
            frame["wants"] = True
        else:
            self._end_loop()

    def _end_round(self, frame: dict[str, Any]) -> None:
        results = self.state["results"]
        if "wants" not in frame:  # what may go on for ever keeps no list
            frame["rounds"].append(results.get(self.state["last"]) if self.state["last"] else None)
        # What a round left behind must not pass for a result of the next one, where another branch may be taken.
        for key in self._inside[frame["block"]]:
            results.pop(key, None)
        frame["at"] = 0
        frame["round"] += 1
        self.state["last"] = ""
        self.state["steps"] += 1

    def _end_loop(self) -> None:
        frame = self.state["frames"].pop()
        self.state["results"][frame["loop"]] = {"count": frame["round"]} if "wants" in frame else frame["rounds"]
        self.state["last"] = frame["loop"]
        if frame.get("alone"):
            self.state["frames"].clear()

    def _break(self, step: Step) -> None:
        frames = self.state["frames"]
        loops = [index for index, frame in enumerate(frames) if "loop" in frame]
        if not loops or frames[loops[-1]].get("alone"):
            raise EvaluationError(f"{step.name} is in no loop that it could leave")
        self._pass(step, None)
        del frames[loops[-1] + 1 :]
        self._end_round(frames[-1])
        self._end_loop()

    def _enter(self, step: Step, name: str) -> None:
        for branch in step.branches or ():
            if branch.name == name:
                self.state["frames"].append({"block": self._numbers[id(branch)], "at": 0})
                return
        names = join_names(branch.name for branch in step.branches or ())
        message = f"{step.name} has no branch '{name}' (it has: {names})"
        self._abort(step.name, step.key, Failure(code=EvaluationError.code, message=message, permanent=True))

    # Values

    def _lookup(self, reference: Reference) -> Any:
        if reference.part == RESULTS:
            if reference.step not in self.state["results"]:
                raise EvaluationError(f"{reference} has no value: the step '{reference.step}' has not run")
            return follow(reference, self.state["results"][reference.step])
        for frame in reversed(self.state["frames"]):
            if frame.get("loop") == reference.step:
                at = frame["round"]
                counted = reference.part == INDEX or frame["items"] is None
                root = at if counted else frame["items"][at - frame["base"]]
                return follow(reference, root)
        raise EvaluationError(f"{reference} has no value: it is not inside a loop '{reference.step}'")

    def _config(self, variable: ConfigVar) -> Any:
        if variable.name not in self._config_values:
            raise EvaluationError(
                f"the config variable '{variable.name}' has no value; the configuration or the environment variable "
                f"{environment_name(variable.name)} can give it one"
            )
        return self._config_values[variable.name]

    # Failures and the end

    def _fail(self, step: Step, failure: Failure) -> None:
        how = step.on_error
        self.state["unknown"] = self.state["unknown"] or failure.outcome_unknown
        may_repeat = not failure.permanent and not failure.outcome_unknown
        if how.handler == "retry" and may_repeat and self.state["attempt"] < how.max_attempts:
            note(self.state, step.name, self._id(step), failure, "retried")
            self.state.update(attempt=self.state["attempt"] + 1, since=None)
            seconds = delay_before(self.state["attempt"], how.delay, growing=how.growing)
            pause(self.state, self._id(step), seconds, "retry-step")
        elif how.handler == "ignore" or (how.handler == "retry" and how.ignore_final):
            note(self.state, step.name, self._id(step), failure, "ignored")
            if self._wants_page():
                self._end_loop()
            else:
                self._pass(step, None)
        else:
            self._abort(step.name, self._id(step), failure)

    def _abort(self, name: str, place: str, failure: Failure) -> None:
        """Give this run up; `retryConfig` may begin another one, unless that might do something twice."""
        retry = self.flow.retry
        if retry is not None and self.state["flowAttempt"] < retry.max_attempts and not self.state["unknown"]:
            note(self.state, name, place, failure, "run again")
            begin_again(self.state)
            seconds = delay_before(self.state["flowAttempt"], retry.delay, growing=retry.growing)
            pause(self.state, f"run-{self.state['flowAttempt']}", seconds, "retry-execution")
        else:
            self._give_up(name, place, failure)

    def _give_up(self, name: str, place: str, failure: Failure) -> None:
        self.state["error"] = failure_record(name, place, failure)
        self.state["frames"].clear()

    def _done(self) -> Done:
        result = self.state["results"].get(self.state["last"])
        return Done(
            result=result,
            response=final_response(self.flow, self.state, result),
            error=self.state["error"],
            handled=tuple(self.state["handled"]),
        )
