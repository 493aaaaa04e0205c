"""Signed status callbacks: they confirm a send whose response was lost."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.durable.ids import call_key
from twilio_component.flows.interpreter.effects import Call
from twilio_component.flows.interpreter.state import STORED_STATES
from twilio_component.flows.model import find_flow
from twilio_component.host.errors import InputError, PerformError
from twilio_component.host.serialization import iso_time
from twilio_component.serving.contact_events import ContactEvents
from twilio_component.serving.opt_out_settings import OptOutSettings
from twilio_component.serving.refusals import refusal
from twilio_component.serving.webhook_handler import HttpResponse, IncomingRequest, json_response, payload_of

if TYPE_CHECKING:
    from twilio_component.durable.deployment import Deployment, LoadedDefinition
    from twilio_component.durable.engine import Engine

_LOGGER = logging.getLogger("twilio_component.serving")


@dataclass(frozen=True, slots=True)
class CallbackAddress:
    """The call that a callback is about: the ``ordinal``-th of a run, and the action of a component."""

    component: str
    action: str
    run: str
    ordinal: int


class Callbacks:
    """Receives callbacks. They are verified by the trigger that the action's manifest entry names."""

    def __init__(self, deployment: Deployment, engine: Engine, settings: OptOutSettings | None = None) -> None:
        self._deployment = deployment
        self._engine = engine
        self._contact_events = ContactEvents(engine.database, settings or OptOutSettings())

    async def receive(self, address: CallbackAddress, request: IncomingRequest) -> HttpResponse:
        """Record what a genuine callback confirms; raises ``StoreUnavailableError``."""
        component = self._deployment.host.components.get(address.component)
        action = component.actions.get(address.action) if component is not None else None
        proof = action.options.get("proof") if action is not None else None
        run = await self._engine.runs.load(address.run) if proof is not None else None
        if component is None or proof is None or run is None:
            return json_response(404, refusal(404))
        definition = self._deployment.load(run.file, run.text)
        flow = find_flow(definition.integration, run.flow)
        payload = self._deployment.payload(
            payload_of(request), definition, flow, run.id, iso_time(dt.datetime.now(dt.UTC))
        )
        for inputs in _connections(definition, address.component, proof["connectionInput"]):
            call = Call(
                id="callback",
                name="callback",
                component=address.component,
                action=proof["trigger"],
                inputs=inputs,
                is_trigger=True,
                payload=payload,
                stored_state={name: {} for name in STORED_STATES},
            )
            try:
                envelope = await definition.invoker.perform_once(flow, call, payload)
            except (PerformError, InputError):
                continue  # another connection may have signed it, and this one may be misspelt
            await self._confirm(address, envelope, proof)
            event = self._contact_events.read(definition.invoker.operation(call), envelope.get("payload"))
            if event is not None and event.choice is not None:
                await self._contact_events.store_alone(event)
            report = component.triggers[proof["trigger"]].report_of(envelope.get("payload") or {})
            if report is not None:
                await self._engine.hear(report)
            return HttpResponse()
        _LOGGER.warning(
            "a callback about %s.%s was refused: no connection has signed it", address.component, address.action
        )
        return json_response(403, refusal(403))

    async def _confirm(self, address: CallbackAddress, envelope: Mapping[str, Any], proof: Mapping[str, Any]) -> None:
        body = (envelope.get("payload") or {}).get("body") or {}
        data = body.get("data")
        resource_id = data.get(proof["identifiedBy"]) if isinstance(data, Mapping) else None
        if isinstance(resource_id, str) and resource_id:
            await self._engine.intents.confirm(call_key(address.run, address.ordinal), resource_id)


def _connections(definition: LoadedDefinition, component: str, name: str) -> Iterator[dict[str, Any]]:
    for key, variable in definition.integration.config_variables.items():
        if variable.is_connection and variable.component == component and key in definition.values.by_name:
            yield {name: definition.values.by_name[key]}
