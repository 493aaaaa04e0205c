"""The emulator's own HTTP API, under ``/_emulator``: everything a test in another language needs to direct it.

Bodies are JSON objects, sent as ``application/json``; keys are camelCase. A bad request gets a 400 with
``{"error": …}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.api.unsupported import NOT_EMULATED
from twilio_component.emulator.control import conditions, inbound, inbox
from twilio_component.emulator.control.arguments import (
    CONDITIONS,
    FLAG,
    INTEGER,
    LIST,
    NUMBER,
    OBJECT,
    REQUIRED_TEXT,
    TEXT,
    Argument,
    account_of,
    named_account,
    query_arguments,
    read_arguments,
)
from twilio_component.emulator.control.views import message_view, state_view, verification_view
from twilio_component.emulator.errors import ApiError, NotThereError
from twilio_component.emulator.http import Request, Response, json_response
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.phone_number import check_settings

if TYPE_CHECKING:
    from twilio_component.emulator.state import EmulatorState

    Handler = Callable[[EmulatorState, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of a path. ``noun`` names in errors what has the ``arguments``; None takes what there is."""

    handler: Handler
    noun: str = "this"
    arguments: Mapping[str, Argument] | None = field(default_factory=dict)


PREFIX = "/_emulator"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_DIRECTIONS = ("inbound", "outbound-api", "outbound-reply")
_NUMBER_SETTINGS = {
    "smsUrl": "sms_url",
    "smsMethod": "sms_method",
    "smsFallbackUrl": "sms_fallback_url",
    "smsFallbackMethod": "sms_fallback_method",
}


async def respond(state: EmulatorState, request: Request) -> Response:
    """Return the response to one request under ``/_emulator``."""
    path = request.path.removeprefix(PREFIX).strip("/")
    operations, names = _find(path)
    if operations is None:
        return _error(404, f"there is no {PREFIX}/{path}; there are {', '.join(sorted(_HANDLERS))}")
    operation = operations.get(request.method)
    if operation is None:
        return _error(405, f"{PREFIX}/{path} has {', '.join(operations)}")
    try:
        value = operation.handler(state, _arguments(request, names, operation))
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


def _find(path: str) -> tuple[dict[str, Operation] | None, dict[str, str]]:
    """Return the handlers of a path by method, and what stands in the path in place of a name in braces."""
    if path in _HANDLERS:
        return _HANDLERS[path], {}
    folder, _, last = path.partition("/")
    for pattern, handlers in _HANDLERS.items():
        if "{" in pattern and pattern.partition("/")[0] == folder and last and "/" not in last:
            return handlers, {pattern.partition("{")[2].rstrip("}"): last}
    return None, {}


def _arguments(request: Request, names: dict[str, str], operation: Operation) -> dict[str, Any]:
    """Return the body of a POST, the query of anything else, and what stands in the path."""
    if request.method == "POST":
        given: dict[str, Any] = {**_json_object(request), **names}
    else:
        last_event_id = request.headers.get("last-event-id")
        query = dict(request.arguments) | ({"lastEventId": last_event_id} if last_event_id else {}) | names
        given = query_arguments(operation.arguments or {}, query)
    return given if operation.arguments is None else read_arguments(operation.noun, operation.arguments, given)


def _json_object(request: Request) -> dict[str, Any]:
    # A page of another site can send a form without asking, but not this type.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise ValueError("the body has to be JSON, with the header Content-Type: application/json")
    try:
        value = json.loads(request.body or b"{}")
    except ValueError as error:
        raise ValueError(f"the body has to be JSON: {error}") from None
    if not isinstance(value, dict):
        raise TypeError("the body has to be a JSON object")
    return value


async def _state(state: EmulatorState, _: dict[str, Any]) -> Any:
    return {**state_view(state), "notEmulated": NOT_EMULATED}


async def _reset(state: EmulatorState, _: dict[str, Any]) -> Any:
    state.reset()


