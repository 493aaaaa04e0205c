"""The request that ``flow run --emulator`` makes in Twilio's place: signed as the flow's trigger expects it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.cli.components import TWILIO

if TYPE_CHECKING:
    from twilio_component.flows.model import Flow
    from twilio_component.host.model import Component

_PLACEHOLDER = re.compile(r"\b([A-Z]{2})X{32}\b")
_SID_DIGITS = 32


def as_twilio_sends(
    payload: Mapping[str, Any],
    flow: Flow,
    components: Mapping[str, Component],
    config_values: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the payload as a request that the flow's trigger of Twilio verifies; of another trigger, as it is.

    A request with headers or a raw body of its own is left alone. Without a body, the trigger's example is sent.
    """
    component = components.get(flow.trigger.component)
    trigger = component.triggers.get(flow.trigger.action) if component is not None else None
    verifies = trigger is not None and trigger.options.get("verifiesRequest")
    if trigger is None or flow.trigger.component != TWILIO or not verifies or {"headers", "rawBody"} & payload.keys():
        return dict(payload)
    from twilio_component.testing import signed_payload

    rest = {name: value for name, value in payload.items() if name != "body"}
    body = payload.get("body")
    data = (body.get("data") if isinstance(body, Mapping) else body) or _example_data(trigger.example)
    parameters, document = ({}, data) if not isinstance(data, Mapping) else (_form(data), None)
    request = signed_payload(parameters, json_body=document, **_keys(flow, config_values))
    return {**rest, **request}


def _example_data(example: Any) -> Any:
    """The data of an example's body, with SIDs in the place of the documentation's ``SMXXXX…``."""
    from twilio_component.emulator.connection import EMULATOR_ACCOUNT

    data = ((example or {}).get("payload", {}).get("body") or {}).get("data") or {}

    def sid(found: re.Match[str]) -> str:
        return EMULATOR_ACCOUNT if found[1] == "AC" else found[1] + "1".rjust(_SID_DIGITS, "0")

    return json.loads(_PLACEHOLDER.sub(sid, json.dumps(data)))


def _form(data: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in data.items()}


def _keys(flow: Flow, config_values: Mapping[str, Any]) -> dict[str, Any]:
    """What the trigger verifies with; the emulator's token is in its connection, and it may have a key of its own."""
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.flows.interpreter.execution import Execution
    from twilio_component.flows.interpreter.state import initial_state
    from twilio_component.twilio.signatures.shared_keys import parse

    call = Execution(flow, config_values, initial_state({})).next()
    inputs = call.inputs if isinstance(call, Call) else {}
    token, keys = inputs.get("authToken"), inputs.get("sharedKeys")
    if isinstance(token, str) and token:
        return {"auth_token": token}
    if isinstance(keys, str) and keys and not inputs.get("twilioConnection"):
        return {"shared_key": next(iter(parse(keys).items()))}
    return {}
