"""Handles a webhook request: verify it, store the run, respond, and start the run."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from twilio_component.durable.errors import StateConflictError
from twilio_component.durable.execution.queue_slots import queue_slot
from twilio_component.durable.execution.redacted_inputs import redact_inputs
from twilio_component.durable.observation import Observer
from twilio_component.durable.store import run_status
from twilio_component.durable.store.flow_state import StateChange, scopes_of
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.replies import conversation_of, reply_id, taken_id
from twilio_component.flows.declared_rules import answers_in_quiet_hours
from twilio_component.host.contacts import OUT
from twilio_component.host.errors import PerformError
from twilio_component.host.http.request_payload import RequestBodyError
from twilio_component.host.model import Trigger
from twilio_component.host.serialization import iso_time
from twilio_component.host.trace_context import HEADER
from twilio_component.serving.contact_events import ContactEvents
from twilio_component.serving.endpoint_keys import KEY_HEADER, EndpointKeys
from twilio_component.serving.event_identity import run_event
from twilio_component.serving.refusals import refusal
from twilio_component.serving.refused_requests import RefusedRequests
from twilio_component.serving.webhook_settings import DEFAULT_SETTINGS

if TYPE_CHECKING:
    from twilio_component.durable.deployment import Deployment
    from twilio_component.durable.engine import Engine
    from twilio_component.durable.store.events import RunEvent
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.serving.endpoints import Endpoint
    from twilio_component.serving.webhook_settings import WebhookSettings

# Twilio waits 15 s; the response needs some of that to arrive.
RESPONSE_SECONDS = 12.0
EXECUTION_HEADER = "Execution-Id"
_FAILURES = (run_status.FAILED, run_status.UNKNOWN)
_LOGGER = logging.getLogger("twilio_component.serving")


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """A request as it was received. Header names are in lower case; a repeated header has a list of values."""

    method: str
    url: str
    headers: Mapping[str, str | list[str]] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response; by default a 204, after which Twilio does nothing."""

    status: int = 204
    body: str = ""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class _Started(NamedTuple):
    """The run of a request, whether it is new, and the response that confirms what a person has chosen, if one does."""

    new: NewRun
    is_new: bool
    confirmation: Mapping[str, Any] | None = None


