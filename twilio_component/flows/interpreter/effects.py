"""Effects: what an execution needs its runner to do, and the results that the runner reports.

An execution does nothing by itself. Its ``next()`` returns one of these; a runner does it and reports back with
``succeeded()``, ``failed()`` or ``waited()``. ``id`` names a step's place in the execution and never changes:
``loopOverItems[3].sendSms`` is the step ``sendSms`` in the fourth iteration of that loop, in every process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.flows.send_order import SendOrder
    from twilio_component.flows.send_rules import QuietHours


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Invoke an action, or the trigger on ``payload``. ``flow_attempt`` and ``attempt`` count from 1.

    ``stored_state`` has the four states by the names that components know them by (``executionState`` …); the caller
    reads them and changes none. The call must not start when the execution is older than ``valid_for`` seconds, and
    keeps the ``order`` of its conversation. For an action that wants to be called again, report
    ``{"again": seconds, "since": …, "until": …}``: when it was first called and when it is to be called again, in
    seconds of the runner's clock. The same call follows a ``Wait``, with that ``since``. Where the call
    reaches a person, ``quiet_hours`` are times at which it must not; their zone is a value.
    """

    id: str
    name: str
    component: str
    action: str
    inputs: Mapping[str, Any] = field(repr=False)
    is_trigger: bool = False
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)
    attempt: int = 1
    flow_attempt: int = 1
    stored_state: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    valid_for: float | None = None
    order: SendOrder | None = None
    since: float | None = None
    quiet_hours: QuietHours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFlow:
    """Start another flow of the integration with ``payload``; the result is its execution's id, or what it returned."""

    id: str
    name: str
    flow: str
    payload: Mapping[str, Any] = field(repr=False)
    attempt: int = 1
    flow_attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSource:
    """Where a loop's items come from: the ``items`` themselves, a ``file``, or a ``listing``, a call that lists."""

    items: list[Any] | None = None
    file: str | None = None
    listing: Call | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakePage:
    """Take the next items of a loop: the result is ``{"items": […], "next": …}``.

    ``after`` is what the page before gave as ``next``, None for the first one; ``next`` is None with the last one.
    """

    id: str
    name: str
    source: ItemSource
    after: Any = None
    attempt: int = 1
    flow_attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """Run a loop's iterations, ``concurrency`` at a time, each as an execution of its own.

    ``Execution.of_iteration`` makes them. ``operation`` and ``loop`` are the step's action and key, ``captured`` is the
    part of this execution that the iterations can read. The result counts them (``Tally``).
    """

    id: str
    name: str
    operation: str
    loop: str
    concurrency: int
    source: ItemSource
    captured: Mapping[str, Any]
    attempt: int = 1
    flow_attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Let ``seconds`` pass: a sleep step, or the time before a step is called again or the execution runs again.

    ``reason`` is ``sleep``, ``ask-again``, ``retry-step`` or ``retry-execution``. ``until`` is that of the
    call that comes again: a runner that resumes a stored execution waits only for what is left.
    """

    id: str
    seconds: float
    reason: str
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call failed.

    ``reason`` is what the service that refused it calls the reason, where it has a code for it. ``permanent``: the same
    call would fail again. ``outcome_unknown``: it may have happened all the same, and doing it again might do it twice.
    ``concerns`` is ``connection`` or ``sender`` when the refusal is about that and not about this call alone: other
    calls with the same one will be refused as well. ``acted``: before it failed it did something that a repetition
    would do twice, as a flow does that sends and then fails.
    """

    code: str
    message: str
    permanent: bool = False
    outcome_unknown: bool = False
    reason: str = ""
    concerns: str = ""
    acted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The end of an execution.

    ``result`` is what the last step returned. ``response`` is the HTTP response, when the trigger, stopExecution or a
    synchronous flow gives one: statusCode, contentType, headers, body. ``error`` says why the execution failed:
    step, id, code, message, outcomeUnknown. ``handled`` are the errors that errorConfig or retryConfig took care of,
    each with its ``resolution``. ``iterations`` counts those of its concurrent loops (``succeeded``, ``failed``,
    ``unknown``, ``byCode``); None when it had none. ``ends.end_of`` says in one word how it ended.
    """

    result: Any
    response: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    handled: tuple[Mapping[str, Any], ...]
    iterations: Mapping[str, Any] | None = None


Effect = Call | StartFlow | TakePage | FanOut | Wait | Done