async def _messages(state: EmulatorState, filters: dict[str, Any]) -> Any:
    wanted = {"to": filters.get("to"), "sender": filters.get("from"), "direction": filters.get("direction")}
    for key, known in (("to", {one.to for one in state.messages}), ("from", {one.sender for one in state.messages})):
        _check_filter(filters, key, known)
    if wanted["direction"] not in (None, *_DIRECTIONS):
        raise ValueError(f"direction is one of {', '.join(_DIRECTIONS)}, not {wanted['direction']!r}")
    return {
        "messages": [
            message_view(message)
            for message in state.messages
            if all(value in (None, getattr(message, name)) for name, value in wanted.items())
        ]
    }


def _check_filter(filters: dict[str, Any], key: str, known: Collection[str | None]) -> None:
    """Raise ValueError where a filter is an address that nothing can ever have; ``known`` are those that there are."""
    address = filters.get(key)
    if address is None or address in known:
        return
    faults = [fault_in(address) for fault_in in (addresses.fault_in_recipient, addresses.fault_in_sender)]
    if all(faults):
        raise ValueError(f"{key}: {faults[0]}")


async def _clock(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    await state.clock.advance(wanted["advance"])
    return {"now": state.clock.now()}


async def _account(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    account = state.accounts.declare(
        wanted.get("sid"),
        wanted["authToken"],
        api_keys=wanted.get("apiKeys"),
        test=bool(wanted.get("test", False)),
        parent=named_account(state, wanted, "parentSid"),
    )
    return {"sid": account.sid}


async def _use_shared_key(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    key_id, secret = account_of(state, wanted).sign_with_shared_key(wanted.get("secret"), key_id=wanted.get("id"))
    return {"id": key_id, "secret": secret}


async def _use_auth_token(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    account_of(state, wanted).sign_with_auth_token()


async def _number(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    settings = {python: wanted[key] for key, python in _NUMBER_SETTINGS.items() if key in wanted}
    check_settings(settings, {python: key for key, python in _NUMBER_SETTINGS.items()})
    return state.add_number(
        wanted["number"], account=named_account(state, wanted, "accountSid"), **settings
    ).representation()


async def _list_lookups(state: EmulatorState, _: dict[str, Any]) -> Any:
    return {"lookups": state.lookups.as_json()}


async def _set_lookup(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    packages = {name: told for name, told in wanted.items() if name != "number"}
    number = read_arguments("a number", {"number": REQUIRED_TEXT}, {k: v for k, v in wanted.items() if k == "number"})
    if not all(isinstance(told, dict) for told in packages.values()):
        raise TypeError('each package is an object, such as {"line_type_intelligence": {"type": "landline"}}')
    state.lookups.add_facts(number["number"], **packages)


async def _list_verifications(state: EmulatorState, filters: dict[str, Any]) -> Any:
    now = state.clock.now()
    _check_filter(filters, "to", {one.to for one in state.verifications})
    found = [one for one in state.verifications if filters.get("to") in (None, one.to)]
    return {"verifications": [verification_view(one, now) for one in found]}


async def _requests(state: EmulatorState, filters: dict[str, Any]) -> Any:
    after = filters.get("after", 0)
    return {"requests": [one.representation() for one in state.request_log.requests if one.number > after]}


async def _webhooks(state: EmulatorState, filters: dict[str, Any]) -> Any:
    after = filters.get("after", 0)
    return {"webhooks": [one.representation() for one in state.request_log.webhooks if one.number > after]}


_PAGE = {"search": TEXT, "limit": INTEGER, "offset": INTEGER}
_INBOUND = {
    "to": REQUIRED_TEXT,
    "from": REQUIRED_TEXT,
    "body": TEXT,
    "media": LIST,
    "parameters": OBJECT,
    "accountSid": TEXT,
    "wait": FLAG,
    "profileName": TEXT,
    "button": OBJECT,
    "listItem": OBJECT,
    "location": OBJECT,
    "repliedTo": TEXT,
    "referral": OBJECT,
    "forwarded": FLAG,
    "frequentlyForwarded": FLAG,
}
_RULE = {"ending": TEXT, "code": INTEGER, "delay": NUMBER, **CONDITIONS}
_NUMBER = {**dict.fromkeys(_NUMBER_SETTINGS, TEXT), "number": REQUIRED_TEXT, "accountSid": TEXT}
_NUMBERED = {"number": INTEGER}


_HANDLERS: dict[str, dict[str, Operation]] = {
    "": {"GET": Operation(_state)},
    "reset": {"POST": Operation(_reset)},
    "messages": {
        "GET": Operation(_messages, "the list of messages", {"to": TEXT, "from": TEXT, "direction": TEXT}),
        "DELETE": Operation(inbox.clear_messages),
    },
    "messages/{sid}": {"GET": Operation(inbox.show_message, "a message", {"sid": TEXT})},
    "conversations": {"GET": Operation(inbox.list_conversations, "the list of conversations", _PAGE)},
    "conversation": {
        "GET": Operation(
            inbox.show_conversation,
            "a conversation",
            {"id": TEXT, "search": TEXT, "limit": INTEGER, "before": TEXT, "after": TEXT},
        )
    },
    "errors": {"GET": Operation(inbox.list_errors)},
    "events": {"GET": Operation(inbox.watch, "the stream of events", {"lastEventId": TEXT})},
    "media/{sid}": {"GET": Operation(inbox.show_media, "a file", {"sid": TEXT})},
    "inbound": {"POST": Operation(inbound.receive_message, "an inbound message", _INBOUND)},
    "clock": {"POST": Operation(_clock, "the clock", {"advance": Argument("a number", required=True)})},
    "timings": {"POST": Operation(conditions.set_timings, "the timings", None)},
    "accounts": {
        "POST": Operation(
            _account,
            "an account",
            {"sid": TEXT, "authToken": REQUIRED_TEXT, "apiKeys": OBJECT, "test": FLAG, "parentSid": TEXT},
        )
    },
    "lookups": {"GET": Operation(_list_lookups), "POST": Operation(_set_lookup, "a number", None)},
    "verifications": {"GET": Operation(_list_verifications, "the list of verifications", {"to": TEXT})},
    "sharedKeys": {
        "POST": Operation(_use_shared_key, "a shared key", {"id": TEXT, "secret": TEXT, "accountSid": TEXT}),
        "DELETE": Operation(_use_auth_token, "the Auth Token", {"accountSid": TEXT}),
    },
    "numbers": {"GET": Operation(inbox.list_numbers), "POST": Operation(_number, "a number", _NUMBER)},
    "faults": {
        "GET": Operation(conditions.list_faults),
        "POST": Operation(conditions.add_fault, "a fault", None),
        "DELETE": Operation(conditions.clear_faults, "the list of faults", _NUMBERED),
    },
    "delivery-rules": {
        "GET": Operation(conditions.list_delivery_rules),
        "POST": Operation(conditions.add_delivery_rule, "a delivery rule", _RULE),
        "DELETE": Operation(conditions.clear_delivery_rules, "the list of rules", _NUMBERED),
    },
    "requests": {"GET": Operation(_requests, "the list of requests", {"after": INTEGER})},
    "requests/{number}": {"GET": Operation(inbox.show_request, "a request", _NUMBERED)},
    "webhooks": {
        "GET": Operation(_webhooks, "the list of webhooks", {"after": INTEGER}),
        "POST": Operation(
            inbound.send_webhook,
            "a webhook",
            {"url": REQUIRED_TEXT, "method": TEXT, "eventType": TEXT, "parameters": OBJECT, "accountSid": TEXT},
        ),
    },
}


def _error(status: int, message: str) -> Response:
    return json_response(status, {"error": message}, _HEADERS)
