"""The emulator's own HTTP API, under ``/_emulator``: everything a test in another language needs to direct it.

Bodies are JSON objects, sent as ``application/json``; keys are camelCase. A bad request gets a 400 with
``{"error": …}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.control import conditions, inbound, inbox
from twilio_component.emulator.control.arguments import account_of, text_of
from twilio_component.emulator.control.inbox import NotThereError
from twilio_component.emulator.control.views import message_view, state_view, verification_view
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Request, Response, json_response

if TYPE_CHECKING:
    from twilio_component.emulator.state import EmulatorState

    Handler = Callable[[EmulatorState, dict[str, Any]], Any]

PREFIX = "/_emulator"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_NUMBER_SETTINGS = {
    "smsUrl": "sms_url",
    "smsMethod": "sms_method",
    "smsFallbackUrl": "sms_fallback_url",
    "smsFallbackMethod": "sms_fallback_method",
}


async def respond(state: EmulatorState, request: Request) -> Response:
    """Return the response to one request under ``/_emulator``."""
    path = request.path.removeprefix(PREFIX).strip("/")
    handlers, names = _find(path)
    if handlers is None:
        return _error(404, f"there is no {PREFIX}/{path}; there are {', '.join(sorted(_HANDLERS))}")
    handler = handlers.get(request.method)
    if handler is None:
        return _error(405, f"{PREFIX}/{path} has {', '.join(handlers)}")
    try:
        value = handler(state, {**_arguments(request), **names})
        if isawaitable(value):
            value = await value
    except NotThereError as error:
        return _error(404, str(error))
    except (ValueError, TypeError, KeyError, ApiError) as error:
        return _error(400, str(error))
    if request.method != "GET":
        state.feed.publish("conditions")
    return _response(value)


def _response(value: Any) -> Response:
    if isinstance(value, Response):
        return value
    return Response(204, headers=dict(_HEADERS)) if value is None else json_response(200, value, _HEADERS)


def _find(path: str) -> tuple[dict[str, Handler] | None, dict[str, str]]:
    """Return the handlers of a path by method, and what stands in the path in place of a name in braces."""
    if path in _HANDLERS:
        return _HANDLERS[path], {}
    folder, _, last = path.partition("/")
    for pattern, handlers in _HANDLERS.items():
        if "{" in pattern and pattern.partition("/")[0] == folder and last and "/" not in last:
            return handlers, {pattern.partition("{")[2].rstrip("}"): last}
    return None, {}


def _arguments(request: Request) -> dict[str, Any]:
    """Return the body of a POST, the query of anything else."""
    if request.method != "POST":
        last_event_id = request.headers.get("last-event-id")
        return {**dict(request.arguments), **({"lastEventId": last_event_id} if last_event_id else {})}
    # A page of another site can send a form without asking, but not this type.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise ValueError("the body has to be application/json")
    value = json.loads(request.body or b"{}")
    if not isinstance(value, dict):
        raise TypeError("the body has to be a JSON object")
    return value


async def _state(state: EmulatorState, _: dict[str, Any]) -> Any:
    return state_view(state)


async def _reset(state: EmulatorState, _: dict[str, Any]) -> Any:
    state.reset()


async def _messages(state: EmulatorState, filters: dict[str, Any]) -> Any:
    wanted = {"to": filters.get("to"), "sender": filters.get("from"), "direction": filters.get("direction")}
    return {
        "messages": [
            message_view(message)
            for message in state.messages
            if all(value in (None, getattr(message, name)) for name, value in wanted.items())
        ]
    }


async def _clock(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    await state.clock.advance(float(wanted["advance"]))
    return {"now": state.clock.now()}


async def _account(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    account = state.accounts.declare(
        wanted.get("sid"),
        text_of(wanted, "authToken"),
        api_keys=wanted.get("apiKeys"),
        test=bool(wanted.get("test", False)),
        parent=state.accounts.get(wanted["parentSid"]) if "parentSid" in wanted else None,
    )
    return {"sid": account.sid}


async def _use_shared_key(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    unknown = wanted.keys() - {"id", "secret", "accountSid"}
    if unknown:
        raise ValueError(f"a shared key has no {', '.join(sorted(unknown))}; it has id, secret, accountSid")
    key_id, secret = account_of(state, wanted).sign_with_shared_key(wanted.get("secret"), key_id=wanted.get("id"))
    return {"id": key_id, "secret": secret}


async def _use_auth_token(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    account_of(state, wanted).sign_with_auth_token()


async def _number(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    account = state.accounts.get(wanted["accountSid"]) if "accountSid" in wanted else None
    unknown = wanted.keys() - _NUMBER_SETTINGS.keys() - {"number", "accountSid"}
    if unknown:
        raise ValueError(f"a number has no {', '.join(sorted(unknown))}; it has {', '.join(_NUMBER_SETTINGS)}")
    settings = {python: str(wanted[key]) for key, python in _NUMBER_SETTINGS.items() if key in wanted}
    return state.add_number(text_of(wanted, "number"), account=account, **settings).representation()


async def _list_lookups(state: EmulatorState, _: dict[str, Any]) -> Any:
    return {"lookups": state.lookups.as_json()}


async def _set_lookup(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    packages = {name: told for name, told in wanted.items() if name != "number"}
    if not all(isinstance(told, dict) for told in packages.values()):
        raise TypeError('each package is an object, such as {"line_type_intelligence": {"type": "landline"}}')
    state.lookups.add_facts(text_of(wanted, "number"), **packages)


async def _list_verifications(state: EmulatorState, filters: dict[str, Any]) -> Any:
    now = state.clock.now()
    found = [one for one in state.verifications if filters.get("to") in (None, one.to)]
    return {"verifications": [verification_view(one, now) for one in found]}


async def _requests(state: EmulatorState, filters: dict[str, Any]) -> Any:
    after = int(filters.get("after", 0))
    return {"requests": [one.representation() for one in state.request_log.requests if one.number > after]}


async def _webhooks(state: EmulatorState, filters: dict[str, Any]) -> Any:
    after = int(filters.get("after", 0))
    return {"webhooks": [one.representation() for one in state.request_log.webhooks if one.number > after]}


_HANDLERS: dict[str, dict[str, Handler]] = {
    "": {"GET": _state},
    "reset": {"POST": _reset},
    "messages": {"GET": _messages, "DELETE": inbox.clear_messages},
    "messages/{sid}": {"GET": inbox.show_message},
    "conversations": {"GET": inbox.list_conversations},
    "conversation": {"GET": inbox.show_conversation},
    "errors": {"GET": inbox.list_errors},
    "events": {"GET": inbox.watch},
    "media/{sid}": {"GET": inbox.show_media},
    "inbound": {"POST": inbound.receive_message},
    "clock": {"POST": _clock},
    "timings": {"POST": conditions.set_timings},
    "accounts": {"POST": _account},
    "lookups": {"GET": _list_lookups, "POST": _set_lookup},
    "verifications": {"GET": _list_verifications},
    "sharedKeys": {"POST": _use_shared_key, "DELETE": _use_auth_token},
    "numbers": {"GET": inbox.list_numbers, "POST": _number},
    "faults": {"GET": conditions.list_faults, "POST": conditions.add_fault, "DELETE": conditions.clear_faults},
    "delivery-rules": {
        "GET": conditions.list_delivery_rules,
        "POST": conditions.add_delivery_rule,
        "DELETE": conditions.clear_delivery_rules,
    },
    "requests": {"GET": _requests},
    "requests/{number}": {"GET": inbox.show_request},
    "webhooks": {"GET": _webhooks, "POST": inbound.send_webhook},
}


def _error(status: int, message: str) -> Response:
    return json_response(status, {"error": message}, _HEADERS)
