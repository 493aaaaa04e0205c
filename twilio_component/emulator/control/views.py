"""What the inbox is shown: conversations, their items, and the exchanges behind an item, ready for JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.control import curl
from twilio_component.emulator.control.conversations import Pair, item_key, text_of, timestamp_of
from twilio_component.emulator.control.media import inline_kind
from twilio_component.emulator.model.message import Message
from twilio_component.twilio.error_codes import explain
from twilio_component.twilio.segments import segment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twilio_component.emulator.control.conversations import Conversation, Item
    from twilio_component.emulator.faults import Fault
    from twilio_component.emulator.messaging.lifecycle import DeliveryRule
    from twilio_component.emulator.model.message import Media
    from twilio_component.emulator.model.verification import Verification
    from twilio_component.emulator.request_log import RequestRecord, WebhookRecord
    from twilio_component.emulator.rules import Rule
    from twilio_component.emulator.state import EmulatorState

# Names in JSON, and what Python calls them.
CONDITIONS = {"operation": "operation", "to": "to", "from": "sender", "body": "body", "nth": "nth", "times": "times"}
# A program that polls the status of a message does not fill a page.
MOST_EXCHANGES = 50


def conversation_header(conversation: Conversation) -> dict[str, Any]:
    """Return the ends of a conversation, and how many items it has."""
    pair = conversation.pair
    return {
        "id": pair.id,
        "accountSid": pair.account_sid,
        "number": pair.number,
        "phone": pair.phone,
        "channel": pair.channel,
        "count": len(conversation.items),
    }


def conversation_view(conversation: Conversation, *, opted_out: bool) -> dict[str, Any]:
    """Return a line in the list of conversations."""
    return {
        **conversation_header(conversation),
        "failures": conversation.failures,
        "optedOut": opted_out,
        "last": item_view(conversation.items[-1]),
    }


def item_view(item: Item) -> dict[str, Any]:
    """Return a message, or an attempt to send one that was refused."""
    pair = Pair.of(item)
    shared = {
        "kind": "message" if isinstance(item, Message) else "refusal",
        "key": item_key(item),
        "conversation": pair.id if pair else None,
        "at": timestamp_of(item),
        "body": text_of(item),
    }
    return shared | (_message(item) if isinstance(item, Message) else _refusal(item))


def exchanges_view(state: EmulatorState, item: Item) -> list[dict[str, Any]]:
    """Return the requests and webhooks behind an item, in order: the first, and the newest ``MOST_EXCHANGES``."""
    if not isinstance(item, Message):
        return [request_view(item)]
    requests = [one for one in state.request_log.requests if one.is_about(item.sid)]
    webhooks = [one for one in state.request_log.webhooks if one.message_sid == item.sid]
    shown: list[dict[str, Any]] = [
        *map(request_view, _first_and_newest(requests)),
        *map(webhook_view, _first_and_newest(webhooks)),
    ]
    return sorted(shown, key=lambda one: int(one["number"]))


def request_view(record: RequestRecord) -> dict[str, Any]:
    """Return a request that came in, with its parameters, and how to do it again."""
    request = record.request
    query = f"?{request.query}" if request.query else ""
    return record.representation() | {
        "kind": "request",
        "url": f"{request.base_url}{request.path}{query}",
        "parameters": [list(pair) for pair in (*request.arguments, *request.form)],
        "curl": curl.of_request(record),
    }


def webhook_view(record: WebhookRecord) -> dict[str, Any]:
    """Return a webhook that went out; ``about`` is ``status`` or ``inbound``."""
    return record.representation() | {"kind": "webhook", "about": record.kind, "curl": curl.of_webhook(record)}


def state_view(state: EmulatorState) -> dict[str, Any]:
    """Return the clock and what is switched on; of faults and delivery rules those that still apply."""
    return {
        "now": state.clock.now(),
        "messages": sum(len(account.messages) for account in state.accounts),
        "accounts": [account.sid for account in state.accounts],
        "strict": state.accounts.strict,
        "faults": [fault_view(fault) for fault in state.faults.active],
        "deliveryRules": [delivery_rule_view(one) for one in state.lifecycle.rules if not one.rule.spent],
    }


def message_view(message: Message) -> dict[str, Any]:
    """Return the message resource, with the history of its status."""
    return {**message.representation(), "history": [{"at": at, "status": status} for at, status in message.history]}


def fault_view(fault: Fault) -> dict[str, Any]:
    """Return a fault that is switched on."""
    status = fault.response.status if fault.response else None
    return {
        "number": fault.number,
        "fault": re.sub(r"_(.)", lambda letter: letter[1].upper(), fault.name),
        "accepted": fault.accepted,
        "status": status,
        **_rule(fault.rule),
    }


def verification_view(verification: Verification, now: float) -> dict[str, Any]:
    """Return a verification with what Twilio tells nobody: its code, and how often it was checked."""
    return {
        "sid": verification.sid,
        "serviceSid": verification.service_sid,
        "accountSid": verification.account_sid,
        "to": verification.to,
        "channel": verification.channel,
        "code": verification.code,
        "status": verification.status_at(now),
        "sends": len(verification.sends),
        "checks": verification.checks,
        "at": verification.created,
    }


def delivery_rule_view(delivery_rule: DeliveryRule) -> dict[str, Any]:
    """Show how the messages that a rule applies to end."""
    return {
        "number": delivery_rule.number,
        "ending": delivery_rule.ending,
        "code": delivery_rule.code,
        "delay": delivery_rule.delay,
        **_rule(delivery_rule.rule),
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "sid": message.sid,
        "direction": message.direction,
        "channel": message.channel,
        "to": message.to,
        "from": message.sender or message.chosen_sender,
        "messagingServiceSid": message.messaging_service_sid,
        "status": message.status,
        "history": [{"at": at, "status": status} for at, status in message.history],
        "error": None if message.error_code is None else _error(message.error_code, message.error_message),
        "segmentation": _segmentation(message),
        "media": [_media(one) for one in message.media],
    }


def _refusal(record: RequestRecord) -> dict[str, Any]:
    response, form = record.response, record.request.form
    error: dict[str, Any] = {} if response.connection_fault or not response.body.startswith(b"{") else response.json
    code = error.get("code")
    return {
        "number": record.number,
        "direction": "outbound-api",
        "to": form.get("To"),
        "from": form.get("From"),
        "messagingServiceSid": form.get("MessagingServiceSid"),
        # The client has not seen the status of a response that was lost.
        "status": response.connection_fault.kind if response.connection_fault else response.status,
        "fault": record.fault,
        "error": None if code is None else _error(code, error.get("message")),
        "media": [],
    }


def _error(code: int, message: str | None) -> dict[str, Any]:
    found = explain(code)
    known = {"meaning": found.meaning, "remedy": found.remedy, "link": found.link} if found else {}
    return {"code": code, "message": message, "meaning": None, "remedy": None, "link": None, **known}


def _segmentation(message: Message) -> dict[str, Any] | None:
    """How the text travels as SMS; None for what does not travel as SMS."""
    pair = Pair.of(message)
    if message.media or (pair and pair.channel) or message.channel in ("call", "email"):
        return None
    found = segment(message.body)
    return {
        "encoding": found.encoding,
        "segments": found.segments,
        "units": found.units,
        "capacity": found.capacity,
        "unicodeCharacters": list(found.unicode_characters),
    }


def _media(media: Media) -> dict[str, Any]:
    return {
        "sid": media.sid,
        "contentType": media.content_type,
        "shownAs": inline_kind(media.content_type),
        "url": media.url,
        "size": None if media.url else len(media.content),
    }


def _first_and_newest(records: list[Any]) -> Iterable[Any]:
    return records if len(records) <= MOST_EXCHANGES else [records[0], *records[1 - MOST_EXCHANGES :]]


def _rule(rule: Rule) -> dict[str, Any]:
    return {**{name: getattr(rule, python) for name, python in CONDITIONS.items()}, "hits": rule.hits}
