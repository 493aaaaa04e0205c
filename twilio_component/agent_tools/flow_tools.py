"""Flows as tools: those that declare in ``schemas.invoke`` what they are invoked with.

A flow that sends or changes something takes a ``requestKey`` of the caller. The run's id comes from it, and every send
of the run is recorded under that id before it happens, so a caller that repeats itself gets the first outcome, and
nothing is sent again. The key with other arguments is refused. Blanks around a key are not part of it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import re
import shlex
import time
import unicodedata
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.agent_tools.tool import Tool
from twilio_component.agent_tools.waiting_words import why_running
from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.execution.queue_slots import queue_slot
from twilio_component.durable.ids import FIRST_RETRY, lineage, retry_id
from twilio_component.durable.operator.views import RunViews
from twilio_component.durable.store import run_status
from twilio_component.durable.store.database_url import display_database
from twilio_component.durable.store.events import RunEvent
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.flows.checking.reachability import reachable_flows, side_effects
from twilio_component.host.errors import DocumentError, InputError, PerformError, Problem, did_you_mean, join_names
from twilio_component.host.manifest.documents import parse_document
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from twilio_component.durable.deployment import Deployment, LoadedDefinition
    from twilio_component.durable.engine import Engine
    from twilio_component.flows.model import Flow

REQUEST_KEY = "requestKey"
SECONDS = 55.0  # clients give up after a minute
_LOGGER = logging.getLogger("twilio_component.agent_tools")
_STOPPED = (run_status.PAUSED, run_status.LIST_STOPPED)
_KEY_SCHEMA = {
    "type": "string",
    "pattern": r"\S",
    "message": "must not be blank",
    "maxLength": 200,
    "description": "Your own key for this request. Repeat it and you get the first outcome; nothing is sent again.",
}


# What a schema that has one of these allows is not said by its ``properties`` alone.
_COMPOSED = frozenset(
    ("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "patternProperties")
)


class FlowFailedError(PerformError):
    """A flow that a tool ran has failed; the text is the failure of its step.

    ``may_have_happened`` tells whether it did something before, ``repeated`` whether an earlier call has run it.
    """

    code = "flow-failed"

    def __init__(self, message: str, acted: bool, repeated: bool = False) -> None:  # noqa: FBT001, FBT002 - as in args
        super().__init__(message, acted, repeated, text=message)
        self.may_have_happened = acted
        self.repeated = repeated


class OutcomeOpenError(PerformError):
    """A flow that a tool ran may have sent, or may yet send: its outcome is unknown.

    ``repeated`` tells whether an earlier call has run it.
    """

    code = "flow-outcome-unknown"
    may_have_happened = True

    def __init__(self, message: str, repeated: bool = False) -> None:  # noqa: FBT001, FBT002 - as in args
        super().__init__(message, repeated, text=message)
        self.repeated = repeated


class FlowTools:
    """The tools of the flows in ``definitions``; those that send are among them only if ``allow_send``."""

    def __init__(self, deployment: Deployment, engine: Engine, *, allow_send: bool) -> None:
        self._deployment = deployment
        self._engine = engine
        self._allow_send = allow_send

    def tools(self, definition: LoadedDefinition) -> Iterator[Tool]:
        """Yield a tool for each flow with a schema, and log which flows are not offered, and why.

        Raises ``DocumentError`` for a schema that no call could match, or that is not an object's.
        """
        for flow, schema in _schemas(definition):
            sends = side_effects(reachable_flows(definition.integration, flow), self._deployment.host.components)
            if schema is None:
                reason = "it declares no schemas.invoke"
            elif sends and not self._allow_send:
                reason = f"it does {join_names(sends)}, which needs --allow-send"
            else:
                yield self._tool(definition, flow, schema, sends)
                continue
            _LOGGER.warning("%s: the flow %s is not offered: %s", definition.file, flow.name, reason)

    def _tool(self, definition: LoadedDefinition, flow: Flow, schema: Mapping[str, Any], sends: list[str]) -> Tool:
        async def call(arguments: Mapping[str, Any]) -> Any:
            return await self._run(definition, flow, arguments)

        async def has_begun(arguments: Mapping[str, Any]) -> bool:
            event = _event(definition, flow, arguments)
            try:
                return event is not None and await self._engine.runs.has_started(event)
            except StoreUnavailableError:
                return False  # the call itself will say so

        properties = dict(schema.get("properties", {}))
        required = list(schema.get("required", ()))
        if sends:
            properties[REQUEST_KEY] = _KEY_SCHEMA
            required.append(REQUEST_KEY)
        what = schema.get("description") or f"Runs the flow {flow.name}."
        return Tool(
            name=_tool_name(str(schema.get("title") or flow.name)),
            description=f"{what} Does {join_names(sends)}." if sends else what,
            input_schema={**_strict_schema(schema), "properties": properties, "required": required},
            call=call,
            has_begun=has_begun,
            confirmation=f"Run {flow.name}? It does {join_names(sends)}." if sends else "",
        )

    def _new_run(self, definition: LoadedDefinition, flow: Flow, arguments: Mapping[str, Any]) -> NewRun:
        data = {name: value for name, value in arguments.items() if name != REQUEST_KEY}
        event = _event(definition, flow, arguments)
        run_id = (
            f"mcp-{uuid.uuid4().hex}" if event is None else f"mcp-{_digest(event.id, json.dumps(data, sort_keys=True))}"
        )
        now = iso_time(dt.datetime.now(dt.UTC))
        body = {"data": data, "contentType": "application/json"}
        given = {"body": body, "rawBody": {"data": json.dumps(data), "contentType": "application/json"}}
        return NewRun(
            id=run_id,
            definition=definition.digest,
            integration=definition.integration.name,
            flow=flow.name,
            payload=self._deployment.payload(given, definition, flow, run_id, now),
            event=event,
            slot=queue_slot(definition, flow),
        )

    async def _run(self, definition: LoadedDefinition, flow: Flow, arguments: Mapping[str, Any]) -> Any:
        new = self._new_run(definition, flow, arguments)
        try:
            return await self._outcome(new)
        except StoreUnavailableError as error:
            if new.event is None:
                raise
            # It may have been stored all the same, and it continues when the database is there again.
            raise OutcomeOpenError(f"{error}: the flow may run. Call again with the same requestKey") from error

    async def _outcome(self, new: NewRun) -> Any:
        """Have the run stored, unless it is, and return its outcome, or that of the retry that took its place."""
        run_id = new.id
        is_new = await self._engine.begin(new, immediately=True)
        if not is_new and (first := await self._engine.runs.run_of(new)) != run_id:
            problem = f"was used with other arguments (run {first}); repeat those, or use a new key for a new request"
            raise InputError("The flow was not run", [Problem(REQUEST_KEY, problem)])
        deadline = time.monotonic() + SECONDS
        outcome = await self._wait(run_id, SECONDS)
        while outcome is not None and outcome["state"] == run_status.RETRIED:
            run_id = retry_id(run_id, FIRST_RETRY)
            outcome = await self._wait(run_id, max(0.0, deadline - time.monotonic()))
        if outcome is None:
            return await self._still_running(run_id, repeated=not is_new)
        has_failed = outcome["state"] != run_status.SUCCEEDED
        acted = has_failed and any([(await self._engine.runs.waits.acts_of(one)).acted for one in lineage(run_id)])
        database = shlex.quote(display_database(self._engine.database.url))
        return _result(run_id, outcome, acted=acted, repeated=not is_new, database=database)

    async def _still_running(self, run_id: str, *, repeated: bool) -> dict[str, Any]:
        why = why_running(await RunViews(self._engine.database).show(run_id))
        note = f"It is still running{f': {why}' if why else ''}. Call again with the same requestKey for its outcome."
        return {"run": run_id, "state": "running", **({"repeated": True} if repeated else {}), "note": note}

    async def _wait(self, run: str, seconds: float) -> Mapping[str, Any] | None:
        """The outcome of a run, None when it is still running; raises ``OutcomeOpenError`` for one that was purged."""
        if await self._engine.runs.load(run) is None:
            raise OutcomeOpenError(
                f"Run {run} has been purged, so its outcome is not known any more: it MAY have sent. Nothing was sent "
                "now; do not send again with another requestKey unless you know that the first call sent nothing",
                repeated=True,
            )
        outcome: Mapping[str, Any] | None = await self._engine.wait_for_outcome(run, seconds)
        return outcome


def _schemas(definition: LoadedDefinition) -> Iterator[tuple[Flow, Mapping[str, Any] | None]]:
    """Each flow with the schema that it is invoked with, or None."""
    document = parse_document(definition.text, definition.file)
    by_name = {flow.name: flow for flow in definition.integration.flows}
    for index, part in enumerate(document.data.get("flows", ())):
        schemas = part.get("schemas")
        schema = schemas.get("invoke") if isinstance(schemas, Mapping) else None
        problem = _problem_of(schema) if schema is not None else ""
        if problem:
            found = document.problem(("flows", index, "schemas", "invoke"), problem)
            raise DocumentError(f"{definition.file} cannot be offered as tools", [found])
        yield by_name[part["name"]], schema


def _problem_of(schema: Any) -> str:
    """Why a tool cannot have the schema; empty if it can."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return "must be the JSON Schema of an object"
    properties = schema.get("properties", {})
    if not _is_open(schema) and (missing := [name for name in schema.get("required", ()) if name not in properties]):
        hint = did_you_mean(missing[0], properties)
        names = join_names(missing, word="or")
        return f"no call could match it, since it has no property {names}, which it requires{hint}"
    return ""


