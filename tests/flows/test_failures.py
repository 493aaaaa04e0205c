"""What errorConfig and retryConfig make of errors, and what they never repeat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from support.flow_runs import Recorder, Waits, run, run_text

from twilio_component.flows.interpreter.backoff import delay_before
from twilio_component.host import Action, Component, Display, Result, hookimpl
from twilio_component.host.errors import InputError, PerformError

ACT = "- {name: Act, action: other.act, errorConfig: {%s}}\n- {name: After, action: other.after}"


class UnknownError(PerformError):
    code = "lost"
    may_have_happened = True


def fails(times: int, error: Exception | None = None) -> Recorder:
    return Recorder(*[error or PerformError("not now")] * times, "done")


class Offered:
    """A plugin whose actions fail as the test says: ``send`` must not be repeated, ``look`` may be."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes: Iterator[Any] = iter(outcomes)
        self.calls = 0

    async def perform(self, _context: Any, _inputs: Any) -> Any:
        self.calls += 1
        outcome = next(self.outcomes)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    @hookimpl
    def register_component(self) -> Component:
        actions = {
            key: Action(key=key, display=Display(label=key), perform=self.perform, idempotent=key == "look")
            for key in ("send", "look")
        }
        return Component(key="offered", display=Display(label="Offered"), actions=actions)


def test_an_error_fails_the_execution_and_says_where() -> None:
    after = Recorder()
    outcome = run(ACT % "", mocks={"other.act": fails(1), "other.after": after})
    assert not outcome.succeeded
    assert outcome.error == {
        "step": "Act",
        "id": "act",
        "code": "perform-failed",
        "message": "not now",
        "outcomeUnknown": False,
    }
    assert after.calls == []
    assert outcome.result == outcome.results["trigger"]


def test_an_ignored_error_leaves_null_and_is_reported() -> None:
    outcome = run(ACT % "errorHandlerType: ignore", mocks={"other.act": fails(1), "other.after": "after"})
    assert outcome.succeeded
    assert outcome.results["act"] is None
    assert outcome.result == "after"
    assert [(error["id"], error["resolution"]) for error in outcome.handled] == [("act", "ignored")]


@pytest.mark.parametrize(
    ("config", "waits"),
    [
        ("maxAttempts: 4, delaySeconds: 10", [10, 10, 10]),
        ("maxAttempts: '4', delaySeconds: '10', usesExponentialBackoff: 'true'", [10, 20, 40]),
        ("maxAttempts: 4", []),
    ],
)
def test_a_step_is_tried_again_after_a_fixed_or_a_growing_delay(config: str, waits: list[float]) -> None:
    slept, act = Waits(), fails(3)
    mocks = {"other.act": act, "other.after": 1}
    outcome = run(ACT % f"errorHandlerType: retry, {config}", mocks=mocks, sleep=slept)
    assert outcome.succeeded
    assert len(act.calls) == 4
    assert slept.seconds == waits
    assert [error["resolution"] for error in outcome.handled] == ["retried"] * 3


def test_the_last_attempt_s_error_fails_the_execution_unless_it_is_to_be_ignored() -> None:
    for ignore, succeeds in (("false", False), ("true", True)):
        act = fails(5)
        config = f"errorHandlerType: retry, maxAttempts: 3, ignoreFinalError: {ignore}"
        outcome = run(ACT % config, mocks={"other.act": act, "other.after": 1})
        assert len(act.calls) == 4  # the first attempt and three retries
        assert outcome.succeeded is succeeds


def test_each_round_of_a_loop_has_attempts_of_its_own() -> None:
    act = Recorder(PerformError("a"), "1", PerformError("b"), "2")
    outcome = run(
        """
        - name: Twice
          action: loop.loopNTimes
          inputs: {iterationCount: 2}
          steps:
            - {name: Act, action: other.act, errorConfig: {errorHandlerType: retry, maxAttempts: 2}}
        """,
        mocks={"other.act": act},
    )
    assert outcome.result == ["1", "2"]
    assert [error["id"] for error in outcome.handled] == ["twice[0].act", "twice[1].act"]


