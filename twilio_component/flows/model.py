"""An integration as a flow definition declares it: plain, frozen values that know where they stood in the file.

``at`` is always the path of a value in its document, from which a finding gets its line and column.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twilio_component.flows.findings import FlowError
from twilio_component.host.errors import did_you_mean, join_names

if TYPE_CHECKING:
    from twilio_component.flows.send_order import SendOrder
    from twilio_component.flows.send_rules import FrequencyCaps, QuietHours
    from twilio_component.host.manifest.documents import PathParts

# Seconds: no attempt waits longer for the next one.
LONGEST_DELAY = 7 * 24 * 3600.0
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Value:
    """A literal value, or text as a form gave it."""

    value: Any
    at: PathParts = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """``step.results.path``, ``step.currentItem.path`` or ``step.index``; ``part`` is the middle word."""

    step: str
    part: str
    path: tuple[str, ...]
    at: PathParts = ()

    def __str__(self) -> str:
        """The reference as it is written."""
        return self.as_far_as(len(self.path))

    def as_far_as(self, count: int) -> str:
        """The reference with only ``count`` of its path's keys."""
        text = f"{self.step}.{self.part}"
        for key in self.path[:count]:
            odd = not key or key != key.strip() or set(key) & set(".[]")
            text += f'["{key}"]' if odd else f".{key}"
        return text


@dataclass(frozen=True, slots=True)
class ConfigVar:
    """The value of a config variable; an empty name is an input that was left empty."""

    name: str
    at: PathParts = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An input that cannot be read; a finding says why, and nothing else is said about it."""

    at: PathParts = ()


@dataclass(frozen=True, slots=True)
class Template:
    """Text with placeholders: always text, whatever is put in."""

    parts: tuple[str | Reference | ConfigVar, ...]
    at: PathParts = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One member of a complex value, named in a key-value list."""

    name: Input | None
    value: Input


@dataclass(frozen=True, slots=True)
class Complex:
    """A list of items; with names it is a key-value list."""

    items: tuple[Item, ...]
    at: PathParts = ()


@dataclass(frozen=True, slots=True)
class Fields:
    """An object, the short form of a key-value list."""

    fields: tuple[tuple[str, Input], ...]
    at: PathParts = ()


Input = Value | Reference | ConfigVar | Template | Complex | Fields | Unreadable


@dataclass(frozen=True, slots=True)
class Comparison:
    """``[operator, term, term?]``."""

    operator: str
    terms: tuple[Input, ...]
    at: PathParts = ()


@dataclass(frozen=True, slots=True)
class BooleanExpression:
    """``[and, condition…]`` or ``[or, condition…]``."""

    word: str
    conditions: tuple[Condition, ...]
    at: PathParts = ()


