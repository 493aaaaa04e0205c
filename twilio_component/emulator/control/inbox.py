"""What the inbox reads through the control API: conversations, what is in them, and what is behind a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.emulator.control.conversations import Conversations, Pair, window
from twilio_component.emulator.control.events import event_stream
from twilio_component.emulator.control.media import media_response
from twilio_component.emulator.control.views import (
    conversation_header,
    conversation_view,
    exchanges_view,
    item_view,
    request_view,
)
from twilio_component.emulator.errors import NotThereError
from twilio_component.twilio.error_codes import explanations

if TYPE_CHECKING:
    from twilio_component.emulator.model.message import Message
    from twilio_component.emulator.state import EmulatorState

MOST = 200
_DEFAULT = 50


async def list_conversations(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Return ``limit`` conversations from ``offset`` on, newest first; ``total`` is how many there are."""
    conversations = _conversations(state)
    found = conversations.newest_first(wanted.get("search", ""))
    offset = max(0, wanted.get("offset", 0))
    shown = found[offset : offset + _limit(wanted)]
    return {
        "total": len(found),
        "conversations": [conversation_view(one, opted_out=conversations.opted_out(one.pair)) for one in shown],
    }


async def show_conversation(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Return a part of one conversation, oldest first: the newest, or what is next to ``before`` or ``after``."""
    if "id" not in wanted:
        raise ValueError("id is required: the id of a conversation")
    pair = Pair.parse(wanted["id"])
    conversations = _conversations(state)
    conversation = conversations.one(pair, wanted.get("search", ""))
    shown, older, newer = window(
        conversation.items, before=wanted.get("before"), after=wanted.get("after"), limit=_limit(wanted)
    )
    return {
        **conversation_header(conversation),
        "optedOut": conversations.opted_out(pair),
        "older": older,
        "newer": newer,
        "items": [item_view(one) for one in shown],
    }


async def show_message(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Return one message with the requests and webhooks behind it."""
    message = _message(state, wanted["sid"])
    return {"item": item_view(message), "exchanges": exchanges_view(state, message)}


async def show_request(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Return one request; of an attempt to send that was refused, what was to be sent as well."""
    number = wanted["number"]
    record = next((one for one in state.request_log.requests if one.number == number), None)
    if record is None:
        raise NotThereError(f"there is no request {number}, or no longer")
    item = item_view(record) if record.is_refused_send else None
    return {"item": item, "exchanges": [request_view(record)]}


async def show_media(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Return a file of a message."""
    sid = wanted["sid"]
    for message in state.messages:
        for media in message.media:
            if media.sid == sid:
                return await media_response(media, state.webhooks.transport)
    raise NotThereError(f"there is no file {sid}")


async def clear_messages(state: EmulatorState, _: dict[str, Any]) -> Any:
    """Forget the messages and the request log; accounts, numbers, opt-outs and faults stay."""
    state.clear_messages()


async def list_numbers(state: EmulatorState, _: dict[str, Any]) -> Any:
    """Return the numbers of every account, each with the URL for its inbound messages."""
    return {
        "numbers": [
            {"number": one.number, "accountSid": account.sid, "sid": one.sid, "smsUrl": one.settings["sms_url"]}
            for account in state.accounts
            for one in account.numbers.values()
        ]
    }


async def list_errors(_state: EmulatorState, _: dict[str, Any]) -> Any:
    """Return the codes with which messages fail, and what each means."""
    return {
        "errors": [{"code": one.code, "meaning": one.meaning} for one in explanations() if one.arrives == "message"]
    }


async def watch(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Return the stream of changes."""
    return await event_stream(state, wanted.get("lastEventId"))


def _conversations(state: EmulatorState) -> Conversations:
    return Conversations(state.accounts, state.request_log)


def _message(state: EmulatorState, sid: str) -> Message:
    for account in state.accounts:
        message = account.messages.get(sid) or account.code_messages.get(sid)
        if message is not None:
            return message
    raise NotThereError(f"there is no message {sid}")


def _limit(wanted: dict[str, Any]) -> int:
    limit: int = wanted.get("limit", _DEFAULT)
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit is 1 to {MOST}, not {limit}")
    return limit