@pytest.mark.parametrize("error", [UnknownError("lost"), RuntimeError("a bug"), InputError("bad", [])])
def test_what_may_have_happened_or_would_fail_again_is_not_tried_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    act = fails(1, error)
    outcome = run(ACT % "errorHandlerType: retry, maxAttempts: 3", mocks={"other.act": act, "other.after": 1})
    assert len(act.calls) == 1
    assert outcome.error is not None
    assert outcome.error["outcomeUnknown"] is not isinstance(error, InputError)
    assert outcome.outcome_unknown is outcome.error["outcomeUnknown"]


def test_an_ignored_error_of_unknown_outcome_is_reported_as_such() -> None:
    outcome = run(ACT % "errorHandlerType: ignore", mocks={"other.act": fails(1, UnknownError("x")), "other.after": 1})
    assert outcome.succeeded
    assert outcome.outcome_unknown


def test_an_action_that_may_be_repeated_is_tried_again_after_a_lost_answer() -> None:
    for action, calls in (("look", 2), ("send", 1)):
        plugin = Offered(UnknownError("lost"), "done")
        step = f"- {{name: A, action: offered.{action}, errorConfig: {{errorHandlerType: retry, maxAttempts: 2}}}}"
        outcome = run(step, plugins=[plugin])
        assert plugin.calls == calls
        assert outcome.succeeded is (action == "look")


def test_a_bug_in_a_component_is_logged_with_its_traceback_and_no_more_than_its_name_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcome = run("- {name: A, action: offered.send}", plugins=[Offered(ZeroDivisionError("secret"))])
    assert outcome.error is not None
    assert outcome.error["message"] == "offered.send failed unexpectedly with ZeroDivisionError"
    assert caplog.records[0].exc_info is not None


def test_a_result_that_says_it_failed_is_an_error() -> None:
    for rest, message in (({"error": "no luck"}, "no luck"), ({}, "the action says that it failed")):
        plugin = Offered(Result(value=None, extra={"failed": True, **rest}))
        outcome = run("- {name: A, action: offered.look}", plugins=[plugin])
        assert outcome.error is not None
        assert outcome.error["message"] == message


def test_a_failed_execution_is_run_again_with_the_same_payload() -> None:
    act, slept = fails(2), Waits()
    flow = "retryConfig: {maxAttempts: 3, delayMinutes: 1, usesExponentialBackoff: true}"
    steps = "- {name: Act, action: other.act, inputs: {data: '{{$trigger.results.body.data}}'}}"
    outcome = run(steps, data=[1], flow=flow, mocks={"other.act": act}, sleep=slept)
    assert outcome.succeeded
    assert act.calls == [{"data": [1]}] * 3
    assert slept.seconds == [60, 120]
    assert [error["resolution"] for error in outcome.handled] == ["run again"] * 2


def test_an_execution_is_run_again_no_more_often_than_it_says() -> None:
    act = fails(9)
    outcome = run("- {name: Act, action: other.act}", flow="retryConfig: {maxAttempts: 2}", mocks={"other.act": act})
    assert not outcome.succeeded
    assert len(act.calls) == 3


def test_what_was_done_and_must_not_be_repeated_is_not_done_again_when_the_execution_is_run_again() -> None:
    send, act = Recorder({"sid": "SM1"}, {"sid": "SM2"}), fails(1)
    use = Recorder()
    steps = """
        - {name: Send, action: other.send, inputs: {to: "{{$trigger.results.body.data}}"}}
        - {name: Act, action: other.act}
        - {name: Use, action: other.use, inputs: {sid: "{{$send.results.sid}}"}}
        """
    mocks = {"other.send": send, "other.act": act, "other.use": use}
    assert run(steps, data="x", flow="retryConfig: {maxAttempts: 2}", mocks=mocks).succeeded
    assert len(send.calls) == 1
    assert use.calls == [{"sid": "SM1"}]


def test_a_send_whose_inputs_changed_is_another_send_and_what_may_be_repeated_is_done_again() -> None:
    look = Offered("a", "b")
    send, act = Recorder(), fails(1)
    steps = """
        - {name: Look, action: offered.look}
        - {name: Send, action: other.send, inputs: {text: "{{$look.results}}"}}
        - {name: Act, action: other.act}
        """
    mocks = {"other.send": send, "other.act": act}
    assert run(steps, flow="retryConfig: {maxAttempts: 2}", mocks=mocks, plugins=[look]).succeeded
    assert send.calls == [{"text": "a"}, {"text": "b"}]