Condition = Comparison | BooleanExpression


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorConfig:
    """What to do when a step fails: ``handler`` is fail, ignore or retry.

    ``max_retries`` counts the retries, not the first attempt; ``delay`` is in seconds.
    """

    handler: str = "fail"
    max_retries: int = 0
    delay: float = 0
    growing: bool = False
    ignore_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """How often a failed execution is run again (``max_retries``), and after how many seconds (``delay``)."""

    max_retries: int = 0
    delay: float = 0
    growing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSecurity:
    """Who may call the flow's webhook: ``kind`` is one of Prismatic's types, the keys those that the file gives."""

    kind: str = "customer_optional"
    organization_keys: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """How executions of the flow queue.

    ``concurrency`` is how many run at a time, in the order in which they were accepted; None without a queue. A
    ``singleton`` is not started by the clock while another execution runs. An execution is not accepted while another
    one with the same ``dedupe_id`` is queued or running.
    """

    concurrency: int | None = None
    singleton: bool = False
    dedupe_id: Input | None = None
    at: PathParts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a scheduled flow runs: a cron expression (or the config variable that holds it) in a time zone."""

    cron: Input
    time_zone: str = ""
    at: PathParts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A named list of steps."""

    name: str
    steps: tuple[Step, ...]
    at: PathParts = ()


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a loop takes its items from, page by page: a file, or an action that lists (as a step of its own)."""

    file: Input | None = None
    listing: Step | None = None
    at: PathParts = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. ``key`` is how references name it; ``steps`` are None unless it is a loop.

    A loop may run ``concurrency`` iterations at a time, and take its items from a ``source``. An action must not start
    when the execution is older than ``valid_for`` seconds, and keeps the ``order`` of its conversation. A step's
    ``quiet_hours`` replace its flow's.
    """

    name: str
    key: str
    component: str
    action: str
    is_trigger: bool = False
    inputs: Mapping[str, Input] = field(default_factory=dict)
    conditions: tuple[tuple[str, Condition], ...] | None = None
    schedule: Schedule | None = None
    steps: tuple[Step, ...] | None = None
    concurrency: int | None = None
    source: Source | None = None
    branches: tuple[Branch, ...] | None = None
    valid_for: float | None = None
    quiet_hours: QuietHours | None = None
    order: SendOrder | None = None
    on_error: ErrorConfig = field(default_factory=ErrorConfig)
    at: PathParts = ()

    @property
    def operation(self) -> str:
        """``component.action``."""
        return f"{self.component}.{self.action}"


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A trigger and the steps that follow it."""

    name: str
    steps: tuple[Step, ...]
    is_synchronous: bool = False
    retry: RetryConfig | None = None
    security: EndpointSecurity = field(default_factory=EndpointSecurity)
    queue: QueueConfig | None = None
    quiet_hours: QuietHours | None = None
    frequency_caps: FrequencyCaps | None = None
    at: PathParts = ()

    @property
    def trigger(self) -> Step:
        """The first step."""
        return self.steps[0]


@dataclass(frozen=True, kw_only=True)
class ConfigVariable:
    """A config variable: for a connection its component and kind, and the fields that the file gives.

    ``time_zone`` is that of a variable that holds a schedule.
    """

    key: str
    data_type: str = "string"
    default: Any = None
    time_zone: str = ""
    component: str = ""
    connection: str = ""
    inputs: Mapping[str, Input] = field(default_factory=dict)
    at: PathParts = ()

    @property
    def is_connection(self) -> bool:
        """Whether its value is a connection."""
        return self.data_type == "connection"


@dataclass(frozen=True, kw_only=True)
class Integration:
    """Flows and the config variables that they share."""

    name: str
    flows: tuple[Flow, ...]
    config_variables: Mapping[str, ConfigVariable] = field(default_factory=dict)
    file: str = ""


def normalize(name: str) -> str:
    """A name in the normal form in which names are compared: the same letters may be written in several ways."""
    return unicodedata.normalize("NFC", name)


def camel_case(name: str) -> str:
    """How references write a name: its words (runs of letters and digits) joined, each but the first capitalised.

    >>> camel_case("Get a Queue's URL")
    'getAQueueSUrl'
    """
    words = [word.lower() for word in _WORD.findall(normalize(name))]
    return "".join(words[:1] + [word.capitalize() for word in words[1:]])


def environment_name(variable: str) -> str:
    """The environment variable for a config variable: ``FLOW_TWILIO_CONNECTION`` for ``Twilio Connection``."""
    return "_".join(["FLOW", *re.findall(r"[A-Z0-9]+", variable.upper())])


def find_flow(integration: Integration, name: str | None) -> Flow:
    """The flow of that name, or the only one; raises ``FlowError`` with the names that there are."""
    names = [flow.name for flow in integration.flows]
    if name is None:
        if len(names) == 1:
            return integration.flows[0]
        raise FlowError(f"{integration.file} has {len(names)} flows; say which one to run: {join_names(names)}")
    for flow in integration.flows:
        if flow.name == name:
            return flow
    raise FlowError(
        f"{integration.file} has no flow '{name}'{did_you_mean(name, names) or f' (it has: {join_names(names)})'}"
    )


def all_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """The steps and those inside them, in the order of the file."""
    waiting = list(reversed(steps))
    while waiting:
        step = waiting.pop()
        yield step
        inside = [*(step.steps or ()), *(inner for branch in step.branches or () for inner in branch.steps)]
        waiting.extend(reversed(inside))


def branch_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """The steps that run or not, as a branch is taken or not: everything inside branches, also inside loops there."""
    for step in all_steps(steps):
        for branch in step.branches or ():
            yield from all_steps(branch.steps)


def all_operations(steps: tuple[Step, ...]) -> Iterator[str]:
    """``component.action`` of the steps, of those inside them, and of what their loops list."""
    for step in all_steps(steps):
        yield step.operation
        if step.source is not None and step.source.listing is not None:
            yield step.source.listing.operation


def inner_steps(loop: Step) -> Iterator[tuple[Step, int]]:
    """The steps inside a loop, each with the number of further loops around it."""
    waiting = [(step, 0) for step in reversed(loop.steps or ())]
    while waiting:
        step, depth = waiting.pop()
        yield step, depth
        waiting.extend((inner, depth + 1) for inner in reversed(step.steps or ()))
        waiting.extend((inner, depth) for branch in step.branches or () for inner in reversed(branch.steps))


def inner_inputs(top: Input) -> Iterator[Input]:
    """An input and everything in it."""
    waiting: list[Input] = [top]
    while waiting:
        current = waiting.pop()
        yield current
        if isinstance(current, Template):
            waiting.extend(part for part in reversed(current.parts) if not isinstance(part, str))
        elif isinstance(current, Fields):
            waiting.extend(value for _, value in reversed(current.fields))
        elif isinstance(current, Complex):
            for item in reversed(current.items):
                waiting.append(item.value)
                if item.name is not None:
                    waiting.append(item.name)


def condition_inputs(top: Condition) -> Iterator[Input]:
    """Every term of a condition, with everything in it."""
    waiting = [top]
    while waiting:
        current = waiting.pop()
        if isinstance(current, BooleanExpression):
            waiting.extend(reversed(current.conditions))
        else:
            for term in current.terms:
                yield from inner_inputs(term)


def step_inputs(step: Step) -> Iterator[Input]:
    """Everything that a step's own inputs, conditions, schedule and quiet hours are made of."""
    for value in step.inputs.values():
        yield from inner_inputs(value)
    for _, condition in step.conditions or ():
        yield from condition_inputs(condition)
    if step.schedule is not None:
        yield from inner_inputs(step.schedule.cron)
    if step.quiet_hours is not None and step.quiet_hours.zone is not None:
        yield from inner_inputs(step.quiet_hours.zone)
    if step.source is not None:
        if step.source.file is not None:
            yield from inner_inputs(step.source.file)
        if step.source.listing is not None:
            yield from step_inputs(step.source.listing)