def _is_open(schema: Mapping[str, Any]) -> bool:
    """Whether the schema itself says what properties there may be beside ``properties``."""
    return not _COMPOSED.isdisjoint(schema) or "additionalProperties" in schema or "unevaluatedProperties" in schema


def _strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without its identity; a property that it does not name is a mistake, unless it says otherwise."""
    own = {name: value for name, value in schema.items() if name not in ("$schema", "$id", "title", "description")}
    return own if _is_open(schema) else {**own, "additionalProperties": False}


def _event(definition: LoadedDefinition, flow: Flow, arguments: Mapping[str, Any]) -> RunEvent | None:
    """The caller's key as an event that starts one run; None for a flow that changes nothing and has no key."""
    key = arguments.get(REQUEST_KEY)
    if key is None:
        return None
    # Agents copy keys with a blank or a line's end around them, and mean the same request.
    one = _digest(definition.integration.name, flow.name, unicodedata.normalize("NFC", str(key).strip()))
    return RunEvent(id=one, known_by=(one,))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _result(run_id: str, outcome: Mapping[str, Any], *, acted: bool, repeated: bool, database: str) -> dict[str, Any]:
    """What the tool returns; ``database`` is where an operator finds the run."""
    told: dict[str, Any] = {"run": run_id, "state": outcome["state"]}
    if repeated:
        told["repeated"] = True
    state, error = outcome["state"], outcome["error"] or {}
    if state in _STOPPED:
        note = "It was stopped and may be resumed. Call again with the same requestKey, and only that, for its outcome."
        return {**told, "note": note}
    command = f"twilio-component runs show {run_id} --database {database}"
    if state == run_status.UNKNOWN:
        raise OutcomeOpenError(
            f"The outcome of run {run_id} is unknown: it MAY have sent ({error.get('message', 'no response')}). Do not "
            f"send again with another requestKey; an operator can look and decide: {command}",
            repeated,
        )
    if state != run_status.SUCCEEDED:
        text = f"Run {run_id} is {state}: {error.get('message', 'no reason is stored')}"
        # What is resolved may have happened.
        if acted or state == run_status.RESOLVED:
            warning = "It did something before: do not run it with another requestKey; an operator can look"
            raise FlowFailedError(f"{text}. {warning}: {command}", True, repeated)  # noqa: FBT003 - as in args
        if state == run_status.CANCELLED:
            text += f". It has sent nothing, but an operator can resume it: ask before another requestKey: {command}"
        raise FlowFailedError(text, False, repeated)  # noqa: FBT003 - as in args
    if outcome["result"] is not None:
        told["result"] = outcome["result"]
    if outcome["response"] is not None:
        told["response"] = _body(outcome["response"])
    return told


def _body(response: Mapping[str, Any]) -> Any:
    """The body of a flow's response; one that is JSON as the value that it stands for."""
    body = response.get("body")
    if not isinstance(body, str) or not str(response.get("contentType", "")).startswith("application/json"):
        return body
    try:
        return json.loads(body)
    except ValueError:
        return body  # a flow may give its response any body


def _tool_name(text: str) -> str:
    """A name as tools have it: letters, digits, hyphens and underscores."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:64] or "flow"


def refuse_repeated_names(tools: list[Tool]) -> None:
    """Raise ``InputError`` for two tools of one name."""
    names = [tool.name for tool in tools]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problem = Problem("schemas.invoke.title", f"must differ between flows; {join_names(twice)} would be two tools")
        raise InputError("The flows cannot be offered as tools", [problem])
