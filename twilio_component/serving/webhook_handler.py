"""What becomes of a request: refused, or verified, stored, answered, and then started."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twilio_component.durable.errors import StateConflictError
from twilio_component.durable.execution.redacted_inputs import outline
from twilio_component.durable.store.flow_state import Change, scopes_of
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.host.errors import PerformError
from twilio_component.host.serialization import iso_time, json_ready

if TYPE_CHECKING:
    from twilio_component.durable.deployment import Deployment
    from twilio_component.durable.engine import Engine
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.serving.endpoints import Endpoint

# Twilio waits 15 s; the answer needs some of that to arrive.
ANSWER_SECONDS = 12.0
_LOGGER = logging.getLogger("twilio_component.serving")


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """A request as it came in. Names of headers are in lower case; one that came twice has a list of values."""

    method: str
    url: str
    headers: Mapping[str, str | list[str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The HTTP answer. Without a body of its own it is 204, which Twilio takes for 'nothing to say'."""

    status: int = 204
    body: str = ""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class WebhookHandler:
    """Receives requests for flows. ``refused``, ``accepted`` and ``repeated`` count what became of them."""

    def __init__(self, deployment: Deployment, engine: Engine) -> None:
        self._deployment = deployment
        self._engine = engine
        self._turns: dict[str, asyncio.Lock] = {}
        self.refused = self.accepted = self.repeated = 0

    async def receive(self, endpoint: Endpoint, arrival: IncomingRequest) -> Reply:
        """Start the flow that the request is for, once for each event; raises ``StoreUnavailableError``."""
        try:
            new, fresh = await self._begun(endpoint, arrival)
        except PerformError as error:
            self.refused += 1
            _LOGGER.warning("%s refused a request (%d refused so far): %s", endpoint.path, self.refused, error)
            return Reply(403)
        if fresh:
            self.accepted += 1
        else:
            self.repeated += 1
        if endpoint.flow.is_synchronous:
            return await self._result(new.id)
        return _reply((new.trigger or {}).get("response"))

    async def _begun(self, endpoint: Endpoint, arrival: IncomingRequest) -> tuple[NewRun, bool]:
        """The run that the request is for, which has begun, and whether it had not before; raises ``PerformError``."""
        try:
            return await self._begin(endpoint, arrival)
        except StateConflictError:
            # Another request has changed what the trigger was shown. Now they take turns, so that each gets its own.
            async with self._turns.setdefault(endpoint.path, asyncio.Lock()):
                while True:
                    with suppress(StateConflictError):
                        return await self._begin(endpoint, arrival)

    async def _begin(self, endpoint: Endpoint, arrival: IncomingRequest) -> tuple[NewRun, bool]:
        flow, loaded = endpoint.flow, endpoint.served.loaded
        run_id = f"web-{uuid.uuid4().hex}"
        payload = self._deployment.payload(given(arrival), loaded, flow, run_id, iso_time(dt.datetime.now(dt.UTC)))
        scopes = scopes_of(loaded.integration, flow)
        shown = await self._engine.states(scopes)
        call = loaded.trigger_call(flow, payload, shown)
        # The trigger judges the request itself, before anything is stored.
        envelope = await loaded.invoker.perform_once(flow, call, payload)
        event = self._event(endpoint, call, envelope, arrival)
        new = NewRun(
            id=run_id if event is None else f"web-{event}",
            definition=endpoint.served.digest,
            integration=loaded.integration.name,
            flow=flow.name,
            payload=payload,
            trigger=envelope,
            trigger_place=call.id,
            trigger_outline=outline(call.inputs, loaded.invoker.operation(call)),
        )
        also = Change(scopes, shown, envelope).to_make
        return new, await self._engine.begin(new, also, at_once=flow.is_synchronous)

    async def _result(self, run_id: str) -> Reply:
        ended = await self._engine.ended(run_id, ANSWER_SECONDS)
        if ended is None or ended["response"] is None:
            return Reply()
        await self._engine.runs.forget_response(run_id)
        return _reply(ended["response"])

    def _event(
        self, endpoint: Endpoint, call: Call, envelope: Mapping[str, Any], arrival: IncomingRequest
    ) -> str | None:
        """What tells this event from others, by what is signed; None for a trigger whose requests are all different."""
        operation = endpoint.served.loaded.invoker.operation(call)
        keys = operation.options.get("eventKeys") if operation is not None else None
        if keys is None:
            return None
        payload = envelope.get("payload") or {}
        body = (payload.get("body") or {}).get("data")
        data = body if isinstance(body, Mapping) else payload.get("queryParameters") or {}
        if data.get(keys[0]):
            told: Any = [data.get(key) for key in keys]
        else:
            told = [arrival.method, arrival.url, hashlib.sha256(arrival.body).hexdigest()]
        text = json.dumps([endpoint.served.loaded.integration.name, endpoint.flow.name, told])
        return hashlib.sha256(text.encode()).hexdigest()[:40]


def given(arrival: IncomingRequest) -> dict[str, Any]:
    """The request as the part of a payload that a trigger needs to judge it."""
    content_type = arrival.headers.get("content-type", "")
    request: dict[str, Any] = json_ready(
        {
            "headers": arrival.headers,
            "method": arrival.method,
            "invokeUrl": arrival.url,
            "rawBody": {"data": arrival.body, "contentType": content_type},
        }
    )
    return request


def _reply(response: Mapping[str, Any] | None) -> Reply:
    if response is None:
        return Reply()
    body = response.get("body")
    return Reply(
        status=int(response.get("statusCode") or 200),
        body=body if isinstance(body, str) else json.dumps(body) if body is not None else "",
        content_type=str(response.get("contentType") or ""),
        headers={str(name): str(value) for name, value in (response.get("headers") or {}).items()},
    )