@pytest.mark.parametrize("handler", ["fail", "ignore"])
def test_an_execution_with_an_unknown_outcome_is_not_run_again(handler: str) -> None:
    send, act = fails(1, UnknownError("lost")), fails(1)
    steps = f"""
        - {{name: Send, action: other.send, errorConfig: {{errorHandlerType: {handler}}}}}
        - {{name: Act, action: other.act}}
        """
    mocks = {"other.send": send, "other.act": act}
    outcome = run(steps, flow="retryConfig: {maxAttempts: 5}", mocks=mocks)
    assert not outcome.succeeded
    assert outcome.outcome_unknown
    assert len(send.calls) == 1


def test_an_action_whose_result_cannot_be_stored_has_been_done_and_is_not_done_again() -> None:
    deep: Any = "end"
    for _ in range(300):
        deep = [deep]
    act = Recorder(deep)
    outcome = run("- {name: Act, action: other.act}", flow="retryConfig: {maxAttempts: 2}", mocks={"other.act": act})
    assert outcome.error is not None
    assert (outcome.error["code"], len(act.calls)) == ("result-too-deep", 1)


def test_a_flow_that_was_started_is_not_started_again_when_the_execution_is_run_again() -> None:
    act, child = fails(1), Recorder("child")
    text = """
name: Test
flows:
  - name: Main
    retryConfig: {maxAttempts: 2}
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Start, action: cross-flow.invokeFlow, inputs: {flowName: Child, data: {a: 1}}}
      - {name: Act, action: other.act}
  - name: Child
    steps:
      - {name: Trigger, isTrigger: true, action: cross-flow.crossFlow}
      - {name: Do, action: other.child, inputs: {data: "{{$trigger.results.body.data}}"}}
"""
    outcome = run_text(text, flow="Main", mocks={"other.act": act, "other.child": child})
    assert outcome.succeeded
    assert child.calls == [{"data": {"a": 1}}]
    assert [started.flow for started in outcome.started] == ["Child"]


RETRIED_STEP = "errorConfig: {errorHandlerType: retry, maxAttempts: 2, delaySeconds: 0}, "
RETRIED_FLOW = "    retryConfig: {maxAttempts: 2}\n"


@pytest.mark.parametrize(("of_step", "of_flow"), [(RETRIED_STEP, ""), ("", RETRIED_FLOW)])
@pytest.mark.parametrize(("answers", "times"), [([], 1), ([PerformError("refused")] * 3, 3)])
def test_a_flow_that_did_something_before_it_failed_is_not_started_anew(
    of_step: str, of_flow: str, answers: list[Exception], times: int
) -> None:
    text = f"""
name: Test
flows:
  - name: Main
{of_flow}    steps:
      - {{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}}
      - {{name: Start, action: cross-flow.invokeFlow, {of_step}inputs: {{flowName: Child}}}}
  - name: Child
    isSynchronous: true
    steps:
      - {{name: Trigger, isTrigger: true, action: cross-flow.crossFlow}}
      - {{name: First, action: other.first}}
      - {{name: Then, action: other.then}}
"""
    first = Recorder(*answers)
    outcome = run_text(text, flow="Main", mocks={"other.first": first, "other.then": PerformError("no")})
    assert outcome.error is not None
    assert (outcome.error["code"], outcome.error["outcomeUnknown"]) == ("flow-failed", False)
    assert len(first.calls) == times


def test_a_cancelled_flow_is_cancelled_and_not_an_error_to_handle() -> None:
    steps = "- {name: Act, action: other.act, errorConfig: {errorHandlerType: ignore}}"
    with pytest.raises(asyncio.CancelledError):
        run(steps, mocks={"other.act": asyncio.CancelledError()})


def test_at_most_a_thousand_handled_errors_are_kept() -> None:
    steps = """
        - name: Many
          action: loop.loopNTimes
          inputs: {iterationCount: 1500}
          steps: [{name: Act, action: other.act, errorConfig: {errorHandlerType: ignore}}]
        """
    assert len(run(steps, mocks={"other.act": PerformError("no")}).handled) == 1000


@pytest.mark.parametrize(("attempt", "seconds"), [(2, 10), (3, 20), (4, 40), (100, 604_800)])
def test_growing_delays_double_and_end_at_a_week(attempt: int, seconds: float) -> None:
    assert delay_before(attempt, 10, growing=True) == seconds
    assert delay_before(attempt, 10, growing=False) == 10
