"""What a host knows about a component: plain, frozen values, read from a manifest or written in Python.

A component has connections, actions, triggers and data sources. The last three are operations: inputs (a JSON Schema
object), a ``perform`` function, an example of the result. ``perform`` may be the function itself or its name
(``package.module:function``), which is resolved when it is first needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from twilio_component.host.errors import PluginError

if TYPE_CHECKING:
    from twilio_component.host.events import EventIdentity
    from twilio_component.host.questions import EffectReport, Question, Reply
    from twilio_component.host.results import Candidate, Page

JsonSchema = Mapping[str, Any]
Perform = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """The label and description of a component or one of its parts, for user interfaces."""

    label: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A connection type: a key and named fields. A field with ``writeOnly: true`` is a secret.

    A connection value, as callers give it, is ``{"key": "basic", "fields": {"username": …, "password": …}}``.
    ``check``, ``async (host, connection) -> [ConnectionFinding, …]``, asks the service about one, changing nothing.
    """

    key: str
    display: Display
    inputs: JsonSchema
    check: str | Perform | None = None

    @cached_property
    def check_function(self) -> Perform | None:
        """The check function; raises ``PluginError`` when its name does not resolve."""
        return resolve(self.check) if isinstance(self.check, str) else self.check

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the fields that hold secrets."""
        return frozenset(name for name, schema in self.inputs["properties"].items() if schema.get("writeOnly"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """How to find out whether a call happened that may have happened.

    ``look_for`` is ``async (context, inputs, since) -> [Candidate, …]``: what was done at or after the time ``since``
    and may stem from this call, newest first. It may lag. ``identified_by`` is the key of a result's id. ``features``
    is ``(inputs) -> …``, what of the accepted inputs ``look_for`` can tell apart, as JSON; by default all of them.
    """

    look_for: str | Callable[..., Awaitable[list[Candidate]]]
    identified_by: str
    features: str | Callable[[Mapping[str, Any]], Any] | None = None

    @property
    def function(self) -> Callable[..., Awaitable[list[Candidate]]]:
        """Return the function; raises ``PluginError`` when its name does not resolve."""
        return resolve(self.look_for) if isinstance(self.look_for, str) else self.look_for

    def features_of(self, inputs: Mapping[str, Any]) -> Any:
        """Return what tells the call with these accepted inputs from others, as JSON: all inputs without ``features``.

        Raises ``PluginError`` when the function's name does not resolve.
        """
        if self.features is None:
            return inputs
        return (resolve_once(self.features) if isinstance(self.features, str) else self.features)(inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How an action asks a person and waits for the answer, for an engine that waits without holding anything.

    ``action`` is the component's action that sends. ``plan`` is ``(inputs) -> Question``. ``judge`` is
    ``(expects, reply_data) -> {"answer": …}``, or None for a reply that does not fit; it must be quick and depend on
    nothing else. ``outcome_of`` is ``(error_code) -> str``: how a send that was refused with this code ends the
    question, or nothing when it fails the step.
    """

    action: str
    plan: str | Callable[[Mapping[str, Any]], Question]
    judge: str | Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any] | None]
    outcome_of: str | Callable[[str], str]

    def question(self, inputs: Mapping[str, Any]) -> Question:
        """Return the question that the accepted inputs ask; raises what the function raises."""
        question: Question = _function(self.plan)(inputs)
        return question

    def answer(self, expects: Mapping[str, Any], data: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return ``{"answer": …}``, or None for a reply that does not fit."""
        found: Mapping[str, Any] | None = _function(self.judge)(expects, data)
        return found

    def outcome(self, code: str) -> str:
        """Return how a refusal with this code ends the question, or an empty text."""
        outcome: str = _function(self.outcome_of)(code)
        return outcome


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An action, a trigger or a data source.

    ``inputs`` is a JSON Schema (2020-12) object with every ``$ref`` resolved; beside the standard keywords a property
    may have ``clean`` (a function's name, ``(value, inputs) -> value``, raising ``ValueError``) and
    ``format: connection``, ``keyvaluelist`` or ``valuelist``. ``output_schema`` is the JSON Schema of an action's data,
    a trigger's payload or a data source's result, which are a step's ``results`` in a flow; ``example`` shows one.
    ``idempotent`` says that a repeated call does no harm: a host that does not know whether a call happened may then
    call again. For an operation that is not, ``reconciliation`` may find out.
    """

    key: str
    display: Display
    perform: str | Perform
    inputs: JsonSchema = field(
        default_factory=lambda: {"type": "object", "properties": {}, "additionalProperties": False}
    )
    output_schema: JsonSchema = field(default_factory=dict)
    example: Any = None
    idempotent: bool = False
    reconciliation: Reconciliation | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    kind: ClassVar[str]

    @cached_property
    def function(self) -> Perform:
        """The perform function; raises ``PluginError`` when its name does not resolve."""
        return resolve(self.perform) if isinstance(self.perform, str) else self.perform

    @property
    def has_effect(self) -> bool:
        """Whether a call does something outside of the flow, be it harmless when repeated: no dry run makes it."""
        return not self.idempotent or bool(self.options.get("changes"))

    @cached_property
    def connection_inputs(self) -> frozenset[str]:
        """The names of the inputs that take a connection."""
        properties: Mapping[str, JsonSchema] = self.inputs["properties"]
        return frozenset(name for name, schema in properties.items() if schema.get("format") == "connection")


@dataclass(frozen=True, kw_only=True)
class Action(Operation):
    """Inputs in, ``{"data": …}`` out: ``async perform(context, inputs) -> data``.

    An action that lists may have ``page``, ``async (context, inputs, after) -> Page``: the list that perform returns as
    a whole can then also be read page by page. An action that ``waits`` may return ``PollAgain`` instead of its data;
    since it is then called again, it must be idempotent. One that ``branches`` returns a ``Result`` with the name of
    the branch that a flow takes after it. One that ``asks`` waits for a person; its perform function does so by
    polling.
    """

    page: str | Callable[..., Awaitable[Page]] | None = None
    waits: bool = False
    branches: bool = False
    asks: Asking | None = None
    kind = "action"

    @cached_property
    def page_function(self) -> Callable[..., Awaitable[Page]] | None:
        """The page function; raises ``PluginError`` when its name does not resolve."""
        return resolve(self.page) if isinstance(self.page, str) else self.page


@dataclass(frozen=True, kw_only=True)
class Trigger(Operation):
    """A payload in, ``{"payload": …}`` out: ``async perform(context, payload, inputs) -> payload``.

    ``on_instance_deploy`` and ``on_instance_delete``, both ``async (context, inputs) -> result``, are what it does when
    an instance with it is deployed and when the instance is removed, such as telling a service where its webhooks go.
    Both may be called again after a failure, and must then finish what they started (``keep_instance_state``).
    ``identify_event`` tells which event the returned payload reports; without it every request is an event of its own.
    ``identify_reply`` returns what a person wrote, which may answer a question, and ``identify_report`` what became of
    a message; either returns None for a payload that is about something else.
    """

    on_instance_deploy: str | Perform | None = None
    on_instance_delete: str | Perform | None = None
    identify_event: str | Callable[[Mapping[str, Any]], EventIdentity] | None = None
    identify_reply: str | Callable[[Mapping[str, Any]], Reply | None] | None = None
    identify_report: str | Callable[[Mapping[str, Any]], EffectReport | None] | None = None
    kind = "trigger"

    def reply_of(self, payload: Mapping[str, Any]) -> Reply | None:
        """Return what a person wrote, if the returned payload is about that."""
        return None if self.identify_reply is None else _function(self.identify_reply)(payload)

    def report_of(self, payload: Mapping[str, Any]) -> EffectReport | None:
        """Return the outcome of a message, if the returned payload is about that."""
        return None if self.identify_report is None else _function(self.identify_report)(payload)

    @cached_property
    def identify_function(self) -> Callable[[Mapping[str, Any]], EventIdentity] | None:
        """The function that identifies events; raises ``PluginError`` when its name does not resolve."""
        return resolve(self.identify_event) if isinstance(self.identify_event, str) else self.identify_event

    @cached_property
    def deploy_function(self) -> Perform | None:
        """The function for deployments; raises ``PluginError`` when its name does not resolve."""
        return resolve(self.on_instance_deploy) if isinstance(self.on_instance_deploy, str) else self.on_instance_deploy

    @cached_property
    def delete_function(self) -> Perform | None:
        """The function for removals; raises ``PluginError`` when its name does not resolve."""
        return resolve(self.on_instance_delete) if isinstance(self.on_instance_delete, str) else self.on_instance_delete


class DataSource(Operation):
    """Choices for an input: ``async perform(context, inputs) -> result``, e.g. a list of ``{"label", "key"}``."""

    kind = "data source"


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component: what one plugin adds to a host, under one key.

    ``manifest`` is the document it was read from, with references resolved, and ``file`` that document's path (empty
    and None for a component written in Python).
    """

    key: str
    display: Display
    documentation: str = ""
    version: str = ""
    connections: Mapping[str, Connection] = field(default_factory=dict)
    actions: Mapping[str, Action] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    data_sources: Mapping[str, DataSource] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None

    def __repr__(self) -> str:
        """Its key, version, and what it has."""
        has = {
            "connections": self.connections,
            "actions": self.actions,
            "triggers": self.triggers,
            "data sources": self.data_sources,
        }
        counts = ", ".join(f"{len(parts)} {name}" for name, parts in has.items())
        return f"<Component {self.key} {self.version}: {counts}>"

    def operations(self) -> Iterator[Operation]:
        """Yield the component's actions, triggers and data sources."""
        yield from self.actions.values()
        yield from self.triggers.values()
        yield from self.data_sources.values()


def _function(given: str | Callable[..., Any]) -> Callable[..., Any]:
    return resolve(given) if isinstance(given, str) else given


def resolve(name: str) -> Callable[..., Any]:
    """Return the function named ``package.module:function``; raises ``PluginError`` if there is none."""
    module_name, colon, function_name = name.partition(":")
    if not colon or not module_name or not function_name:
        raise PluginError(f"'{name}' is not of the form package.module:function")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        # A module that fails while it is imported may fail with anything.
        raise PluginError(f"'{name}' cannot be imported: {type(error).__name__}: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise PluginError(f"'{name}' does not name a function: {module_name} has no callable '{function_name}'")
    resolved: Callable[..., Any] = function
    return resolved


@cache
def resolve_once(name: str) -> Callable[..., Any]:
    """Return what ``resolve`` returned the first time, where it is needed with each call."""
    return resolve(name)