class WebhookHandler:
    """Receives requests for flows. ``refused``, ``accepted`` and ``repeated`` count their outcomes."""

    def __init__(
        self,
        deployment: Deployment,
        engine: Engine,
        settings: WebhookSettings = DEFAULT_SETTINGS,
        keys: EndpointKeys | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._deployment = deployment
        self._engine = engine
        self._settings = settings
        self._keys = keys or EndpointKeys({}, {}, ())
        self._contact_events = ContactEvents(engine.database, settings.opt_outs)
        self._locks: dict[str, asyncio.Lock] = {}
        self._observer = observer or Observer()
        self.refused = self.accepted = self.repeated = 0
        self.refused_requests = RefusedRequests(engine.database)

    async def receive(self, endpoint: Endpoint, request: IncomingRequest) -> HttpResponse:
        """Start the flow of the endpoint, once for each event; raises ``StoreUnavailableError``."""
        if not self._keys.allow(endpoint.flow, request.headers):
            self.refuse(endpoint, "no-key")
            _LOGGER.warning(
                "%s refused a request (%d refused so far): its header Api-Key has no key of the flow",
                endpoint.path,
                self.refused,
            )
            return replace(json_response(401, refusal(401)), headers={"WWW-Authenticate": "Api-Key"})
        deadline = asyncio.get_running_loop().time() + RESPONSE_SECONDS
        try:
            with self._observer.webhook_span(endpoint.flow.name, request.headers.get(HEADER)):
                new, is_new, confirmation = await self._start_once(endpoint, request)
        except RequestBodyError as error:
            self.refuse(endpoint, "unreadable-body")
            reason = "; ".join(problem.message for problem in error.problems)
            _LOGGER.warning("%s refused a request (%d refused so far): %s", endpoint.path, self.refused, reason)
            return json_response(400, {"error": f"The request's body cannot be read: {reason}."})
        except PerformError as error:
            self.refuse(endpoint, error.code)
            _LOGGER.warning("%s refused a request (%d refused so far): %s", endpoint.path, self.refused, error)
            return json_response(403, refusal(403))
        if is_new:
            self.accepted += 1
        else:
            taken = await self._engine.questions.taken_by(new.reply) if new.reply is not None else None
            if taken is not None:
                # The run that asked continues by itself; the trigger's own response is not for this message.
                self.accepted += 1
                self._observer.webhook_received(endpoint.flow.name, "accepted", "")
                confirmed = HttpResponse() if confirmation is None else _http_response(confirmation)
                return replace(confirmed, headers={**confirmed.headers, EXECUTION_HEADER: taken})
            self.repeated += 1
            new = replace(new, id=await self._engine.runs.run_of(new))
        self._observer.webhook_received(endpoint.flow.name, "accepted" if is_new else "repeated", "")
        if confirmation is not None:
            response = _http_response(confirmation)
        else:
            response = await self._response(endpoint, new, deadline - asyncio.get_running_loop().time())
        return replace(response, headers={**response.headers, EXECUTION_HEADER: new.id})

    def refuse(self, endpoint: Endpoint, reason: str) -> None:
        """Count a request for the endpoint that starts nothing."""
        self.refused += 1
        self.refused_requests.count(endpoint.path, reason)
        self._observer.webhook_received(endpoint.flow.name, "refused", reason)

    async def _response(self, endpoint: Endpoint, new: NewRun, seconds: float) -> HttpResponse:
        if endpoint.flow.is_synchronous:
            outcome = await self._engine.wait_for_outcome(new.id, seconds)
            if outcome is not None and outcome["response"] is not None:
                return _http_response(outcome["response"])
            state = None if outcome is None else outcome["state"]
            if state in _FAILURES:
                # Its definition or its configuration fails, so that it never came to a response; or that is forgotten.
                return json_response(500, {"error": "The flow failed.", "executionId": new.id})
            # It is still running, or may be resumed; or its response has been forgotten meanwhile.
            status = 202 if state is None or state in run_status.RESUMABLE else 200
            return HttpResponse() if endpoint.parses_request else json_response(status, {"executionId": new.id})
        if new.trigger is not None and new.trigger.get("response") is not None:
            return _http_response(new.trigger["response"])
        return HttpResponse() if endpoint.parses_request else json_response(200, {"executionId": new.id})

    async def _start_once(self, endpoint: Endpoint, request: IncomingRequest) -> _Started:
        """Start the run of the request; raises ``PerformError``."""
        try:
            return await self._start(endpoint, request)
        except StateConflictError:
            # Another request has changed the state that the trigger has read. From here on they take turns.
            async with self._locks.setdefault(endpoint.path, asyncio.Lock()):
                while True:
                    with suppress(StateConflictError):
                        return await self._start(endpoint, request)

    async def _start(self, endpoint: Endpoint, request: IncomingRequest) -> _Started:
        flow, definition = endpoint.flow, endpoint.definition
        run_id = f"web-{uuid.uuid4().hex}"
        payload = self._deployment.payload(
            payload_of(request), definition, flow, run_id, iso_time(dt.datetime.now(dt.UTC))
        )
        payload["webhookApiKeys"] = self._keys.redacted_keys()
        scopes = scopes_of(definition.integration.name, flow.name)
        shown = await self._engine.stored_state(scopes)
        call = definition.trigger_call(flow, payload, shown)
        # The trigger verifies the request itself, before anything is stored.
        envelope = await definition.invoker.perform_once(flow, call, payload)
        trigger = definition.invoker.operation(call)
        reply = trigger.reply_of(envelope["payload"]) if isinstance(trigger, Trigger) else None
        report = trigger.report_of(envelope["payload"]) if isinstance(trigger, Trigger) else None
        if report is not None:
            await self._engine.hear(report)
        event = self._event(endpoint, call, envelope)
        if event is not None and reply is not None:
            # Delivered to another endpoint too, it must not count as the reply to what this run asks. And it starts
            # nothing once it has been a reply, whose run may have been purged.
            mark = reply_id(reply)
            event = replace(event, marks=(*event.marks, mark), also_seen_as=(*event.also_seen_as, taken_id(mark)))
        if event is not None:
            run_id = f"web-{event.id}"
            payload["executionId"] = run_id
            envelope = {**envelope, "payload": {**envelope["payload"], "executionId": run_id}}
        contact_event = self._contact_events.read(definition.invoker.operation(call), envelope.get("payload"))
        if reply is not None and contact_event is not None and contact_event.choice == OUT:
            reply = replace(reply, opts_out=True)  # by a keyword of the deployment, perhaps
        if reply is not None and contact_event is not None and contact_event.asks_help:
            reply = replace(reply, asks_help=True)
        new = NewRun(
            id=run_id,
            definition=definition.digest,
            integration=definition.integration.name,
            flow=flow.name,
            payload=payload,
            trigger=envelope,
            trigger_step=call.id,
            trigger_inputs=redact_inputs(call.inputs, definition.invoker.operation(call)),
            event=event,
            reply=reply,
            slot=queue_slot(definition, flow, envelope, conversation=conversation_of(reply) if reply else None),
            also=self._contact_events.work_for(
                contact_event,
                run_id,
                reply_id(reply) if reply is not None else "",
                keeps_time=self._settings.answers_in_quiet_hours or answers_in_quiet_hours(definition.integration),
            ),
        )
        change = StateChange(scopes, shown, envelope).in_transaction
        is_new = await self._engine.begin(new, change, immediately=flow.is_synchronous)
        if contact_event is None:
            return _Started(new, is_new)
        if not is_new and new.slot is not None and contact_event.choice is not None and not await self._is_known(new):
            # Another run is in the way of this one, but not of what the person has chosen.
            await self._contact_events.store_alone(contact_event)
        return _Started(new, is_new, contact_event.response)

    async def _is_known(self, new: NewRun) -> bool:
        """Whether the request is a repetition: what it says was stored when it was received first."""
        if new.event is not None and await self._engine.runs.has_started(new.event):
            return True
        return new.reply is not None and await self._engine.questions.taken_by(new.reply) is not None

    def _event(self, endpoint: Endpoint, call: Call, envelope: Mapping[str, Any]) -> RunEvent | None:
        """Return the ids of the event that the payload reports; None where every request is an event of its own."""
        trigger = endpoint.definition.invoker.operation(call)
        if not isinstance(trigger, Trigger) or trigger.identify_function is None:
            return None
        identity = trigger.identify_function(envelope.get("payload") or {})
        integration, flow = endpoint.definition.integration.name, endpoint.flow.name
        return run_event(identity, integration, flow, strict=self._settings.strict_replays)


def payload_of(request: IncomingRequest) -> dict[str, Any]:
    """Return the request as the part of a trigger payload that comes from HTTP."""
    content_type = request.headers.get("content-type", "")
    return {
        # A key that was shown is a secret, and must not be stored with the run.
        "headers": {name: value for name, value in request.headers.items() if name != KEY_HEADER},
        "method": request.method,
        "invokeUrl": request.url,
        "rawBody": {"data": request.body, "contentType": content_type},
    }


def json_response(status: int, body: Mapping[str, Any]) -> HttpResponse:
    """Return a response whose body is this object as JSON."""
    return HttpResponse(status, json.dumps(body), "application/json")


def _http_response(response: Mapping[str, Any]) -> HttpResponse:
    body = response.get("body")
    return HttpResponse(
        status=int(response.get("statusCode") or 200),
        body=body if isinstance(body, str) else json.dumps(body) if body is not None else "",
        content_type=str(response.get("contentType") or ""),
        headers={str(name): str(value) for name, value in (response.get("headers") or {}).items()},
    )
