"""The emulator's own HTTP API, under ``/_emulator``: everything a test in another language needs to direct it.

Bodies are JSON objects, sent as ``application/json``; keys are camelCase. A bad request gets a 400 with
``{"error": …}``.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.control import inbox
from twilio_component.emulator.control.inbox import NotThereError
from twilio_component.emulator.control.views import (
    CONDITIONS,
    delivery_rule_view,
    fault_view,
    state_view,
    verification_view,
)
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.faults import Fault
from twilio_component.emulator.http import Request, Response, json_response
from twilio_component.emulator.messaging.inbound import receive

if TYPE_CHECKING:
    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.model.message import Message
    from twilio_component.emulator.state import EmulatorState

    Handler = Callable[[EmulatorState, dict[str, Any]], Awaitable[Any]]

PREFIX = "/_emulator"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

# Names in JSON, what Python calls them, and the options of each.
_FAULT_OPTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "rateLimit": ("rate_limit", {"retryAfter": "retry_after"}),
    "serverError": ("server_error", {"status": "status", "accepted": "accepted"}),
    "html": ("html", {"status": "status", "accepted": "accepted"}),
    "blank": ("blank", {"content": "content", "accepted": "accepted"}),
    "apiError": ("api_error", {"code": "code", "status": "status", "message": "message"}),
    "refuse": ("refuse", {"seconds": "seconds"}),
    "drop": ("drop", {"accepted": "accepted"}),
    "cutOff": ("cut_off", {"share": "share"}),
    "slow": ("slow", {"seconds": "seconds", "pieces": "pieces"}),
    "doubleCallbacks": ("double_callbacks", {}),
    "swapCallbacks": ("swap_callbacks", {}),
}
_NUMBER_SETTINGS = {
    "smsUrl": "sms_url",
    "smsMethod": "sms_method",
    "smsFallbackUrl": "sms_fallback_url",
    "smsFallbackMethod": "sms_fallback_method",
}
_ENDINGS = ("delivered", "undelivered", "failed", "sent", "read")


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
        value = await handler(state, {**_arguments(request), **names})
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
            _message(message)
            for message in state.messages
            if all(value in (None, getattr(message, name)) for name, value in wanted.items())
        ]
    }


async def _inbound(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    media = [(str(one["contentType"]), _bytes(one["content"])) for one in wanted.get("media", [])]
    account = state.accounts.get(wanted["accountSid"]) if "accountSid" in wanted else None
    message = await receive(
        state,
        to=_text(wanted, "to"),
        sender=_text(wanted, "from"),
        body=str(wanted.get("body", "")),
        media=media,
        account=account,
        parameters=wanted.get("parameters"),
    )
    return _message(message)


async def _clock(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    await state.clock.advance(float(wanted["advance"]))
    return {"now": state.clock.now()}


async def _set_timings(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    durations = state.lifecycle.durations
    for status, seconds in wanted.items():
        if not hasattr(durations, status):
            raise ValueError(f"no message waits in the status {status!r}")
        setattr(durations, status, float(seconds))


async def _account(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    account = state.accounts.declare(
        wanted.get("sid"),
        _text(wanted, "authToken"),
        api_keys=wanted.get("apiKeys"),
        test=bool(wanted.get("test", False)),
        parent=state.accounts.get(wanted["parentSid"]) if "parentSid" in wanted else None,
    )
    return {"sid": account.sid}


async def _use_shared_key(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    unknown = wanted.keys() - {"id", "secret", "accountSid"}
    if unknown:
        raise ValueError(f"a shared key has no {', '.join(sorted(unknown))}; it has id, secret, accountSid")
    key_id, secret = _account_of(state, wanted).sign_with_shared_key(wanted.get("secret"), key_id=wanted.get("id"))
    return {"id": key_id, "secret": secret}


async def _use_auth_token(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    _account_of(state, wanted).sign_with_auth_token()


async def _number(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    account = state.accounts.get(wanted["accountSid"]) if "accountSid" in wanted else None
    unknown = wanted.keys() - _NUMBER_SETTINGS.keys() - {"number", "accountSid"}
    if unknown:
        raise ValueError(f"a number has no {', '.join(sorted(unknown))}; it has {', '.join(_NUMBER_SETTINGS)}")
    settings = {python: str(wanted[key]) for key, python in _NUMBER_SETTINGS.items() if key in wanted}
    return state.add_number(_text(wanted, "number"), account=account, **settings).representation()


async def _list_lookups(state: EmulatorState, _: dict[str, Any]) -> Any:
    return {"lookups": state.lookups.as_json()}


async def _set_lookup(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    packages = {name: told for name, told in wanted.items() if name != "number"}
    if not all(isinstance(told, dict) for told in packages.values()):
        raise TypeError('each package is an object, such as {"line_type_intelligence": {"type": "landline"}}')
    state.lookups.add_facts(_text(wanted, "number"), **packages)


async def _list_verifications(state: EmulatorState, filters: dict[str, Any]) -> Any:
    now = state.clock.now()
    found = [one for one in state.verifications if filters.get("to") in (None, one.to)]
    return {"verifications": [verification_view(one, now) for one in found]}


async def _add_fault(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    name = wanted.get("fault")
    faults = state.faults
    if name == "lagLists":
        return faults.lag_lists(float(wanted["seconds"]))
    if name == "shiftPages":
        return faults.shift_pages(int(wanted["records"]))
    if name == "skewClock":
        return faults.skew_clock(float(wanted["seconds"]))
    if name not in _FAULT_OPTIONS:
        known = ", ".join((*_FAULT_OPTIONS, "lagLists", "shiftPages", "skewClock"))
        raise ValueError(f"there is no fault {name!r}; there are {known}")
    method, options = _FAULT_OPTIONS[name]
    known_keys = options | CONDITIONS
    unknown = wanted.keys() - known_keys.keys() - {"fault"}
    if unknown:
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))}; it has {', '.join(known_keys)}")
    added = getattr(faults, method)(**{known_keys[key]: wanted[key] for key in wanted if key != "fault"})
    return {"number": added.number} if isinstance(added, Fault) else None


async def _list_faults(state: EmulatorState, _: dict[str, Any]) -> Any:
    return {"faults": [fault_view(fault) for fault in state.faults.active]}


async def _clear_faults(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    if "number" not in wanted:
        state.faults.clear()
        return
    number = int(wanted["number"])
    for fault in state.faults.active:
        if fault.number == number:
            state.faults.remove(fault)


async def _add_delivery_rule(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    ending = wanted.get("ending")
    if ending not in _ENDINGS:
        raise ValueError(f"a message does not end as {ending!r}; it ends as {', '.join(_ENDINGS)}")
    conditions = {python: wanted[key] for key, python in CONDITIONS.items() if key in wanted and key != "operation"}
    default = {"failed": 30008, "undelivered": 30003}.get(ending)
    delay = float(wanted.get("delay", 0))
    if delay < 0:
        raise ValueError(f"a message is late by 0 seconds or more, not by {delay:g}")
    added = state.lifecycle.add_rule(ending, wanted.get("code", default), delay=delay, **conditions)
    return {"number": added.number}


async def _list_delivery_rules(state: EmulatorState, _: dict[str, Any]) -> Any:
    return {"deliveryRules": [delivery_rule_view(one) for one in state.lifecycle.rules]}


async def _clear_delivery_rules(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    if "number" in wanted:
        number = int(wanted["number"])
        state.lifecycle.rules[:] = [one for one in state.lifecycle.rules if one.number != number]
    else:
        state.lifecycle.rules.clear()


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
    "inbound": {"POST": _inbound},
    "clock": {"POST": _clock},
    "timings": {"POST": _set_timings},
    "accounts": {"POST": _account},
    "lookups": {"GET": _list_lookups, "POST": _set_lookup},
    "verifications": {"GET": _list_verifications},
    "sharedKeys": {"POST": _use_shared_key, "DELETE": _use_auth_token},
    "numbers": {"GET": inbox.list_numbers, "POST": _number},
    "faults": {"GET": _list_faults, "POST": _add_fault, "DELETE": _clear_faults},
    "delivery-rules": {"GET": _list_delivery_rules, "POST": _add_delivery_rule, "DELETE": _clear_delivery_rules},
    "requests": {"GET": _requests},
    "requests/{number}": {"GET": inbox.show_request},
    "webhooks": {"GET": _webhooks},
}


def _message(message: Message) -> dict[str, Any]:
    return {**message.representation(), "history": [{"at": at, "status": status} for at, status in message.history]}


def _account_of(state: EmulatorState, wanted: dict[str, Any]) -> Account:
    sid = wanted.get("accountSid")
    return state.accounts.default_account() if sid is None else state.accounts.get(sid)


def _text(wanted: dict[str, Any], key: str) -> str:
    value = wanted.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is required, as a text")
    return value


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"content has to be base64: {error}") from error


def _error(status: int, message: str) -> Response:
    return json_response(status, {"error": message}, _HEADERS)
