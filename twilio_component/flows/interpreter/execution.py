"""One execution of a flow, as a machine that only says what to do next.

It never calls, waits, reads a clock or draws a random number: given the same definition, config variables and results
it takes the same way. Everything it knows is in ``state``, a value that JSON can hold, so that an execution can be
stored after any step and continue in another process. Config variables, which may be secrets, are not part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from twilio_component.flows import control_steps
from twilio_component.flows.expressions.evaluation import Scope, evaluate
from twilio_component.flows.expressions.operators import parse_term
from twilio_component.flows.expressions.references import RESULTS, follow
from twilio_component.flows.findings import EvaluationError
from twilio_component.flows.interpreter.backoff import delay_before
from twilio_component.flows.interpreter.decisions import branch_to_take, number_input
from twilio_component.flows.interpreter.effects import Call, Done, Effect, Failure, StartFlow, Wait
from twilio_component.flows.interpreter.iterations import Iteration, without_retry
from twilio_component.flows.interpreter.loops import Loops
from twilio_component.flows.interpreter.position import Position, frame_from_json, layout_of
from twilio_component.flows.interpreter.responses import final_response
from twilio_component.flows.interpreter.state import (
    begin_again,
    completed_before,
    failure_record,
    note,
    pause,
    record_completion,
    store_changes,
)
from twilio_component.flows.model import ConfigVar, Flow, Reference, Step, environment_name
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from twilio_component.flows.send_rules import QuietHours

MOST_STEPS = 1_000_000
LONGEST_SLEEP = 7 * 24 * 3600


class Execution:
    """``next()`` says what to do; ``succeeded``, ``failed`` and ``waited`` say how it went.

    ``config`` has the values of config variables by name; ``state`` is that of ``initial_state``, or one that was
    stored.
    """

    def __init__(self, flow: Flow, config: Mapping[str, Any], state: dict[str, Any]) -> None:
        self.flow = flow
        self._config_values = config
        self._scope = Scope(self._lookup, self._config)
        layout = layout_of(flow)
        self._position = Position(layout)
        self._loops = Loops(self._position, self._scope)
        self._optional = layout.optional
        self.on_unready: Callable[[str, Step, Failure], None] | None = None
        """Is told of a step, by its id, that fails before it has an effect: one of its inputs has no value, say."""
        self._restore(state)

    @classmethod
    def of_iteration(
        cls, flow: Flow, config: Mapping[str, Any], payload: Mapping[str, Any], iteration: Iteration
    ) -> Self:
        """The execution that is one iteration of a concurrent loop."""
        flow = without_retry(flow)
        return cls(flow, config, iteration.state(payload, layout_of(flow).loop_block(iteration.loop)))

    def _restore(self, state: dict[str, Any]) -> None:
        self._state = {name: value for name, value in state.items() if name != "frames"}
        self._loops.state = self._state
        self._position.frames = [frame_from_json(frame) for frame in state["frames"]]

    @property
    def state(self) -> dict[str, Any]:
        """The state of this execution as a JSON-serialisable value; an execution made with it continues from here."""
        return {**self._state, "frames": [frame.as_json() for frame in self._position.frames]}

    @property
    def stored_state(self) -> dict[str, dict[str, Any]]:
        """The four states that components keep values in, by their names (``executionState`` …)."""
        stored: dict[str, dict[str, Any]] = self._state["stored_state"]
        return stored

    @property
    def results(self) -> Mapping[str, Any]:
        """What each step has returned so far, by the step's key."""
        results: Mapping[str, Any] = self._state["results"]
        return results

    def next(self) -> Effect:
        """What to do now; the same again until its result is reported."""
        while True:
            if self._state["wait"] is not None:
                return Wait(**self._state["wait"])
            if self._state["steps"] > MOST_STEPS and not self._position.is_over:
                self._give_up("", "", Failure(code=EvaluationError.code, message=f"more than {MOST_STEPS:,} steps"))
            if self._position.is_over:
                return self._finish()
            if self._position.is_at_block_end:
                self._loops.close_block()
                continue
            step = self._position.step
            try:
                paging = self._position.paging_loop
                effect = self._begin(step) if paging is None else self._loops.take_page(step, paging)
            except EvaluationError as error:
                failure = Failure(code=error.code, message=str(error), permanent=True)
                if self.on_unready is not None:
                    self.on_unready(self._id(step), step, failure)
                self._fail(step, failure)
                continue
            if effect is not None:
                return effect

    def succeeded(self, envelope: Mapping[str, Any], *, idempotent: bool = False) -> None:
        """Report the result of a call. ``idempotent`` says whether doing it twice would do no harm."""
        if envelope.get("failed"):
            reason = envelope.get("error")
            message = reason if isinstance(reason, str) else "the action says that it failed"
            self.failed(Failure(code="perform-failed", message=message))
            return
        step, paging = self._position.step, self._position.paging_loop
        if paging is not None:
            self._loops.turn_page(paging, envelope["data"])
            return
        if not step.is_trigger and "again" in envelope:
            self._state["since"] = envelope["since"]
            pause(self._state, self._id(step), envelope["again"], "ask-again", envelope["until"])
            return
        # A trigger reports an event once: another attempt of this execution is still about the same event.
        if self.flow.retry is not None and (step.is_trigger or not idempotent):
            record_completion(self._state, self._id(step), self._identifying_inputs(step), envelope)
        self._accept(step, envelope)

    def failed(self, failure: Failure) -> None:
        """Report that a call failed; ``errorConfig`` and ``retryConfig`` decide what follows."""
        self._fail(self._position.step, failure)

    def waited(self) -> None:
        """Report that the time of a wait has passed."""
        self._state["wait"] = None

    def stop(self) -> None:
        """End here: what follows is not to be done."""
        self._state["stopped"] = True
        self._position.frames.clear()

    # Steps

    def _id(self, step: Step) -> str:
        return self._position.step_id(step)

    def _begin(self, step: Step) -> Effect | None:
        """Carry out a step of control, or return the effect that another step needs."""
        operation = step.operation
        if operation in control_steps.LOOPS:
            if step.concurrency is not None:
                return self._fan_out(step)
            self._loops.begin(step)
        elif operation in control_steps.BRANCHES:
            name = branch_to_take(step, self._scope)
            self._pass(step, {"branch": name})
            self._enter(step, name)
        elif operation == control_steps.BREAK_LOOP:
            loop = self._position.leave_to_loop(step)
            self._pass(step, None)
            self._loops.end_iteration(loop)
            self._loops.end_loop()
        elif operation == control_steps.SLEEP:
            seconds = number_input(step, "ms", LONGEST_SLEEP * 1000, self._scope) / 1000
            pause(self._state, self._id(step), seconds, "sleep")
            self._pass(step, None)
        else:
            return self._call(step)
        return None

    def _call(self, step: Step) -> Effect | None:
        """The effect that a step needs; None when an earlier attempt did it and it must not be done twice."""
        inputs, step_id = self._inputs(step), self._id(step)
        before = completed_before(self._state, step_id, inputs)
        if before is not None:
            self._accept(step, before)
            return None
        attempt, flow_attempt = self._state["attempt"], self._state["flow_attempt"]
        if step.operation == control_steps.INVOKE_FLOW:
            name = inputs.get("flowName")
            if not isinstance(name, str) or not name:
                raise EvaluationError("flowName must be the name of a flow")
            body = {
                "data": _invoked_data(inputs.get("data")),
                "contentType": inputs.get("contentType") or "application/json",
            }
            payload = {"body": body}
            return StartFlow(
                id=step_id, name=step.name, flow=name, payload=payload, attempt=attempt, flow_attempt=flow_attempt
            )
        return Call(
            id=step_id,
            name=step.name,
            component=step.component,
            action=step.action,
            inputs=inputs,
            is_trigger=step.is_trigger,
            payload=self._state["payload"] if step.is_trigger else {},
            attempt=attempt,
            flow_attempt=flow_attempt,
            stored_state=self.stored_state,
            valid_for=step.valid_for,
            order=step.order,
            since=self._state["since"],
            quiet_hours=self._quiet_hours(step),
        )

    def _quiet_hours(self, step: Step) -> QuietHours | None:
        rule = step.quiet_hours or self.flow.quiet_hours
        if rule is None or rule.zone is None or step.is_trigger:
            return rule
        return replace(rule, zone=evaluate(rule.zone, self._scope))

    def _fan_out(self, step: Step) -> Effect | None:
        effect = self._loops.fan_out(step)
        before = completed_before(self._state, self._id(step), self._identifying_inputs(step))
        if before is None:
            return effect
        self._accept(step, before)
        return None

    def _inputs(self, step: Step) -> dict[str, Any]:
        return {name: evaluate(value, self._scope) for name, value in step.inputs.items()}

    def _identifying_inputs(self, step: Step) -> dict[str, Any]:
        # Concurrent iterations do not start again whatever the items are now: some of them may be the same.
        return {} if step.concurrency is not None else self._inputs(step)

    def _accept(self, step: Step, envelope: Mapping[str, Any]) -> None:
        if step.concurrency is not None:
            self._loops.count(step, envelope["data"])
            return
        store_changes(self._state, envelope)
        response = envelope.get("response")
        if response is not None:
            self._state["response"] = response
        result = envelope.get("payload" if step.is_trigger else "data")
        # A trigger that polled and found nothing new starts no execution: its steps do not run.
        if step.operation == control_steps.STOP_EXECUTION or (
            step.is_trigger and envelope.get("polledNoChanges") is True
        ):
            self._pass(step, result)
            self._state["stopped"] = True
            self._position.frames.clear()
            return
        branch = envelope.get("branch")
        if step.branches is not None and not isinstance(branch, str):
            names = join_names(branch.name for branch in step.branches)
            kind = "trigger" if step.is_trigger else "action"
            message = f"the {kind}'s result names no branch to take (the step has: {names})"
            self._fail(step, Failure(code=EvaluationError.code, message=message, permanent=True))
            return
        self._pass(step, result)
        if isinstance(branch, str) and step.branches is not None:
            other = envelope.get("otherBranch")  # for an action whose branches need not all be there
            has_it = any(branch == one.name for one in step.branches)
            self._enter(step, branch if has_it or not isinstance(other, str) else other)

    def _pass(self, step: Step, result: Any) -> None:
        self._loops.pass_step(step, result)

    def _enter(self, step: Step, name: str) -> None:
        if not self._position.enter_branch(step, name):
            names = join_names(branch.name for branch in step.branches or ())
            message = f"{step.name} has no branch '{name}' (it has: {names})"
            self._abort(step.name, step.key, Failure(code=EvaluationError.code, message=message, permanent=True))

    # Values

    def _lookup(self, reference: Reference) -> Any:
        if reference.part != RESULTS:
            return self._position.loop_value(reference)
        if reference.step not in self._state["results"]:
            if reference.step in self._optional:
                return None  # its branch was not taken
            raise EvaluationError(f"{reference} has no value: the step '{reference.step}' has not run")
        return follow(reference, self._state["results"][reference.step])

    def _config(self, variable: ConfigVar) -> Any:
        if variable.name not in self._config_values:
            raise EvaluationError(
                f"the config variable '{variable.name}' has no value; the configuration or the environment variable "
                f"{environment_name(variable.name)} can give it one"
            )
        return self._config_values[variable.name]

    # Failures and the end

    def _fail(self, step: Step, failure: Failure) -> None:
        how, state = step.on_error, self._state
        would_repeat = failure.outcome_unknown or failure.acted
        state["unrepeatable"] = state["unrepeatable"] or would_repeat
        may_repeat = not failure.permanent and not would_repeat
        if how.handler == "retry" and may_repeat and state["attempt"] <= how.max_retries:
            note(state, step.name, self._id(step), failure, "retried")
            state.update(attempt=state["attempt"] + 1, since=None)
            seconds = delay_before(state["attempt"], how.delay, growing=how.growing)
            pause(state, self._id(step), seconds, "retry-step")
        elif how.handler == "ignore" or (how.handler == "retry" and how.ignore_final):
            note(state, step.name, self._id(step), failure, "ignored")
            if self._position.paging_loop is not None:
                self._loops.end_loop()
            else:
                self._pass(step, None)
        else:
            self._abort(step.name, self._id(step), failure)

    def _abort(self, name: str, step_id: str, failure: Failure) -> None:
        """Give this attempt up; ``retryConfig`` may begin another one, unless that might do something twice."""
        retry, state = self.flow.retry, self._state
        if retry is not None and state["flow_attempt"] <= retry.max_retries and not state["unrepeatable"]:
            note(state, name, step_id, failure, "run again")
            begin_again(state)
            self._position.frames = [frame_from_json(frame) for frame in state.pop("frames")]
            seconds = delay_before(state["flow_attempt"], retry.delay, growing=retry.growing)
            pause(state, f"run-{state['flow_attempt']}", seconds, "retry-execution")
        else:
            self._give_up(name, step_id, failure)

    def _give_up(self, name: str, step_id: str, failure: Failure) -> None:
        self._state["error"] = failure_record(name, step_id, failure)
        self._position.frames.clear()

    def _finish(self) -> Done:
        state = self._state
        result = state["results"].get(state["last"])
        return Done(
            result=result,
            response=final_response(self.flow, state, result),
            error=state["error"],
            handled=tuple(state["handled"]),
            iterations=state["iterations"],
        )


def _invoked_data(data: Any) -> Any:
    """What the invoked flow's trigger gets: an object or a list may be given as JSON text."""
    parsed = parse_term(data)
    return parsed if isinstance(parsed, (dict, list)) else data
